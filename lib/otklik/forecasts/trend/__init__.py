"""What is rising, and when something burst: products, topics, hashtags by their counts per period."""
