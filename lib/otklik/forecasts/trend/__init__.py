"""Rising items and bursts: products, topics, hashtags by their counts per period."""
