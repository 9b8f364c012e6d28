"""Gradio, which sends no reports from here."""

import os

from fomm_jax.errors import InputError

# Gradio reads these when it is imported. Models still come from the hub, if --checkpoint is there.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

try:
    import gradio as gradio
except ImportError as error:
    raise InputError(
        "--mode=app: needs the package gradio; expected `pip install 'fomm_jax[app]'`"
    ) from error
