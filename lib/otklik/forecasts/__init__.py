"""Forecasts: lifetime value, churn, demand, seasons and trends, each compared with a naive rule."""
