"""The parts of every page of the report: blocks, generic figures, words and numbers in each language."""
