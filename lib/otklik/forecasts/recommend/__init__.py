"""Recommendations: what each customer is likely to buy next, beside popularity and buying the same again."""
