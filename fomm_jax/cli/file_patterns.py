"""Expand the file patterns of a command line."""

import glob
import os
from collections.abc import Sequence

from fomm_jax.errors import InputError


def expand_patterns(names: Sequence[str], flag: str) -> list[str]:
    """Replace each pattern such as `*.jpg` by the files that match it, sorted by name.

    The name of an existing file is never taken for a pattern.

    Args:
      names: file names and patterns.
      flag: the flag that they come from, for messages.

    Raises:
      InputError: no file matches a pattern.
    """
    paths = []
    for name in names:
        if os.path.exists(name) or not glob.has_magic(name):
            paths.append(name)
            continue
        matches = sorted(glob.glob(name, recursive=True))
        if not matches:
            raise InputError(f"{flag}={name}: there is no such file")
        paths += matches
    return paths
