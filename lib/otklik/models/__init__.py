"""Splits, preparation, the models and their challengers, calibration, cross-validation, explanations, the registry."""
