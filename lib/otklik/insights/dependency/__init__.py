"""Dependencies: which properties of customers go with which outcomes, also given what confounds them."""
