"""Features: one SELECT per file, as of a moment; the catalogue documents what columns mean and when they are known."""
