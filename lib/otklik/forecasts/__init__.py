"""What will customers do next? Lifetime value, churn, demand, seasons and trends, each beside the naive rule."""
