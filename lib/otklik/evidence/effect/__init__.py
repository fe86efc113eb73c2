"""The kind `effect`: the effect of a contact without random assignment."""
