"""Copies the files of a prepared dataset in a bucket to a disk of this computer while it is read.

All processes that read see a copy as soon as it is whole, by its name. Of the processes that want
to copy the same dataset, one does; another goes on if that one ends.
"""

import contextlib
import fcntl
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from fomm_jax.buckets import list_objects, to_path
from fomm_jax.errors import InputError
from fomm_jax.files import reading, replacing, writing
from input_pipeline.bucket_frames import open_store, wait_for
from input_pipeline.prepared import PreparedVideo

BYTES_AT_ONCE = 2**23  # what one request copies
SECONDS_TO_STOP = 5.0  # a bucket may not answer
SECONDS_BETWEEN = 2.0  # looks for the end of another process that copies

logger = logging.getLogger(__name__)


class Copying:
    """Copies files of a dataset in a thread, until all are there or the disk has its share.

    Which files are copied does not matter for speed: pairs come from all of them alike. So nothing
    is ever removed to make room.

    Args:
      videos: videos of the same dataset, with a folder for copies.
      max_bytes: what all copies below the parent of that folder may take.
    """

    def __init__(self, videos: Sequence[PreparedVideo], max_bytes: int) -> None:
        self._root = videos[0].root
        self._folder = Path(videos[0].copies or "")
        self._files = [*dict.fromkeys(video.file for video in videos)]
        self._max_bytes = max_bytes
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin, if that was not done before."""
        if not self._thread.is_alive() and not self._stop.is_set():
            with contextlib.suppress(RuntimeError):  # it is done already
                self._thread.start()

    def stop(self) -> None:
        """Stop; the copies that are whole stay."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(SECONDS_TO_STOP)

    def wait(self) -> None:
        """Wait until all copies are made that will be."""
        self._thread.join()

    def _run(self) -> None:
        try:
            with writing(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / "copying").open("w") as lock:
                while not _take(lock.fileno()):
                    if self._stop.wait(SECONDS_BETWEEN):
                        return
                self._copy_all()
        except (InputError, OSError) as error:
            logger.warning("no more copies are made in %s: %s", self._folder, error)

    def _copy_all(self) -> None:
        for left in self._folder.glob(".*.unfinished"):  # of a process that was killed
            left.unlink(missing_ok=True)
        missing = [file for file in self._files if not (self._folder / file).exists()]
        if not missing:
            return
        with reading(self._root):
            objects = list_objects(to_path(self._root))
        used = _bytes_below(self._folder.parent)
        for number, file in enumerate(missing):
            size = objects[file][0]
            if used + size > self._max_bytes:
                logger.warning(
                    "%s: has %d of %d files; more would take more than"
                    " config.dataset.cache_gigabytes, and are read from the bucket",
                    self._folder,
                    len(self._files) - len(missing) + number,
                    len(self._files),
                )
                return
            if not self._copy(file, size):
                return
            used += size
        logger.info("%s has copies of all %d files", self._folder, len(self._files))

    def _copy(self, file: str, size: int) -> bool:
        """Copy a file; return whether it was not interrupted."""
        store = open_store(self._root)
        with contextlib.suppress(_StoppedError), replacing(self._folder / file) as unfinished:
            with unfinished.open("wb") as copy:
                for start in range(0, size, BYTES_AT_ONCE):
                    if self._stop.is_set():
                        raise _StoppedError
                    part = slice(start, min(start + BYTES_AT_ONCE, size))
                    copy.write(wait_for(store.read(file, byte_range=part), f"{self._root}/{file}"))
            return True
        return False


class _StoppedError(Exception):
    """Copying was stopped in the middle of a file."""


def _take(lock: int) -> bool:
    """Take a lock that the operating system gives back when the process ends."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _bytes_below(folder: Path) -> int:
    return sum(
        os.path.getsize(os.path.join(place, name))
        for place, _, names in os.walk(folder)
        for name in names
    )
