"""Lines for the people who run a command, written to stderr.

Library code says what a person may want to know through `logging.getLogger(__name__)`:
`logger.info` for what goes on, `logger.warning` for what may be wrong. Each command of the project
calls `show_messages` once at its start. Without it, as in a notebook, Python's own rules hold:
warnings appear, information does not.
"""

import logging
import sys

from tqdm import tqdm

# A module that runs as a program is called "__main__".
PACKAGES = ("fomm_jax", "input_pipeline", "benchmarks", "__main__")


class _LineHandler(logging.Handler):
    """Writes each record to stderr as plain text."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a warning begins with "warning: "."""
        try:
            prefix = "warning: " if record.levelno >= logging.WARNING else ""
            # Through tqdm, so that a line and a progress bar do not run into each other.
            tqdm.write(f"{prefix}{record.getMessage()}", file=sys.stderr)
        except Exception:  # as in the handlers of the standard library
            self.handleError(record)


def show_messages() -> None:
    """Show on stderr what the project's code logs; a second call changes nothing.

    The root logger, which absl silences because Orbax logs every file that it writes, gets none of
    these lines.
    """
    for package in PACKAGES:
        logger = logging.getLogger(package)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        if not any(isinstance(handler, _LineHandler) for handler in logger.handlers):
            logger.addHandler(_LineHandler())
