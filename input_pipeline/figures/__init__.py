"""Drawn videos of moving figures: data for a first training, with known joints."""
