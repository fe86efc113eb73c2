"""What to do: whom to contact under cost, value and budget, and who is held back as control."""
