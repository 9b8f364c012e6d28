"""Measurements of time and memory, each a command that prints a line of JSON."""
