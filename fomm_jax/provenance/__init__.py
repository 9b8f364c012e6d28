"""Marks in films and pictures that say that a model generated them."""
