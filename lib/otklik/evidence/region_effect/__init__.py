"""The kind `region_effect`: the effect of a change in some regions, compared with others."""
