"""Clips: which seconds of which raw videos, and which part of the frame, make a dataset."""
