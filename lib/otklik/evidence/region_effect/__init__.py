"""The kind `region_effect`: what a change in some regions has done, beside regions without it."""
