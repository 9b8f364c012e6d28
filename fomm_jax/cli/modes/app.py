"""Serve a page that animates pictures, in the browser and for this computer alone."""

import os
import pathlib
import socket
import tempfile

from fomm_jax.animation.animator import Animator
from fomm_jax.cli import marking_flags
from fomm_jax.cli.flags import PORT, model_path, read_config
from fomm_jax.cli.page.examples import Examples, draw_examples
from fomm_jax.cli.page.page import build_page, serve_page
from fomm_jax.cli.page.studio import Studio
from fomm_jax.errors import InputError

HOST = "127.0.0.1"  # so that no other computer can open the page


def run() -> None:
    """Serve the page until Ctrl-C, with the model of --checkpoint or the demo model.

    Raises:
      InputError: there is no model, or the port is taken.
    """
    config, checkpoint = read_config(), model_path()
    marking = marking_flags.read_marking(checkpoint)
    if PORT.value is not None:
        _check_port(PORT.value)
    if checkpoint is not None:
        animator = Animator.from_checkpoint(checkpoint, config)
    else:
        animator = Animator.demo()
    with tempfile.TemporaryDirectory(prefix="fomm_jax-app-") as name:
        folder = pathlib.Path(name)
        os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")
        # Only the demo model knows drawn heads.
        examples = draw_examples(folder / "examples") if checkpoint is None else Examples([], {})
        studio = Studio(animator, checkpoint, examples, folder / "results", marking)
        serve_page(build_page(studio), HOST, PORT.value, folder)


def _check_port(port: int) -> None:
    with socket.socket() as listener:
        try:
            listener.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise InputError(f"--port: {port} cannot be used; expected a free one") from error
