"""What to do: whom to contact given cost, value and budget, and who is held out as control."""
