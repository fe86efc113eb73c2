"""What every page of the report is made of: blocks, generic figures, words and numbers in each language."""
