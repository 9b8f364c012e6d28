"""Checkpoints and weight files: writing, reading, converting."""
