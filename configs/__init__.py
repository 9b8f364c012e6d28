"""Configurations, one `get_config()` a model; `from_yaml` reads those of the original."""
