"""Insights: segments, classes, association rules, dependencies between properties, factors."""
