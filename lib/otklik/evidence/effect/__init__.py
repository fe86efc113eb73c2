"""The kind `effect`: what a contact has changed where nobody was drawn at random."""
