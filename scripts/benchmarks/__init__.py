"""The benchmark: Otklik beside what a user would pick instead, on the same files and cores. See scripts/benchmark.

plan        which case is measured at which size, by whom and how often
inputs      the files that all contenders read, made once and kept
contenders/ one module each: what it does in each case
work        what a contender is given, and what it gives back
child       one process: one contender on one case, once cold and then warm
process     starts such a process and watches its memory
judge       whether a contender gave the same rows, or a model as good
figures     medians, quartiles, ratios, exponents, targets
page        one table and one picture
"""
