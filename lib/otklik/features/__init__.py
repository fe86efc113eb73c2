"""One SELECT per file, as of a moment; the catalogue says what each column means and when it becomes known."""
