"""The error that a user can act on."""

import contextlib
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import NoReturn


class InputError(Exception):
    """The user's input cannot be used.

    The message is one line that names the file, the argument or the config field at fault, and says
    what was expected. Commands print it without a traceback and exit with status 2.
    """


@contextlib.contextmanager
def naming(name: str | os.PathLike[str]) -> Iterator[None]:
    """Prefix the message of an InputError raised in the block with the name of what is at fault.

    Args:
      name: a file, a config field or a flag.
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


@contextlib.contextmanager
def one_line_errors() -> Iterator[None]:
    """Exit with one line on stderr and status 2 if the block raises an InputError."""
    try:
        yield
    except InputError as error:
        refuse(str(error))


def refuse(message: str) -> NoReturn:
    """Exit with one line on stderr and status 2, which means that the input cannot be used."""
    print(f"{pathlib.Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    sys.exit(2)
