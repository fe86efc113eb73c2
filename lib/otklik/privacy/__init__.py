"""Personal columns: pseudonyms under a key, and masks wherever a value could be shown."""
