"""The kind `segment`: customers in groups, by recency, frequency and monetary value or by clustering."""
