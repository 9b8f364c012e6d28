"""Which track of a file is the film.

The mark "default" alone does not tell: files hold cover pictures and tracks of thumbnails that are
marked as default, or come first.
"""

import collections
import itertools
from collections.abc import Callable

from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

# Tracks of still pictures, by the marks that containers have for them.
_STILL = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image

# A track is one of thumbnails if it has less than such a share of the frames of another, or of the
# pixels in its frame.
_FEW_FRAMES, _SMALL = 1 / 4, 1 / 16

_COUNTED_PACKETS = 1000  # of all tracks together; their frames are interleaved


def choose_film(
    container: InputContainer, reopen: Callable[[], InputContainer]
) -> VideoStream | None:
    """Choose the track of the film, which is neither a cover picture nor one of thumbnails.

    Among several films it is the default one, then the largest one, then the first one.

    Args:
      container: the open file.
      reopen: opens the file once more, to count frames in it.

    Returns:
      The track; None if there is none, or FFmpeg has no decoder for it.
    """
    tracks = [
        track
        for track in container.streams.video
        if track.codec_context is not None and not track.disposition & _STILL
    ]
    if len(tracks) < 2:
        return tracks[0] if tracks else None
    counts = _count_frames([track.index for track in tracks], reopen)
    most = max(counts[track.index] for track in tracks)
    tracks = [track for track in tracks if counts[track.index] >= _FEW_FRAMES * most]
    largest = max(map(_num_pixels, tracks))
    tracks = [track for track in tracks if _num_pixels(track) >= _SMALL * largest]
    return max(
        tracks,
        key=lambda track: (bool(track.disposition & Disposition.default), _num_pixels(track)),
    )


def _num_pixels(track: VideoStream) -> int:
    return track.width * track.height


def _count_frames(
    numbers: list[int], reopen: Callable[[], InputContainer]
) -> collections.Counter[int]:
    """Count the packets of tracks in the beginning of a file."""
    with reopen() as container:
        packets = container.demux([container.streams[number] for number in numbers])
        return collections.Counter(
            packet.stream_index
            for packet in itertools.islice(packets, _COUNTED_PACKETS)
            if packet.size
        )
