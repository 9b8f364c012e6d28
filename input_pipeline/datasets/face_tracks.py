"""Clips of single faces out of raw footage: whose head stays in place becomes a clip.

The box of a clip does not move, so that the film shows how the head moves. A track ends when the
head has left the place where it was first seen, when it is not seen for a while, and at a cut.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fomm_jax.media.faces import HeadDetector
from fomm_jax.media.framing import Box
from input_pipeline.datasets.clips import Clip
from input_pipeline.videos import Video, open_video

# A cut is where the mean difference of two frames, reduced to 16 x 16, is more than this. Within
# 14 films of speakers it was at most 11, half of all pairs of different films differ by 63 or more.
_CUT = 20.0
_CUT_SIDE = 16


@dataclasses.dataclass(frozen=True)
class TrackSettings:
    """Which faces become clips."""

    min_seconds: float = 2.5  # VoxCeleb's shortest clips have 64 frames at 25 frames a second
    min_size: int = 128  # pixels, the side of the box
    increase: float = 0.1  # margin on either side of the head, in shares of its longer side
    min_iou: float = 0.25  # intersection over union with the first box; less is another place
    look_every: float = 0.2  # seconds
    max_lost: float = 0.5  # seconds for which a head may not be seen


@dataclasses.dataclass(frozen=True)
class Look:
    """The heads that are seen in one frame."""

    frame: int  # its number
    heads: Sequence[Box]  # in pixels
    is_cut: bool = False  # a scene begins here


@dataclasses.dataclass(frozen=True)
class Track:
    """A head that stays in place."""

    start: int  # number of the first frame
    end: int  # exclusive
    box: Box  # around all places where it was seen, in pixels


def face_clips(path: Path, settings: TrackSettings) -> list[Clip]:
    """Find the faces of one video.

    The clips of `NAME.mov` are `NAME#0000.mp4`, `NAME#0001.mp4` and so on, by start and then from
    left to right. What is before the '#' is an id to `dataset.id_sampling`: somebody who is seen
    in several clips of a video will not be in both the training and the test split, and a video
    that is often cut does not outweigh the others. An id may hold several persons thereby, which
    does no harm, since pairs of frames are drawn from one clip.

    Args:
      path: a video file, a folder of frames, or a picture of square frames side by side.
      settings: which faces to take.

    Returns:
      Clips, each with a square box.

    Raises:
      InputError: dlib is not installed, or the video cannot be read to its end.
    """
    detector = HeadDetector(settings.min_size / (1 + 2 * settings.increase))
    video = open_video(path, None)
    every, max_lost = (
        max(1, round(seconds * video.fps)) for seconds in (settings.look_every, settings.max_lost)
    )
    looks = look_at(video, detector, every)
    found = []
    for track in follow(looks, len(video), settings.min_iou, max_lost):
        box = square_box(track.box, video.height, video.width, settings.increase)
        is_long = track.end - track.start >= settings.min_seconds * video.fps
        if is_long and box[2] - box[0] >= settings.min_size:
            found.append((track, box))
    found.sort(key=lambda track_and_box: (track_and_box[0].start, track_and_box[1]))
    stem = path.name if path.is_dir() else path.stem
    return [
        Clip(
            name=f"{stem}#{number:04}.mp4",
            path=path,
            start=track.start / video.fps,
            end=track.end / video.fps,
            box=(
                left / video.width,
                top / video.height,
                right / video.width,
                bottom / video.height,
            ),
        )
        for number, (track, (left, top, right, bottom)) in enumerate(found)
    ]


def look_at(
    video: Video, detect: Callable[[np.ndarray], Sequence[Box]], every: int
) -> Iterator[Look]:
    """Look for heads in each `every`th frame and in the first ones of scenes, lazily."""
    previous: np.ndarray | None = None
    for number, frame in enumerate(video):
        reduced = _reduce(frame)
        is_cut = previous is not None and float(np.abs(reduced - previous).mean()) > _CUT
        previous = reduced
        if is_cut or number % every == 0:
            yield Look(number, detect(frame), is_cut)


def _reduce(frame: np.ndarray) -> np.ndarray:
    stride = max(1, min(frame.shape[:2]) // (8 * _CUT_SIDE))  # the pixels between would add nothing
    image = Image.fromarray(np.ascontiguousarray(frame[::stride, ::stride]))
    return np.asarray(image.resize((_CUT_SIDE, _CUT_SIDE), Image.Resampling.BOX), np.float32)


@dataclasses.dataclass
class _OpenTrack:
    """A track that may go on."""

    first_box: Box
    box: Box
    start: int
    last_seen: int

    def closed(self, end: int) -> Track:
        return Track(self.start, end, self.box)


def follow(
    looks: Iterable[Look], num_frames: int, min_iou: float, max_lost: int
) -> Iterator[Track]:
    """Join the heads that are seen in one place to tracks.

    As in the original, a head belongs to the track whose first box it overlaps most. A track lasts
    until its head is seen for the last time, or to the end of the scene if it was seen in the last
    look at it.

    Args:
      looks: by ascending frame; they are taken one at a time.
      num_frames: of the video.
      min_iou: a head with less intersection over union with a track's first box is not on it.
      max_lost: frames for which a head may not be seen.

    Yields:
      Tracks as they end.
    """
    tracks: list[_OpenTrack] = []
    last_look = 0
    for look in looks:
        if look.is_cut:
            yield from _ended_with_scene(tracks, last_look, look.frame)
            tracks = []
        over = [track for track in tracks if look.frame - track.last_seen > max_lost]
        tracks = [track for track in tracks if track not in over]
        strays = [head for head in look.heads if not _join(tracks, head, look.frame, min_iou)]
        # Where a head is close to a place that is empty now, it is the one that was there.
        over += [
            track
            for track in tracks
            if track.last_seen < look.frame
            and any(_intersection_over_union(track.first_box, stray) > 0 for stray in strays)
        ]
        yield from (track.closed(track.last_seen + 1) for track in over)
        tracks = [track for track in tracks if track not in over]
        begun: list[_OpenTrack] = []
        for stray in strays:  # of which two may be the same head
            if not _join(begun, stray, look.frame, min_iou):
                begun.append(_OpenTrack(stray, stray, look.frame, look.frame))
        tracks += begun
        last_look = look.frame
    yield from _ended_with_scene(tracks, last_look, num_frames)


def _ended_with_scene(
    tracks: Iterable[_OpenTrack], last_look: int, scene_end: int
) -> Iterator[Track]:
    for track in tracks:
        is_there = track.last_seen == last_look
        yield track.closed(scene_end if is_there else track.last_seen + 1)


def _join(tracks: Sequence[_OpenTrack], head: Box, frame: int, min_iou: float) -> bool:
    """Add the head to the track that it is on; tell whether there is one."""
    overlaps = [_intersection_over_union(track.first_box, head) for track in tracks]
    if not overlaps or max(overlaps) < min_iou:
        return False
    track = tracks[overlaps.index(max(overlaps))]
    track.last_seen = frame
    track.box = (
        min(track.box[0], head[0]),
        min(track.box[1], head[1]),
        max(track.box[2], head[2]),
        max(track.box[3], head[3]),
    )
    return True


def _intersection_over_union(a: Box, b: Box) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    intersection = width * height
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return intersection / (sum(areas) - intersection)


def square_box(box: Box, height: int, width: int, increase: float) -> tuple[int, int, int, int]:
    """Make a box a square inside of the frame.

    Args:
      box: (left, top, right, bottom) in pixels, perhaps partly outside of the frame.
      height, width: of the frame, in pixels.
      increase: what is added on either side, in shares of the box's longer side.

    Returns:
      (left, top, right, bottom) in pixels: about the same centre, shifted where it would leave the
      frame, and smaller only where it does not fit into the frame.
    """
    left, top, right, bottom = box
    longer = max(right - left, bottom - top)
    side = min(round((1 + 2 * increase) * longer), height, width)
    x = min(max(round((left + right - side) / 2), 0), width - side)
    y = min(max(round((top + bottom - side) / 2), 0), height - side)
    return x, y, x + side, y + side
