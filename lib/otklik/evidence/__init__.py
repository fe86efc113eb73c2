"""Did it work? Experiments, uplift, attribution: what was caused, and where the data cannot tell."""
