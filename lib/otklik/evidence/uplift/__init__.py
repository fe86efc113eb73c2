"""The kind `uplift`: whom a contact changes, learnt from an experiment, and whether choosing them pays."""
