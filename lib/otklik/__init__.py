"""Otklik: data-driven marketing on Spark, from raw files to a list to act on."""

__version__ = "0.1.0"
