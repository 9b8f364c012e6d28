"""Names of files as users write them on a command line."""

import glob
import os
from collections.abc import Sequence

from fomm_jax.errors import InputError


def expand_patterns(names: Sequence[str], flag: str) -> list[str]:
    """Replace patterns such as `*.jpg` by the files that they stand for, in the order of the names.

    A name that is there is taken as it is, whatever characters it has.

    Raises:
      InputError: a pattern stands for nothing.
    """
    found = []
    for name in names:
        if os.path.exists(name) or not glob.has_magic(name):
            found.append(name)
            continue
        files = sorted(glob.glob(name, recursive=True))
        if not files:
            raise InputError(f"{flag}={name}: there is no such file")
        found += files
    return found
