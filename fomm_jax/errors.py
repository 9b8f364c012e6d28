"""The error that a user can act on."""

import contextlib
import os
from collections.abc import Iterator


class InputError(Exception):
    """What the user gave cannot be used.

    The message is one line that names the file or the config field and says what was expected.
    `main.py` and the other commands print it without a traceback and leave with status 2.
    """


@contextlib.contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the name of the file or the field at fault before the message of an InputError."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
