"""The page of --mode=app."""
