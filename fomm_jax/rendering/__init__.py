"""Animate a user's pictures by a user's videos, from files to films."""
