"""Frames to a video file, one at a time."""

import contextlib
import functools
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np

from fomm_jax.buckets import to_path
from fomm_jax.errors import InputError
from fomm_jax.files import replacing, writing
from fomm_jax.media.writing import gif_encoder, mp4_encoder
from fomm_jax.media.writing.film_format import FilmFormat as FilmFormat  # offered here too
from fomm_jax.media.writing.gif_encoder import GifEncoder
from fomm_jax.media.writing.mp4_encoder import Mp4Encoder
from fomm_jax.provenance.c2pa import sign_file
from fomm_jax.provenance.mark import Marking

WRITABLE_SUFFIXES = (".mp4", ".gif")

_WRITE_ERRORS = (OSError, av.FFmpegError)


def check_frame_size(path: str | os.PathLike[str], height: int, width: int) -> None:
    """Raise an InputError if a film of a name cannot have frames of a size, in pixels."""
    is_gif = to_path(path).suffix.lower() == ".gif"
    longest = gif_encoder.MAX_SIDE if is_gif else mp4_encoder.MAX_SIDE
    if max(height, width) > longest:
        film = "a GIF" if is_gif else "an MP4 file"
        raise InputError(
            f"{path}: {film} cannot have frames of {width}x{height}, expected at most {longest}"
            " pixels a side"
        )


class VideoWriter:
    """Writes frames to a `.mp4` (H.264 in 4:2:0, which plays everywhere) or `.gif` as they come.

    It is a context manager. The file appears under its name at the end of the `with` block; if an
    exception leaves the block, no file is left behind. Missing folders are made. In `.mp4`, an odd
    height or width is made even by repeating the last row or column, since 4:2:0 has no odd sizes.
    In `.gif`, each frame has 256 colours of its own, and times are multiples of 10 ms.

    Args:
      path: the file to write, with one of `WRITABLE_SUFFIXES`.
      film_format: the size of the frames, and when they are shown.
      sound_from: a video whose sound, if it has any, goes into the `.mp4`, as long as its frames
        last; see `sound.SoundCopy`.
      marking: what the file tells about how it was made; None writes no marks.

    Raises:
      InputError: the suffix is unknown, the frame rate is not above 0, the frames are too large,
        a GIF would need sound, the file cannot be written, or `sound_from` is no video.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        film_format: FilmFormat,
        *,
        sound_from: str | os.PathLike[str] | None = None,
        marking: Marking | None = None,
    ):
        self._path = to_path(path)
        self._suffix = self._path.suffix.lower()
        if self._suffix not in WRITABLE_SUFFIXES:
            expected = " or ".join(WRITABLE_SUFFIXES)
            raise InputError(f"{path}: expected a name that ends in {expected}")
        height, width, fps = film_format.height, film_format.width, film_format.fps
        if film_format.rate <= 0:
            raise InputError(f"{path}: cannot have {fps} frames a second, expected more than 0")
        if self._suffix == ".gif" and sound_from is not None:
            raise InputError(f"{path}: a GIF cannot hold sound, expected a name that ends in .mp4")
        check_frame_size(path, height, width)
        self._shape = (height, width, 3)
        self._film_format = film_format
        self._sound_from = sound_from
        self._marking = marking
        self._num_frames = 0

    def __enter__(self) -> Self:
        """Open the file under a temporary name."""
        with contextlib.ExitStack() as stack, writing(self._path, _WRITE_ERRORS):
            unfinished = stack.enter_context(replacing(self._path))
            stack.push(functools.partial(self._sign, unfinished))
            self._encoder: GifEncoder | Mp4Encoder
            if self._suffix == ".gif":
                self._encoder = GifEncoder(
                    unfinished, self._film_format, self._marking, str(self._path)
                )
            else:
                self._encoder = Mp4Encoder(
                    unfinished, self._film_format, self._sound_from, self._marking
                )
            stack.enter_context(self._encoder)
            stack.push(self._check_not_empty)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Complete the file and name it, or remove it after an exception."""
        with writing(self._path, _WRITE_ERRORS):
            self._stack.__exit__(kind, error, traceback)

    def write(self, frame: np.ndarray) -> None:
        """Add a frame, (height, width, 3) uint8 RGB."""
        if frame.shape != self._shape or frame.dtype != np.uint8:
            raise ValueError(f"expected {self._shape} uint8, got {frame.shape} {frame.dtype}")
        with writing(self._path, _WRITE_ERRORS):
            self._encoder.write(frame)
        self._num_frames += 1

    def _check_not_empty(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._num_frames == 0:
            raise ValueError(f"{self._path}: no frame was written")

    def _sign(self, unfinished: Path, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._marking is not None and self._marking.credentials is not None:
            sign_file(unfinished, self._suffix, self._marking)
