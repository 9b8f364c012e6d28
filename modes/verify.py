"""Tell whether a file is marked as generated."""

import sys

from fomm_jax.verification import describe, read_marks


def run(path: str) -> None:
    """Print what a film or picture says of how it was made; exit 1 where it has no mark.

    Raises:
      InputError: it is neither film nor picture.
    """
    marks = read_marks(path)
    print("\n".join(describe(path, marks)))
    sys.exit(marks.source_type is None)
