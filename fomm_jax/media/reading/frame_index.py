"""Where frames are in a video file: random access without decoding everything before."""

import dataclasses
import itertools
import os
from typing import NamedTuple

import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from fomm_jax.media.reading.decoding import DAMAGE, open_whole_container, packets

# Codecs in which each packet shows one frame, and decoding can start at any key frame.
_PACKET_IS_FRAME = ("h264", "hevc", "vp9", "av1", "mjpeg")


@dataclasses.dataclass(frozen=True)
class FrameIndex:
    """The times of a video's frames, in units of the stream, and where decoding can start."""

    times: np.ndarray  # (t,) int64, of all frames in the order in which they are shown
    key_times: np.ndarray  # (k,) int64, of the frames at which decoding can start

    def entry(self, number: int) -> int:
        """Return the time to jump to in order to decode a frame."""
        key = np.searchsorted(self.key_times, self.times[number], side="right") - 1
        return int(self.key_times[max(key, 0)])


class PacketInfo(NamedTuple):
    """What a packet tells about the frame in it; times are in units of the stream."""

    shown: int | None  # when the frame is shown, if the container stores it
    decoded: int | None  # when the frame is decoded
    duration: int  # 0 if it is unknown
    is_key: bool
    is_discarded: bool  # an edit leaves the frame out


def index_frames(path: str | os.PathLike) -> FrameIndex | None:
    """Index a video by its packets, without decoding it.

    Returns:
      The index; None if the packets do not tell exactly which frames there are.

    Raises:
      InputError: as in `iterate_frames`.
    """
    with open_whole_container(path) as (container, stream):
        infos = list_packets(container, stream)
        return None if infos is None else index_packets(infos, container, stream)


def list_packets(container: InputContainer, stream: VideoStream) -> list[PacketInfo] | None:
    """List the packets of an open video in the order of the file; None if FFmpeg sees damage."""
    try:
        return [
            PacketInfo(
                packet.pts,
                packet.dts,
                packet.duration or 0,
                packet.is_keyframe,
                packet.is_discard,
            )
            for packet in packets(container, stream)
            if packet.size  # the last one, which marks the end, is empty
        ]
    except DAMAGE:
        return None


def index_packets(
    infos: list[PacketInfo], container: InputContainer, stream: VideoStream
) -> FrameIndex | None:
    """Index an open video by all its packets; see `index_frames`."""
    # AVI stores no times of display. Its order is that of display if all frames are key frames.
    codecs = ("mjpeg",) if container.format.name == "avi" else _PACKET_IS_FRAME
    codec = stream.codec_context.codec.canonical_name  # decoders of AV1 have names of their own
    if codec not in codecs:
        return None
    decoded = [info.decoded for info in infos if info.decoded is not None]
    if any(later < earlier for earlier, later in itertools.pairwise(decoded)):
        return None  # the clock starts again
    times = [info.shown for info in infos if not info.is_discarded]
    key_times = [info.shown for info in infos if info.is_key]
    if not times or not key_times or None in times or None in key_times:
        return None
    index = FrameIndex(
        np.sort(np.array(times, dtype=np.int64)), np.sort(np.array(key_times, dtype=np.int64))
    )
    # Frames before the first key frame may be undecodable, if another program cut the video.
    is_decodable = index.times[0] >= index.key_times[0]
    return index if is_decodable and np.diff(index.times).all() else None
