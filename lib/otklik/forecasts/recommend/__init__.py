"""Recommendations: what each customer is likely to buy next, compared with popular items and repeat purchases."""
