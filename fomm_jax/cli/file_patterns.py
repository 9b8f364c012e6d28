"""Expand the file patterns of a command line."""

import glob
import os
import pathlib
from collections.abc import Sequence

from fomm_jax.errors import InputError


def expand_patterns(names: Sequence[str], flag: str) -> list[str]:
    """Replace each pattern such as `*.jpg` by the files that match it, sorted by name.

    What exists is taken literally: the name of a file is no pattern, and neither is the name of a
    folder within a pattern, as in `[2024] album/*.jpg`.

    Args:
      names: file names and patterns.
      flag: the flag that they come from, for messages.

    Raises:
      InputError: no file matches a pattern.
    """
    paths = []
    for name in names:
        if os.path.lexists(name) or not glob.has_magic(name):
            paths.append(name)
            continue
        matches = _match(name)
        if not matches:
            raise InputError(f"{flag}={name}: there is no such file")
        paths += matches
    return paths


def _match(pattern: str) -> list[str]:
    """Return what matches a pattern, sorted by name, each once."""
    places = {""}
    for part in pathlib.PurePath(pattern).parts:
        matches: set[str] = set()
        for place in places:
            path = os.path.join(place, part)
            if os.path.lexists(path):
                matches.add(path)
            else:
                escaped = os.path.join(glob.escape(place), part)
                matches.update(glob.iglob(escaped, recursive=True))
        places = matches
    return sorted(places)
