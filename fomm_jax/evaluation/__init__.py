"""Reconstruct test videos, animate pairs of them, and measure the results."""
