"""The error that a user can act on."""

import contextlib
import errno
import os
import pathlib
import signal
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
def one_line_errors(hint: str = "") -> Iterator[None]:
    """Exit with one line on stderr and status 2 if the block raises an InputError.

    The same happens to an error of the operating system about a path, which the user has named.
    Ctrl-C ends the program in one line with status 130.

    Args:
      hint: what a user can do after Ctrl-C, as the end of the line.
    """
    try:
        yield
    except InputError as error:
        refuse(str(error))
    except OSError as error:
        if error.errno not in _PATH_ERRORS or error.filename is None:
            raise
        refuse(f"{os.fsdecode(error.filename)}: cannot be used ({error.strerror})")
    except KeyboardInterrupt:
        print(f"{program_name()}: interrupted{hint and '; '}{hint}", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)


def refuse(message: str) -> NoReturn:
    """Exit with one line on stderr and status 2, which means that the input cannot be used."""
    print(f"{program_name()}: {readable(message)}", file=sys.stderr)
    sys.exit(2)


def program_name() -> str:
    """Return the name of the program that runs."""
    path = pathlib.Path(sys.argv[0])
    return path.parent.name if path.name == "__main__.py" else path.name
