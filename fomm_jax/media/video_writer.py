"""Frames to a video file, one at a time."""

import contextlib
import dataclasses
import functools
import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from PIL import Image

from fomm_jax.errors import InputError
from fomm_jax.files import replacing, writing
from fomm_jax.media.sound import copy_sound
from fomm_jax.provenance.c2pa import sign_file
from fomm_jax.provenance.containers import append_mp4_xmp, insert_gif_marks
from fomm_jax.provenance.mark import Marking

WRITABLE_SUFFIXES = (".mp4", ".gif")

_WRITE_ERRORS = (OSError, av.FFmpegError)
_FINE_TICK = Fraction(1, 90000)  # seconds; a whole number of them makes a frame at usual rates


@dataclasses.dataclass(frozen=True, eq=False)  # arrays have no equality of their own
class FilmFormat:
    """The size of a film's frames, and when they are shown."""

    height: int  # of a frame, in pixels
    width: int
    _: dataclasses.KW_ONLY
    fps: float  # frames a second, above 0
    # (t,) ascending seconds from 0 at which the frames are shown, in place of `fps`, which then
    # only spaces the frames after these. None: every frame at `fps`.
    times: np.ndarray | None = None
    keyframe_every: int | None = None  # frames between key frames of a `.mp4`; None: the encoder's


class VideoWriter:
    """Write frames to a `.mp4` (H.264 in 4:2:0, which plays everywhere) or `.gif` as they come.

    It is a context manager: the file takes its name at the end of the `with` block, and where an
    exception leaves the block nothing stays. Missing folders are made. In `.mp4` an odd height or
    width is made even by repeating the last row or column, since 4:2:0 has no odd sizes. In `.gif`
    each frame has 256 colours of its own and time goes by hundredths of a second.

    Args:
      path: with one of `WRITABLE_SUFFIXES`.
      film_format: the size of the frames, and when they are shown.
      sound_from: a video whose sound, if it has any, goes into the `.mp4`, as long as its frames
        last; see `sound.SoundCopy`.
      marking: what the file says of how it was made.

    Raises:
      InputError: the suffix is unknown, `fps` is not above 0, the file cannot be written, cannot
        hold sound, or `sound_from` is no video.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        film_format: FilmFormat,
        *,
        sound_from: str | os.PathLike | None = None,
        marking: Marking | None = None,
    ):
        self._path = Path(path)
        if self._path.suffix.lower() not in WRITABLE_SUFFIXES:
            expected = " or ".join(WRITABLE_SUFFIXES)
            raise InputError(f"{path}: expected a name that ends in {expected}")
        fps = film_format.fps
        self._rate = Fraction(fps).limit_denominator(1001)  # 30000/1001 is a common one
        if self._rate <= 0:
            raise InputError(f"{path}: cannot have {fps} frames a second, expected more than 0")
        self._is_gif = self._path.suffix.lower() == ".gif"
        if self._is_gif and sound_from is not None:
            raise InputError(f"{path}: a GIF cannot hold sound, expected a name that ends in .mp4")
        self._shape = (film_format.height, film_format.width, 3)
        self._keyframe_every = film_format.keyframe_every
        self._times = film_format.times
        self._sound_from = sound_from
        self._marking = marking
        self._num_frames = 0
        self._last_pts = -1

    def __enter__(self) -> Self:
        """Open the file under a temporary name."""
        with contextlib.ExitStack() as stack, writing(self._path, _WRITE_ERRORS):
            unfinished = stack.enter_context(replacing(self._path))
            if self._marking is not None:  # when the container is closed
                stack.push(functools.partial(self._mark, unfinished, self._marking))
            container = av.open(f"file:{unfinished}", "w", format="gif" if self._is_gif else "mp4")
            self._container = stack.enter_context(container)
            if self._marking is not None:
                self._container.metadata["comment"] = self._marking.comment
            if self._is_gif:
                self._stream = _add_gif_stream(self._container, self._rate, *self._shape[:2])
            else:
                tick = 1 / self._rate if self._times is None else _FINE_TICK
                self._stream = _add_h264_stream(
                    self._container, self._rate, tick, *self._shape[:2], self._keyframe_every
                )
            self._sound = None
            if self._sound_from is not None:
                copy = copy_sound(self._sound_from, self._container)
                self._sound = stack.enter_context(copy)
            stack.push(self._flush)
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
        video_frame = _to_palette(frame) if self._is_gif else _to_yuv(frame)
        video_frame.time_base = self._stream.codec_context.time_base
        time = self._time_of(self._num_frames)
        video_frame.pts = max(round(time / video_frame.time_base), self._last_pts + 1)
        with writing(self._path, _WRITE_ERRORS):
            self._container.mux(self._stream.encode(video_frame))
            if self._sound is not None:  # beside the frames, since a player reads both together
                self._sound.mux_until(time)
        self._last_pts = video_frame.pts
        self._num_frames += 1

    def _time_of(self, number: int) -> Fraction:
        """When a frame is shown, in seconds."""
        if self._times is None:
            return number / self._rate
        listed = min(number, len(self._times) - 1)
        return Fraction(float(self._times[listed])) + (number - listed) / self._rate

    def _flush(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            if self._num_frames == 0:
                raise ValueError(f"{self._path}: no frame was written")
            self._container.mux(self._stream.encode(None))
            if self._sound is not None:
                self._sound.mux_until(self._time_of(self._num_frames - 1) + 1 / self._rate)

    def _mark(
        self, path: Path, marking: Marking, kind: type[BaseException] | None, *_: object
    ) -> None:
        if kind is not None:
            return
        if self._is_gif:
            insert_gif_marks(path, marking)
        else:
            append_mp4_xmp(path, marking)
        if marking.credentials is not None:
            sign_file(path, self._path.suffix.lower(), marking)


def _add_h264_stream(
    container: OutputContainer,
    rate: Fraction,
    tick: Fraction,
    height: int,
    width: int,
    keyframe_every: int | None,
) -> VideoStream:
    options = {"crf": "18"}
    if keyframe_every is not None:  # and none at cuts, which would be out of turn
        options |= {"g": str(keyframe_every), "sc_threshold": "0"}
    stream = container.add_stream("libx264", rate=rate, options=options)
    stream.height, stream.width = height + height % 2, width + width % 2
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = tick
    # Untagged, some players take the colours for BT.601 and some for BT.709.
    stream.codec_context.colorspace = Colorspace.ITU709
    stream.codec_context.color_primaries = ColorPrimaries.BT709
    stream.codec_context.color_trc = ColorTrc.BT709
    stream.codec_context.color_range = ColorRange.MPEG
    return stream


def _to_yuv(frame: np.ndarray) -> VideoFrame:
    height, width, _ = frame.shape
    even = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return VideoFrame.from_ndarray(even, "rgb24").reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        threads=1,
    )


def _add_gif_stream(
    container: OutputContainer, rate: Fraction, height: int, width: int
) -> VideoStream:
    stream = container.add_stream("gif", rate=rate)
    stream.height, stream.width = height, width
    stream.pix_fmt = "pal8"
    stream.codec_context.time_base = Fraction(1, 100)
    return stream


def _to_palette(frame: np.ndarray) -> VideoFrame:
    image = Image.fromarray(frame).quantize(256)
    colours = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    alpha_and_colours = np.full((256, 4), 255, np.uint8)
    alpha_and_colours[: len(colours), 1:] = colours
    indexed = (np.asarray(image), alpha_and_colours)
    return VideoFrame.from_ndarray(indexed, "pal8")  # type: ignore[arg-type]  # the stub lacks it
