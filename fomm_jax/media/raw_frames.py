"""Frames without a container, from and to a pipe: RGB24, as FFmpeg's `-f rawvideo -pix_fmt rgb24`.

Each frame is height * width * 3 bytes, row after row; nothing is between them.
"""

import dataclasses
import os
import re
import sys
from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from tqdm import tqdm

from fomm_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class RawFormat:
    """What is to be known of raw frames, since they do not tell."""

    height: int  # in pixels
    width: int
    fps: float = 25.0  # frames a second


def parse_raw_format(size: str | None, fps: str) -> RawFormat:
    """Read the values of `--pipe_size=WIDTHxHEIGHT` and `--fps=N` or `--fps=N/M`.

    Raises:
      InputError: they are none.
    """
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", size or "")
    if match is None:
        raise InputError(
            f"--pipe_size={size or ''}: expected WIDTHxHEIGHT of the raw frames that are read, such"
            " as 640x480"
        )
    try:
        rate = Fraction(fps)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise InputError(f"--fps={fps}: expected a number above 0, such as 25 or 30000/1001")
    return RawFormat(int(match[2]), int(match[1]), float(rate))


def read_raw_frames(stream: BinaryIO, form: RawFormat, name: str) -> Iterator[np.ndarray]:
    """Yield frames as they come, until the stream ends.

    A last frame that is not whole is left out, and a line on stderr tells so.

    Args:
      stream: to read from.
      form: of the frames.
      name: of the stream, for messages.

    Yields:
      (height, width, 3) uint8, read-only.

    Raises:
      InputError: the stream ends before a whole frame.
    """
    num_bytes = form.height * form.width * 3
    num_frames = 0
    while len(data := _read(stream, num_bytes)) == num_bytes:
        num_frames += 1
        yield np.frombuffer(data, np.uint8).reshape(form.height, form.width, 3)
    if num_frames == 0:
        raise InputError(
            f"{name}: ended after {len(data)} bytes, expected {num_bytes} for a frame of"
            f" {form.width}x{form.height} in RGB24"
        )
    if data:
        note = f"{name}: ended within frame {num_frames + 1}, which is left out"
        tqdm.write(f"warning: {note}; is --pipe_size right?", file=sys.stderr)


def _read(stream: BinaryIO, num_bytes: int) -> bytes:
    """Read that much, or what there is until the end; a pipe may hand it out in parts."""
    parts = []
    while num_bytes and (part := stream.read(num_bytes)):
        parts.append(part)
        num_bytes -= len(part)
    return b"".join(parts)


class RawWriter:
    """Write frames to a pipe, each as soon as it is there.

    A context manager, as `VideoWriter` is.

    Args:
      stream: to write to.

    Raises:
      BrokenPipeError: nobody reads any more.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def __enter__(self) -> Self:
        """Do nothing."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Keep Python from writing to a pipe that is closed when it ends."""
        if isinstance(error, BrokenPipeError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def write(self, frame: np.ndarray) -> None:
        """Write a frame, (h, w, 3) uint8."""
        self._stream.write(frame.tobytes())
        self._stream.flush()
