"""How the programs of this project read their flags, and how they end where input is bad."""

import contextlib
import pathlib
import sys
from collections.abc import Iterator
from typing import NoReturn

from absl import flags, logging

from fomm_jax.errors import InputError


def parse_flags(arguments: list[str]) -> list[str]:
    """Parse a command line for `absl.app.run`; a wrong flag, file or config field ends in one line.

    Returns:
      What is no flag, the program's name first.
    """
    try:
        rest = flags.FLAGS(arguments)
        if "config" in flags.FLAGS and flags.FLAGS.config is not None:
            flags.FLAGS.config.to_dict()  # a missing file is told on the first look
    except OSError as error:
        refuse(f"--config: {str(error).splitlines()[-1].strip()}")
    except (flags.Error, InputError, AttributeError) as error:
        # ml_collections tells of a wrong field in two lines, within quotes within quotes.
        message = str(error).replace("\\n", " ").replace("\\'", "").strip("'\"")
        refuse(f"{' '.join(message.split())}; see --help")
    if len(rest) > 1:
        refuse(f"{rest[1]!r} is not understood; see --help")
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.ERROR)  # Orbax tells of every file that it writes
    return rest


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
