"""Splits, preparation, the models and their challengers, calibration, judgement, explanations, the registry."""
