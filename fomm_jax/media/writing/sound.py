"""Copying the sound of one video to another."""

import contextlib
import enum
import functools
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer

from fomm_jax.media.reading.continued_clock import ContinuedClock
from fomm_jax.media.reading.decoding import DAMAGE, open_container
from fomm_jax.media.reading.probe import first_frame_time, probe_video

# Codecs that are copied bit for bit: MP4 holds them, and today's players and browsers know them.
_COPIED = ("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac")

# What is copied from before the first frame, since decoders need some packets to start: so many
# packets, and seconds at least. The file marks these packets as inaudible.
_PREROLL_PACKETS = 4
_PREROLL = Fraction(1, 10)

# Packets from which a track is judged. Decoders may pass over the first few.
_TRIED_PACKETS = 50

# Those of which players can begin within a packet. Others are encoded if the first frame comes
# later than the sound.
_CUT = ("aac", "mp3", "opus")

_MIN_MP3_RATE = 16000  # samples a second; MP4 has no MP3 of a lower rate

_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_AAC_LAYOUTS = ("mono", "stereo", "5.1")


class SoundState(enum.Enum):
    """Whether a video has sound that can be used."""

    USABLE = enum.auto()
    NONE = enum.auto()
    UNDECODABLE = enum.auto()  # there are packets, and FFmpeg has no decoder that takes them


def inspect_sound(path: str | os.PathLike) -> SoundState:
    """Tell whether a video has sound that can be decoded.

    Raises:
      InputError: the file is missing, or is not a video.
    """
    return _choose_track(path)[1]


class SoundCopy:
    """Copies the sound track of a video into an MP4 file.

    Time 0 is the first frame of both. Codecs that MP4 and its players know are copied bit for bit;
    other sound is encoded as AAC. Damaged sound ends at the damage.
    """

    def __init__(
        self,
        container: InputContainer,
        track: AudioStream,
        to: OutputContainer,
        start: Fraction,
        clock_offsets: Callable[[], Sequence[Fraction]],
    ) -> None:
        """Add a stream to the output; use `copy_sound` in place of this."""
        self._output = to
        packets = _packets(container, track, clock_offsets)
        if _can_copy(track, start):
            self._stream = to.add_stream_from_template(track)
        else:
            rate = track.rate if track.rate in _AAC_RATES else 48000
            self._stream = to.add_stream("aac", rate=rate)
            layout = track.layout.name
            self._stream.layout = layout if layout in _AAC_LAYOUTS else "stereo"
            packets = _encode(packets, track, self._stream)
        self._packets = _from_start(packets, start)
        self._waiting: av.Packet | None = None
        self._last_pts: int | None = None

    def mux_until(self, end: Fraction) -> None:
        """Write the sound before `end`, in seconds."""
        while (packet := self._waiting or next(self._packets, None)) is not None:
            self._waiting = packet
            pts = packet.pts or 0
            if pts * (packet.time_base or 1) >= end:
                return
            self._waiting = None
            # Times that do not ascend come from damage, and MP4 cannot hold them.
            if self._last_pts is None or pts > self._last_pts:
                self._last_pts = packet.dts = pts
                packet.stream = self._stream
                self._output.mux(packet)


@contextlib.contextmanager
def copy_sound(path: str | os.PathLike, output: OutputContainer) -> Iterator[SoundCopy | None]:
    """Add the sound track of a video to an MP4 file that is being written.

    Yields:
      The copy; None if the video has no sound.

    Raises:
      InputError: the file is missing, or is not a video.
    """
    number, _ = _choose_track(path)
    if number is None:
        yield None
        return
    start = first_frame_time(path)

    @functools.cache
    def clock_offsets() -> Sequence[Fraction]:
        return probe_video(path).clock_offsets

    with open_container(path) as (container, _):
        track = container.streams[number]
        assert isinstance(track, AudioStream)
        yield SoundCopy(container, track, output, start, clock_offsets)


def _choose_track(path: str | os.PathLike) -> tuple[int | None, SoundState]:
    """Choose the track that FFmpeg prefers, or the first other one if that cannot be decoded.

    Returns:
      The number of the track in the file, if there is one, and whether it can be used.
    """
    state = SoundState.NONE
    with open_container(path) as (container, _):
        best = container.streams.best("audio")
        tracks = sorted(container.streams.audio, key=lambda track: track != best)
        numbers = [track.index for track in tracks]
    for number in numbers:
        track_state = _try_track(path, number)
        if track_state is SoundState.USABLE:
            return number, track_state
        if track_state is SoundState.UNDECODABLE:
            state = track_state
    return None, state


