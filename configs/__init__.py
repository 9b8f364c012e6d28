"""One file with a `get_config()` for each model; `from_yaml` reads a file of the original."""
