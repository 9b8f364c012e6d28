"""Frames to an animated GIF, one at a time (GIF89a specification).

imageio encodes each frame as a GIF of its own, and this module joins them into one file. imageio's
writer for whole animations would hold all frames in memory, and leave out a frame that equals the
one before it.
"""

import contextlib
import logging
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

import imageio.v3 as iio
import numpy as np

from fomm_jax.media.writing.film_format import FilmFormat
from fomm_jax.provenance.containers import gif_marks
from fomm_jax.provenance.mark import Marking

logger = logging.getLogger(__name__)

MAX_SIDE = 2**16 - 1  # pixels

_TICKS = 100  # in a second
_MAX_DELAY = 2**16 - 1  # ticks
_MIN_DELAY = 2  # ticks; browsers and FFmpeg show a frame of 1 tick for 10

# The parts of a file, each without its table of colours.
_SCREEN = struct.Struct("<6sHHBxx")  # signature, width, height, flags of the table
_REPEAT_FOR_EVER = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
_DELAY = struct.Struct("<4sHxx")  # beginning, ticks
_DELAY_START = b"\x21\xf9\x04\x04"  # the frame stays until the next one is drawn over it
_IMAGE = struct.Struct("<9sB")  # separator, place and size; flags of the table

# The flags say whether there is a table. The number n in their lowest bits stands for a table of
# 2^(n + 1) colours.
_HAS_TABLE, _TABLE_SIZE = 0x80, 0x07


class GifEncoder:
    """Writes an animated GIF that repeats for ever; a context manager.

    A GIF shows 50 frames a second at most. Others are left out, so that the rest keep their times
    within a hundredth of a second, and a log line tells how many.

    Args:
      path: the file to write.
      film_format: the size of the frames, and when they are shown.
      marking: what the file tells about how it was made; None writes no marks.
      name: the name that the file will have, for messages.
    """

    def __init__(
        self, path: Path, film_format: FilmFormat, marking: Marking | None, name: str
    ) -> None:
        self._path = path
        self._name = name
        self._format = film_format
        self._marks = b"" if marking is None else gif_marks(marking)
        self._num_frames = 0
        self._num_left_out = 0
        self._waiting: bytes | None = None  # the last frame, encoded, until its delay is known
        self._start = 0  # of that frame, in ticks

    def __enter__(self) -> Self:
        """Open the file and write what comes before the frames."""
        with contextlib.ExitStack() as stack:
            self._file = stack.enter_context(self._path.open("wb"))
            screen = _SCREEN.pack(b"GIF89a", self._format.width, self._format.height, 0)
            # Some players expect the number of repetitions before any other extension.
            self._file.write(screen + _REPEAT_FOR_EVER + self._marks)
            stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Complete the file and close it."""
        with self._file:
            if kind is None:
                self._write_waiting(round(_TICKS * self._format.time_of(self._num_frames)))
                self._file.write(b";")
        if self._num_left_out:
            logger.warning(
                "%s: a GIF shows at most %d frames a second: %d of %d frames are left out",
                self._name,
                _TICKS // _MIN_DELAY,
                self._num_left_out,
                self._num_frames,
            )

    def write(self, frame: np.ndarray) -> None:
        """Add a frame, (height, width, 3) uint8 RGB."""
        # Times are rounded, not durations, so that errors do not add up.
        start = round(_TICKS * self._format.time_of(self._num_frames))
        earliest = self._start + _MIN_DELAY if self._num_frames else 0
        self._num_frames += 1
        if earliest - start > 1:
            self._num_left_out += 1
            return
        self._write_waiting(max(start, earliest))
        self._waiting = _encode_image(frame)

    def _write_waiting(self, end: int) -> None:
        """Write the frame that waits, which is shown until `end`, in ticks."""
        if self._waiting is not None:
            delay = min(max(end - self._start, _MIN_DELAY), _MAX_DELAY)
            self._file.write(_DELAY.pack(_DELAY_START, delay) + self._waiting)
        self._start = end


def _encode_image(frame: np.ndarray) -> bytes:
    """Encode a frame as an image block with its own table of 256 colours, chosen for this frame."""
    gif = iio.imwrite(
        "<bytes>", frame, plugin="pillow", extension=".gif", is_batch=False, interlace=False
    )
    # In a GIF of one frame the table precedes the block; here it becomes a part of the block.
    *_, flags = _SCREEN.unpack_from(gif)
    start = _SCREEN.size + 3 * 2 ** ((flags & _TABLE_SIZE) + 1)
    place, _ = _IMAGE.unpack_from(gif, start)
    image = _IMAGE.pack(place, _HAS_TABLE | flags & _TABLE_SIZE)
    return image + gif[_SCREEN.size : start] + gif[start + _IMAGE.size : -1]
