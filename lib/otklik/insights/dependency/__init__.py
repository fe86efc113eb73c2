"""Dependencies: which properties of customers are associated with which outcomes, also given confounders."""
