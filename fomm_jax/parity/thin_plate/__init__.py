"""Comparison with the original of the thin-plate spline model."""
