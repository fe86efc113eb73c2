"""When customers with a contract leave: survival curves, hazards, value at risk and whom to retain."""
