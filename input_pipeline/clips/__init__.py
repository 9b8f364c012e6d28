"""Clips: the parts of raw videos, cut in time and in the frame, that make a dataset."""
