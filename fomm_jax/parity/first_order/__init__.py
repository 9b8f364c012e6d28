"""Comparison with the original of the first-order model."""
