"""Frames to an MP4 file in H.264, one at a time."""

import contextlib
import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.container import OutputContainer
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from fomm_jax.media.writing.film_format import FilmFormat
from fomm_jax.media.writing.sound import copy_sound
from fomm_jax.provenance.containers import append_mp4_xmp
from fomm_jax.provenance.mark import Marking

MAX_SIDE = 2**14  # pixels, of x264

_FINE_TICK = Fraction(1, 90000)  # seconds; the frame times of usual rates are multiples of it


class Mp4Encoder:
    """Writes an MP4 file; a context manager.

    Args:
      path: the file to write.
      film_format: the size of the frames, and when they are shown.
      sound_from: a video whose sound is copied, if it has any; None writes no sound.
      marking: what the file tells about how it was made; None writes no marks.
    """

    def __init__(
        self,
        path: Path,
        film_format: FilmFormat,
        sound_from: str | os.PathLike[str] | None,
        marking: Marking | None,
    ) -> None:
        self._path = path
        self._format = film_format
        self._sound_from = sound_from
        self._marking = marking
        self._num_frames = 0
        self._last_pts = -1
        self._durations: dict[int | None, int] = {}  # of frames in the encoder, by their pts

    def __enter__(self) -> Self:
        """Open the file and the video that the sound comes from."""
        with contextlib.ExitStack() as stack:
            # The prefix keeps FFmpeg from taking a name with a colon for an address.
            container = av.open(f"file:{self._path}", "w", format="mp4")
            self._container = stack.enter_context(container)
            if self._marking is not None:
                self._container.metadata["comment"] = self._marking.comment
            self._stream = _add_h264_stream(self._container, self._format)
            self._sound = None
            if self._sound_from is not None:
                copy = copy_sound(self._sound_from, self._container)
                self._sound = stack.enter_context(copy)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Complete the file and close it."""
        with self._stack:
            if kind is None:
                self._encode(None)
                if self._sound is not None:
                    self._sound.mux_until(self._format.time_of(self._num_frames))
        if kind is None and self._marking is not None:
            append_mp4_xmp(self._path, self._marking)

    def write(self, frame: np.ndarray) -> None:
        """Add a frame, (height, width, 3) uint8 RGB."""
        time, end = (self._format.time_of(self._num_frames + i) for i in (0, 1))
        video_frame = _to_yuv(frame)
        tick = video_frame.time_base = self._stream.codec_context.time_base
        # Two frames at the same time are shown one tick apart.
        video_frame.pts = max(round(time / tick), self._last_pts + 1)
        self._durations[video_frame.pts] = max(round(end / tick) - video_frame.pts, 1)
        if self._format.is_last(self._num_frames):
            # A key frame is also the last one in the order of the file, whose last duration then
            # says how long it stands.
            video_frame.pict_type = PictureType.I
        self._encode(video_frame)
        if self._sound is not None:  # beside the frames, since a player reads both together
            self._sound.mux_until(time)
        self._last_pts = video_frame.pts
        self._num_frames += 1

    def _encode(self, frame: VideoFrame | None) -> None:
        for packet in self._stream.encode(frame):
            packet.duration = self._durations.pop(packet.pts)
            self._container.mux(packet)


def _add_h264_stream(container: OutputContainer, film_format: FilmFormat) -> VideoStream:
    options = {"crf": "18"}
    if film_format.keyframe_every is not None:  # without further key frames at cuts
        options |= {"g": str(film_format.keyframe_every), "sc_threshold": "0"}
    stream = container.add_stream("libx264", rate=film_format.rate, options=options)
    stream.height = film_format.height + film_format.height % 2
    stream.width = film_format.width + film_format.width % 2
    stream.pix_fmt = "yuv420p"
    is_constant = film_format.times is None
    stream.codec_context.time_base = 1 / film_format.rate if is_constant else _FINE_TICK
    # Without these tags some players take the colours for BT.601 and others for BT.709.
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