def _try_track(path: str | os.PathLike, number: int) -> SoundState:
    """Decode the beginning of a track; one without packets counts as none."""
    state = SoundState.NONE
    with open_container(path) as (container, _):
        track = container.streams[number]
        assert isinstance(track, AudioStream)
        for packet in itertools.islice(_packets(container, track), _TRIED_PACKETS):
            state = SoundState.UNDECODABLE
            if track.codec_context is None or not track.rate:
                break
            with contextlib.suppress(*DAMAGE):
                if track.decode(packet):
                    return SoundState.USABLE
    return state


def _can_copy(track: AudioStream, start: Fraction) -> bool:
    codec = track.codec_context.codec.canonical_name
    if codec == "mp3" and track.rate < _MIN_MP3_RATE:
        return False
    is_cut = (track.start_time or 0) * (track.time_base or 1) < start
    return codec in (_CUT if is_cut else _COPIED)


def _packets(
    container: InputContainer,
    track: AudioStream,
    clock_offsets: Callable[[], Sequence[Fraction]] = tuple,
) -> Iterator[av.Packet]:
    """Yield the packets that have a time, on a clock that does not start again.

    Args:
      container: the file.
      track: its sound.
      clock_offsets: returns those of the frames, see `ContinuedClock`.
    """
    clock = ContinuedClock(container, track.time_base or Fraction(1), clock_offsets)
    duration = 0
    with contextlib.suppress(*DAMAGE):
        for packet in container.demux(track):
            if packet.size and packet.pts is not None and not packet.is_corrupt:
                packet.pts = clock(packet.pts, duration)
                duration = packet.duration or 0
                yield packet


def _from_start(packets: Iterator[av.Packet], start: Fraction) -> Iterator[av.Packet]:
    """Yield packets with times counted from `start`, and before it only what decoders need."""
    early: list[av.Packet] = []
    for packet in packets:
        tick = packet.time_base or Fraction(1)
        packet.pts = (packet.pts or 0) - round(start / tick)
        duration = packet.duration or 0
        if packet.pts >= 0:
            _close_gaps(early, duration)
            yield from early
            early.clear()
            yield packet
        elif packet.pts * tick >= -max(_PREROLL, _PREROLL_PACKETS * duration * tick):
            early.append(packet)
    yield from early


def _close_gaps(early: list[av.Packet], duration: int) -> None:
    """Move packets of that duration that start before time 0 towards it until there is no gap.

    Players leave out as many samples as the file's edit list says, and not as much time.
    """
    if early and duration:
        end = max(0, (early[-1].pts or 0) + duration)
        for number, packet in enumerate(reversed(early), 1):
            packet.pts = max(packet.pts or 0, end - number * duration)


def _encode(
    packets: Iterator[av.Packet], track: AudioStream, stream: AudioStream
) -> Iterator[av.Packet]:
    for frame in _resample(_decode(packets, track), stream):
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _decode(packets: Iterator[av.Packet], track: AudioStream) -> Iterator[AudioFrame]:
    for packet in packets:
        with contextlib.suppress(*DAMAGE):
            yield from track.decode(packet)


def _resample(frames: Iterator[AudioFrame], stream: AudioStream) -> Iterator[AudioFrame]:
    """Convert frames to what the encoder of a stream takes.

    Broadcasts change from stereo to 5.1 and back. Each time, another resampler is needed.
    """
    kinds = itertools.groupby(
        frames, lambda frame: (frame.format.name, frame.layout.name, frame.sample_rate)
    )
    for _, group in kinds:
        resampler = AudioResampler("fltp", stream.layout, stream.rate, stream.frame_size or None)
        follows = 0  # in samples
        for frame in group:
            follows = _count_in_samples(frame, follows) + frame.samples
            yield from resampler.resample(frame)
        yield from resampler.resample(None)


def _count_in_samples(frame: AudioFrame, follows: int) -> int:
    """Change the time of a frame to samples; return it.

    Args:
      frame: the frame, whose time is changed.
      follows: where the frame before it ends. The frame is moved there if the rounding of times,
        as in Matroska, explains the distance.
    """
    tick = (frame.time_base or Fraction(1)) * frame.sample_rate  # in samples
    start = round((frame.pts or 0) * tick)
    start = follows if abs(start - follows) <= tick else start
    frame.pts, frame.time_base = start, Fraction(1, frame.sample_rate)
    return start
