"""Association rules: items bought together or rarely together, and whether that holds later."""
