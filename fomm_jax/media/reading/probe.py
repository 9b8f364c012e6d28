"""What there is to know about a video before its frames are read, such as when they are shown.

The times of the frames decide, and not the rate that the container states: phones and screen
recorders drop frames or adapt their spacing to the light, AVI files hold empty frames that repeat
the last one, and the last frame may stand for seconds. Where each packet shows one frame, the times
are read from the packets; other videos are decoded, since only their decoders know.
"""

import contextlib
import dataclasses
import itertools
import os
from fractions import Fraction

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from fomm_jax.errors import InputError
from fomm_jax.media.reading.continued_clock import ContinuedClock
from fomm_jax.media.reading.decoding import (
    DAMAGE,
    count_before,
    decode_past_damage,
    is_cut,
    open_container,
)
from fomm_jax.media.reading.frame_index import (
    FrameIndex,
    PacketInfo,
    index_packets,
    list_packets,
)
from fomm_jax.media.reading.frame_times import constant_rate, usual_rate
from fomm_jax.media.reading.video_reader import DamagedFramesError, decode_video, iterate_frames

_DEFAULT_RATE = Fraction(25)  # frames a second, as FFmpeg assumes where nothing else is known


@dataclasses.dataclass(frozen=True, eq=False)  # arrays have no equality of their own
class VideoInfo:
    """The size of a video's frames, and when they are shown."""

    height: int  # of the upright frame, in pixels
    width: int
    num_frames: int
    fps: float  # frames a second; where it is not constant, by the usual distance of two frames
    times: np.ndarray | None  # (t + 1,), see `frame_times`; None: the rate is constant
    index: FrameIndex | None  # None if the packets do not tell exactly which frames there are
    num_left_out: int  # frames before the first one that can be decoded
    clock_offsets: tuple[Fraction, ...]  # of a file of joined parts, see `ContinuedClock`
    fault: str | None  # what is wrong with the file; None if nothing was noticed

    @property
    def seconds(self) -> float:
        """How long the frames last."""
        return self.num_frames / self.fps if self.times is None else float(self.times[-1])


@dataclasses.dataclass(frozen=True)
class _Stamps:
    """When frames are shown, in units of the stream."""

    starts: np.ndarray  # (t,) int64, ascending
    last_duration: int  # of the last frame, as the file states it; 0 if it does not
    num_left_out: int = 0  # see `VideoInfo`
    clock_offsets: tuple[Fraction, ...] = ()
    fault: str | None = None
    is_cut: bool = False  # the frames end before the film does


def probe_video(path: str | os.PathLike) -> VideoInfo:
    """Describe a video by its first frame and by the times of all frames.

    The times are read from the packets if possible, which is quick; else the video is decoded.

    Raises:
      InputError: the file is missing, is not a video, or has no frame that can be decoded.
    """
    with contextlib.closing(iterate_frames(path)) as frames:
        height, width, _ = next(frames).shape
    with open_container(path) as (container, stream):
        is_short = is_cut(path, container, stream)
        infos = list_packets(container, stream) or []
        index = index_packets(infos, container, stream)
        stamps = _stamps_of_packets(infos, container, stream, index)
        if stamps is None:
            stamps = _stamps_by_decoding(path, infos, container, stream)
        stated_end = 0 if is_short or stamps.is_cut else _stated_end(container, stream)
        end = stamps.starts[-1] + _last_duration(stamps, container, stream, stated_end)
        tick = float(_tick(stream))
        stated_rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    times = (np.append(stamps.starts, end) - stamps.starts[0]) * tick
    rate = constant_rate(times, stated_rates, tick)
    return VideoInfo(
        height,
        width,
        num_frames=len(stamps.starts),
        fps=float(rate or usual_rate(times)),
        times=times if rate is None else None,
        index=index,
        num_left_out=stamps.num_left_out,
        clock_offsets=stamps.clock_offsets,
        fault=stamps.fault or (f"{path}: is cut short" if is_short else None),
    )


def first_frame_time(path: str | os.PathLike) -> Fraction:
    """Return when the first frame is shown, in seconds on the clock of the file's tracks.

    Raises:
      InputError: the file is missing, is not a video, or has no frame that can be decoded.
    """
    with open_container(path) as (container, stream):
        index = index_packets(list_packets(container, stream) or [], container, stream)
        if index is not None:
            return int(index.times[0]) * _tick(stream)
    with open_container(path) as (container, stream):
        if container.format.name == "avi":
            stamps = (packet.dts for packet in container.demux(stream) if packet.size)
        else:
            stamps = (frame.pts for frame in decode_past_damage(container, stream))
        with contextlib.suppress(StopIteration, *DAMAGE):
            return (next(stamps) or 0) * _tick(stream)
    raise InputError(f"{path}: has no frame that can be decoded")


