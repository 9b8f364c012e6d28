"""Tell whether a film or picture is marked as generated."""

import sys

from fomm_jax import console
from fomm_jax.cli.flags import INPUT
from fomm_jax.errors import InputError
from fomm_jax.media.read_marks import describe, read_marks


def run() -> None:
    """Verify --input."""
    if INPUT.value is None:
        raise InputError("--input: expected the film or picture to look at")
    verify_file(INPUT.value)


def verify_file(path: str) -> None:
    """Print what a file says about how it was made; exit with status 1 if it carries no mark.

    Raises:
      InputError: the file is neither a film nor a picture.
    """
    marks = read_marks(path)
    console.say("\n".join(describe(path, marks)))
    sys.exit(marks.source_type is None)
