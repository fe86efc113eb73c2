"""Factors behind many correlated properties of customers."""
