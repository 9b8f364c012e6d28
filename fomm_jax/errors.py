"""The error that a user can act on."""

import contextlib
import errno
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import NoReturn

from fomm_jax.readable import readable

_PATH_ERRORS = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.ENOTDIR,
)


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
    """Exit with one line on stderr and status 2 if the block raises an InputError.

    The same happens to an error of the operating system about a path, which the user has named.
    """
    try:
        yield
    except InputError as error:
        refuse(str(error))
    except OSError as error:
        if error.errno not in _PATH_ERRORS or error.filename is None:
            raise
        refuse(f"{os.fsdecode(error.filename)}: cannot be used ({error.strerror})")


def refuse(message: str) -> NoReturn:
    """Exit with one line on stderr and status 2, which means that the input cannot be used."""
    print(f"{pathlib.Path(sys.argv[0]).name}: {readable(message)}", file=sys.stderr)
    sys.exit(2)
