"""The kind `segment`: groups of customers, by recency, frequency and monetary value or by clustering."""
