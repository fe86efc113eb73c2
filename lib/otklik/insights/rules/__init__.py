"""Association rules: what is bought together or rarely together, and whether that holds later."""
