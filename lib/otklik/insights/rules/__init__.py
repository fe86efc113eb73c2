"""Association rules: what is bought together, what is hardly ever, and whether that holds later."""
