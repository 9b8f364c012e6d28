"""Event files in a bucket, where an object cannot be appended to."""

import os
import pathlib
import tempfile
import time
from concurrent.futures import Future, ThreadPoolExecutor

from fomm_jax.buckets import AnyPath, file_system
from fomm_jax.files import writing

MOST_BYTES = 2**20  # of an event file, after which the next one begins
SECONDS_BETWEEN = 5.0  # Google lets an object be written once a second


class EventObjects:
    """Sends event files to a bucket, in a thread of its own.

    The files are written in `folder` on this computer, one after another, and the newest is sent
    again as a whole when it has grown. Who waits for `flush` knows that all is in the bucket.

    Args:
      logdir: the folder in the bucket.
    """

    def __init__(self, logdir: AnyPath) -> None:
        self._logdir = logdir
        self._temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self._temporary.name)
        self._sender = ThreadPoolExecutor(1, "event_objects")
        self._sending: Future[None] | None = None
        self._began = -SECONDS_BETWEEN
        self._sent: dict[str, int] = {}  # bytes by name

    def send_soon(self) -> None:
        """Begin to send what is new, unless that was done a moment ago.

        Raises:
          InputError: the last attempt has failed.
        """
        if self._sending is not None and not self._sending.done():
            return
        if self._sending is not None:
            with writing(self._logdir):
                self._sending.result()
        if time.monotonic() - self._began >= SECONDS_BETWEEN:
            self._began = time.monotonic()
            self._sending = self._sender.submit(self._send)

    def flush(self) -> None:
        """Wait until all that was written is in the bucket; any thread may call this.

        Raises:
          InputError: it cannot be sent.
        """
        with writing(self._logdir):
            self._sender.submit(self._send).result()

    def close(self) -> None:
        """Send the rest, and remove the files on this computer."""
        try:
            self.flush()
        finally:
            self._sender.shutdown()
            self._temporary.cleanup()

    def _send(self) -> None:
        for path in sorted(self.folder.iterdir()):
            if path.stat().st_size > self._sent.get(path.name, 0):
                content = path.read_bytes()
                file_system().pipe_file(os.fspath(self._logdir / path.name), content)
                self._sent[path.name] = len(content)
