"""Raw frames, from and to a pipe, as FFmpeg's `-f rawvideo -pix_fmt rgb24` reads and writes them.

Each frame is height * width * 3 bytes, row after row. Nothing comes between frames.
"""

import dataclasses
import itertools
import logging
import os
from collections.abc import Generator, Iterable, Iterator
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from fomm_jax.errors import InputError

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class RawFormat:
    """The format of raw frames, which they do not carry themselves."""

    height: int  # in pixels
    width: int
    fps: float = 25.0  # frames a second


def read_raw_frames(
    stream: BinaryIO, raw_format: RawFormat, name: str
) -> Generator[np.ndarray, None, None]:
    """Yield frames as they come, until the stream ends.

    A last frame that is not whole is left out, with a warning.

    Args:
      stream: the stream to read from.
      raw_format: the format of its frames.
      name: the name of the stream, for messages.

    Yields:
      (height, width, 3) uint8, read-only.

    Raises:
      InputError: the stream ends before a whole frame.
    """
    height, width = raw_format.height, raw_format.width
    num_bytes = height * width * 3
    num_frames = 0
    while len(data := _read(stream, num_bytes)) == num_bytes:
        num_frames += 1
        yield np.frombuffer(data, np.uint8).reshape(height, width, 3)
    if num_frames == 0:
        raise InputError(
            f"{name}: ended after {len(data)} bytes, expected {num_bytes} for a frame of"
            f" {width}x{height} in RGB24"
        )
    if data:
        logger.warning(
            "%s: ended within frame %d, which is left out; was %dx%d the right size?",
            name,
            num_frames + 1,
            width,
            height,
        )


def _read(stream: BinaryIO, num_bytes: int) -> bytes:
    """Read `num_bytes`, or all up to the end if there are fewer; a pipe may give them in parts."""
    parts = []
    while num_bytes and (part := stream.read(num_bytes)):
        parts.append(part)
        num_bytes -= len(part)
    return b"".join(parts)


def repeat_frames(frames: Iterable[np.ndarray], counts: np.ndarray) -> Iterator[np.ndarray]:
    """Yield each frame as often as `counts`, (t,), says; 0 leaves it out."""
    for frame, count in zip(frames, counts, strict=False):  # damaged videos end early
        yield from itertools.repeat(frame, count)


class RawWriter:
    """Writes frames to a pipe, each at once; a context manager, as `VideoWriter` is.

    Args:
      stream: the stream to write to.

    Raises:
      BrokenPipeError: the reader at the other end is gone.
      InputError: the stream cannot be written to, for example because a disk is full.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._is_broken = False

    def __enter__(self) -> Self:
        """Return the writer, for the `with` statement."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Redirect a broken stream to nowhere: Python, at its end, would write to it once more."""
        if self._is_broken:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def write(self, frame: np.ndarray) -> None:
        """Write a frame, (h, w, 3) uint8."""
        try:
            self._stream.write(frame.tobytes())
            self._stream.flush()
        except OSError as error:
            self._is_broken = True
            if isinstance(error, BrokenPipeError):
                raise
            raise InputError(
                f"standard output: cannot be written ({error.strerror or error})"
            ) from error
