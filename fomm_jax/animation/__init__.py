"""Animate pictures: from arrays to arrays."""
