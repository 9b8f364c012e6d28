"""Lines for the people who run a command.

Library code says what a person may want to know through `logging.getLogger(__name__)`:
`logger.info` for what goes on, `logger.warning` for what may be wrong. Each command of the project
calls `show_messages` once at its start. Without it, as in a notebook, Python's own rules hold:
warnings appear, information does not. Results of a command go through `say`.

What happens to the terminal ends nothing: a line that cannot be shown is dropped.
"""

import contextlib
import logging
import os
import sys
import warnings
from typing import Any, TextIO, cast

from tqdm import tqdm

from fomm_jax.readable import readable

# A module that runs as a program is called "__main__".
PACKAGES = ("fomm_jax", "input_pipeline", "benchmarks", "__main__")

logger = logging.getLogger(__name__)


class _LineHandler(logging.Handler):
    """Writes each record to stderr as plain text."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a warning begins with "warning: "."""
        try:
            prefix = "warning: " if record.levelno >= logging.WARNING else ""
            # Through tqdm, so that a line and a progress bar do not run into each other.
            tqdm.write(f"{prefix}{readable(record.getMessage())}", file=sys.stderr)
        except Exception:  # as in the handlers of the standard library
            self.handleError(record)


class _LastingStream:
    """A text stream that drops what its file refuses.

    The reader of a pipe may have gone away, the disk may be full, the terminal may be closed.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the text if that is possible."""
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream if that is possible."""
        with contextlib.suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the stream itself."""
        return getattr(self._stream, name)


def keep_stderr() -> None:
    """Make stderr a stream whose failures end nothing; a second call changes nothing.

    Where stderr was closed before the program began, its lines go nowhere.
    """
    # Take the numbers 0 to 2 where they are free. A file that got one of them would receive what
    # libraries write to stdout and stderr.
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # for as long as the program runs
    if not isinstance(sys.stderr, _LastingStream):
        sys.stderr = cast(TextIO, _LastingStream(sys.stderr))


def show_messages() -> None:
    """Show on stderr what the project's code logs; a second call changes nothing.

    The root logger, which absl silences because Orbax logs every file that it writes, gets none of
    these lines.
    """
    keep_stderr()
    for package in PACKAGES:
        logger = logging.getLogger(package)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        if not any(isinstance(handler, _LineHandler) for handler in logger.handlers):
            logger.addHandler(_LineHandler())


def hide_warnings_of_libraries() -> None:
    """Hide Python's warnings, here and in worker processes, unless `-W` asks for them.

    They speak to the authors of a program, not to the people who run it.
    """
    if not sys.warnoptions:
        os.environ["PYTHONWARNINGS"] = "ignore"  # of worker processes
        warnings.simplefilter("ignore")


def say(text: str) -> None:
    """Print a result on standard output.

    Characters that the terminal's encoding does not have are escaped. A standard output that is
    full or closed ends nothing: by now the work is done.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    text = readable(text).encode(encoding, "backslashreplace").decode(encoding)
    try:
        print(text, flush=True)
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            logger.warning("standard output cannot be written (%s)", error.strerror)
        # Python would write the rest when it ends, and fail again.
        with contextlib.suppress(OSError), open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
