"""The kind `uplift`: whom a contact changes, learned from an experiment, and whether targeting them pays."""
