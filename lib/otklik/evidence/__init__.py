"""Causal evidence: experiments, uplift, attribution, and when the data do not suffice."""
