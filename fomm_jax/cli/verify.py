"""Tell whether a file is marked as generated."""

import sys

from fomm_jax.cli.flags import INPUT
from fomm_jax.errors import InputError
from fomm_jax.media.read_marks import describe, read_marks


def run(path: str) -> None:
    """Print what a film or picture says of how it was made; exit 1 where it has no mark.

    Raises:
      InputError: it is neither film nor picture.
    """
    marks = read_marks(path)
    print("\n".join(describe(path, marks)))
    sys.exit(marks.source_type is None)


def run_verification() -> None:
    """Read the marks of --input."""

    if INPUT.value is None:
        raise InputError("--input: expected the film or picture to look at")
    run(INPUT.value)
