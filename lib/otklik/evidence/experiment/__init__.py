"""The kind `experiment`: the effect of each arm on each metric, from sums per arm."""
