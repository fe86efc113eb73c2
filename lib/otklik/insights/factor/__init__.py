"""Factors: the few numbers behind many correlated properties of customers."""
