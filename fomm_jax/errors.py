"""The error that a user can act on."""

import contextlib
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import NoReturn


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


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """End the program with one line and status 2 where its input cannot be used."""
    try:
        yield
    except InputError as error:
        refuse(str(error))


def refuse(message: str) -> NoReturn:
    """End the program with one line and the status of bad input."""
    print(f"{pathlib.Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    sys.exit(2)
