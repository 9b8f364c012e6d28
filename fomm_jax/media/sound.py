"""Copying the sound of one video to another."""

import contextlib
import os
from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer

from fomm_jax.media.decoding import DAMAGE, open_container

# Codecs that are copied bit for bit: MP4 holds them, and today's players and browsers know them.
_COPIED = ("aac", "mp3", "ac3", "eac3", "alac", "opus", "flac")

# Seconds before the first frame that are copied too, since decoders need some packets to start. The
# file marks these packets as inaudible.
_PREROLL = Fraction(1, 10)

_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_AAC_LAYOUTS = ("mono", "stereo", "5.1")


def has_sound(path: str | os.PathLike) -> bool:
    """Tell whether a video has a sound track that can be decoded.

    Raises:
      InputError: the file is missing, or is not a video.
    """
    with open_container(path) as (container, _):
        return _best_track(container) is not None


class SoundCopy:
    """Copies the sound track of a video into an MP4 file.

    Time 0 is the first frame of both. Codecs that MP4 and its players know are copied bit for bit;
    other sound is encoded as AAC. Damaged sound ends at the damage.
    """

    def __init__(
        self, container: InputContainer, start: Fraction, track: AudioStream, to: OutputContainer
    ) -> None:
        """Add a stream to the output; use `copy_sound` in place of this."""
        self._output = to
        self._start = start
        packets = _packets(container, track)
        if track.codec_context.codec.canonical_name in _COPIED:
            self._stream = to.add_stream_from_template(track)
            self._packets = packets
        else:
            rate = track.rate if track.rate in _AAC_RATES else 48000
            self._stream = to.add_stream("aac", rate=rate)
            layout = track.layout.name
            self._stream.layout = layout if layout in _AAC_LAYOUTS else "stereo"
            self._packets = _encode(packets, track, self._stream)
        self._waiting: av.Packet | None = None
        self._last_pts: int | None = None

    def mux_until(self, end: Fraction) -> None:
        """Write the sound before `end`, in seconds."""
        while (packet := self._waiting or next(self._packets, None)) is not None:
            self._waiting = packet
            tick = packet.time_base or Fraction(1)
            pts = (packet.pts or 0) - round(self._start / tick)
            start = pts * tick
            if start >= end:
                return
            self._waiting = None
            if start < -_PREROLL:
                continue
            # Times that do not ascend come from damage, and MP4 cannot hold them.
            if self._last_pts is None or pts > self._last_pts:
                self._last_pts = packet.pts = packet.dts = pts
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
    with open_container(path) as (container, video):
        track = _best_track(container)
        if track is None:
            yield None
            return
        start = Fraction(video.start_time or 0) * (video.time_base or 1)
        yield SoundCopy(container, start, track, output)


def _best_track(container: InputContainer) -> AudioStream | None:
    track = container.streams.best("audio")
    if isinstance(track, AudioStream) and track.codec_context is not None and track.rate:
        return track
    return None


def _packets(container: InputContainer, track: AudioStream) -> Iterator[av.Packet]:
    with contextlib.suppress(*DAMAGE):
        for packet in container.demux(track):
            if packet.size and packet.pts is not None and not packet.is_corrupt:
                yield packet


def _encode(
    packets: Iterator[av.Packet], track: AudioStream, stream: AudioStream
) -> Iterator[av.Packet]:
    resampler = AudioResampler("fltp", stream.layout, stream.rate, stream.frame_size or None)

    def frames() -> Iterator[AudioFrame]:
        for packet in packets:
            with contextlib.suppress(*DAMAGE):
                for frame in track.decode(packet):
                    yield from resampler.resample(frame)
        yield from resampler.resample(None)

    for frame in frames():
        yield from stream.encode(frame)
    yield from stream.encode(None)
