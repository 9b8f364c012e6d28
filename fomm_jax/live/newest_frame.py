"""The newest frame of a camera; older ones are dropped."""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Generator
from types import TracebackType
from typing import Self

import numpy as np

Frames = Generator[np.ndarray, None, None]


@dataclasses.dataclass(frozen=True)
class Capture:
    """A frame of the camera."""

    frame: np.ndarray  # (h, w, 3) uint8
    time: float  # when it came, in seconds of `time.monotonic`


class NewestFrame:
    """Reads a camera in a thread, and keeps nothing but its newest frame; a context manager.

    Args:
      frames: the frames of the camera, as they come.

    Attributes:
      num_dropped: frames that came and that nobody took.
    """

    def __init__(self, frames: Frames) -> None:
        self.num_dropped = 0
        self._frames = frames
        self._newest: Capture | None = None
        self._error: Exception | None = None
        self._is_over = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True, name="camera")

    def __enter__(self) -> Self:
        """Begin to read."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop reading. A camera that gives no frame any more is left to the program's end."""
        with self._changed:
            self._is_over = True
        self._thread.join(timeout=1.0)

    @property
    def has_ended(self) -> bool:
        """Whether all frames were taken, and no other will come."""
        return self._is_over and self._newest is None and self._error is None

    def take(self, seconds: float) -> Capture | None:
        """Take the newest frame, and wait for one if all were taken.

        Args:
          seconds: how long to wait.

        Returns:
          The frame; None if none came in this time.

        Raises:
          InputError: the camera cannot be read.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._newest or self._is_over, seconds)
            capture, self._newest = self._newest, None
            if capture is None and self._error is not None:
                raise self._error
            return capture

    def _read(self) -> None:
        try:
            with contextlib.closing(self._frames):
                for frame in self._frames:
                    with self._changed:
                        if self._is_over:
                            return
                        self.num_dropped += self._newest is not None
                        self._newest = Capture(frame, time.monotonic())
                        self._changed.notify_all()
        except Exception as error:  # raised where frames are taken
            self._error = error
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify_all()