def _tick(stream: VideoStream) -> Fraction:
    return stream.time_base or Fraction(1, 90000)


def _stamps_of_packets(
    infos: list[PacketInfo],
    container: InputContainer,
    stream: VideoStream,
    index: FrameIndex | None,
) -> _Stamps | None:
    """Return the times by the packets; None if these do not tell."""
    if index is None and not (infos and container.format.name == "gif"):
        return None
    shown = {info.shown or 0: info.duration for info in infos if not info.is_discarded}
    clock, usual = ContinuedClock(container, _tick(stream)), _stated_duration(stream)
    starts = np.array([clock(time, usual) for time in sorted(shown)], dtype=np.int64)
    return _Stamps(starts, shown[max(shown)], clock_offsets=tuple(clock.offsets))


def _stamps_by_decoding(
    path: str | os.PathLike,
    infos: list[PacketInfo],
    container: InputContainer,
    stream: VideoStream,
) -> _Stamps:
    """Return the times of decoded frames, and what is wrong with the file, if anything is."""
    # AVI stores no times: a frame is shown when the decoder has it, be it new or a repeated one.
    is_avi = container.format.name == "avi"
    starts: list[int] = []
    first, duration, fault, is_short = None, 0, None, False
    clock, usual = ContinuedClock(container, _tick(stream)), _stated_duration(stream)
    try:
        for frame in decode_video(path):
            times = (frame.dts,) if is_avi else (frame.pts, frame.dts)
            time = next((time for time in times if time is not None), None)
            first = frame.pts if not starts else first
            follows = starts[-1] + usual if starts else 0
            starts.append(follows if time is None else clock(time, usual))
            duration = frame.duration
    except InputError as error:
        if not starts:
            raise
        fault, is_short = str(error), not isinstance(error, DamagedFramesError)
    if is_avi and infos:  # the delay of the decoder is none of the film
        delay = starts[0] - (infos[0].decoded or 0)
        starts = [start - delay for start in starts]
    # Only the part before the clock starts again has frames before the first.
    early = itertools.takewhile(lambda info: not info.is_key, infos)
    num_left_out = count_before(first, (info.shown for info in early if not info.is_discarded))
    return _Stamps(
        np.maximum.accumulate(starts),
        duration,
        num_left_out,
        clock_offsets=tuple(clock.offsets),
        fault=fault,
        is_cut=is_short,
    )


def _last_duration(
    stamps: _Stamps, container: InputContainer, stream: VideoStream, stated_end: int
) -> int:
    """Return how long the last frame is shown: as stated, else as long as is usual."""
    intervals = np.diff(stamps.starts)
    usual = max(1, int(np.median(intervals)) if intervals.size else _stated_duration(stream))
    stated = max(stamps.last_duration, stated_end - int(stamps.starts[-1]))
    # Recorders that cannot know the last duration write 0 or one tick; AVI counts frames in ticks.
    is_known = stated > 1 or (stated == 1 and (usual <= 2 or container.format.name == "avi"))
    return stated if is_known else usual


def _stated_duration(stream: VideoStream) -> int:
    rate = stream.average_rate or stream.guessed_rate or _DEFAULT_RATE
    return max(1, round(1 / (rate * _tick(stream))))


def _stated_end(container: InputContainer, stream: VideoStream) -> int:
    """Return when the container says that the last frame ends, in units of the stream; else 0.

    Only the end of the picture track counts: the sound may be longer.
    """
    if "matroska" in container.format.name:
        return _parse_end(stream.metadata.get("DURATION", "")) // _tick(stream)
    if container.format.name == "avi" or "mov" in container.format.name:
        return (stream.start_time or 0) + (stream.duration or 0)
    return 0


def _parse_end(text: str) -> Fraction:
    """Return the seconds that hours:minutes:seconds mean, or 0."""
    try:
        hours, minutes, seconds = (Fraction(part) for part in text.split(":"))
    except ValueError:
        return Fraction(0)
    return 3600 * hours + 60 * minutes + seconds
