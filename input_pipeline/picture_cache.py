"""Keeps decoded pictures in memory."""

import collections
import threading
from pathlib import Path

import numpy as np

from fomm_jax.media.pictures import read_picture

CACHE_BYTES = 512 * 2**20


class PictureCache:
    """The most recently used decoded pictures, `max_bytes` bytes of them at most.

    A picture of frames side by side can only be decoded as a whole. Without a cache, reading two of
    its frames would therefore cost as much as reading all. Threads may share a cache. Pickling
    leaves the pictures out.
    """

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self._max_bytes = max_bytes
        self._num_bytes = 0
        self._pictures: collections.OrderedDict[Path, np.ndarray] = collections.OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["PictureCache"], tuple[int]]:
        """Pickle without the pictures: a worker process begins with an empty cache."""
        return PictureCache, (self._max_bytes,)

    def read(self, path: Path) -> np.ndarray:
        """Return the picture as a read-only array, (h, w, 3) uint8.

        Raises:
          InputError: the picture cannot be read.
        """
        with self._lock:
            if path in self._pictures:
                self._pictures.move_to_end(path)
                return self._pictures[path]
        picture = read_stored(path)
        picture.flags.writeable = False
        with self._lock:
            if path not in self._pictures:
                self._pictures[path] = picture
                self._num_bytes += picture.nbytes
            while self._num_bytes > self._max_bytes and len(self._pictures) > 1:
                _, dropped = self._pictures.popitem(last=False)
                self._num_bytes -= dropped.nbytes
        return picture


def read_stored(path: Path) -> np.ndarray:
    """Read a picture with the colours under transparent pixels, as the original does."""
    return read_picture(path, background=None)
