"""Clips of single faces in raw footage: a head that stays in its place becomes a clip.

The box of a clip does not move, so that the film shows how the head moves. The track of a head ends
when the head leaves the place where it was first detected, when it is not detected for a while, and
at a cut of the film.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fomm_jax.media.faces import HeadDetector
from fomm_jax.media.framing import Box
from input_pipeline.clips.clip import Clip
from input_pipeline.videos import SeekableVideo, open_video

# Two frames with a cut between them differ by more than this on average, when they are reduced to
# 16 x 16 pixels of 0 to 255. Frames within 14 films of speakers differed by at most 11; half of all
# pairs of frames from different films differ by 63 or more.
_CUT_DIFFERENCE = 20.0
_CUT_SIDE = 16  # pixels


@dataclasses.dataclass(frozen=True)
class TrackSettings:
    """Which faces become clips."""

    min_seconds: float = 2.5  # VoxCeleb's shortest clips have 64 frames at 25 frames a second
    min_size: int = 128  # pixels, the side of the box
    increase: float = 0.1  # margin on each side of the head, as a fraction of its longer side
    min_iou: float = 0.25  # intersection over union with the first box; below it the head has left
    detect_every: float = 0.2  # seconds between two frames in which heads are detected
    max_gap: float = 0.5  # seconds for which a head may go undetected


@dataclasses.dataclass(frozen=True)
class Detection:
    """The heads in one frame."""

    frame: int  # the frame's number
    heads: Sequence[Box]  # in pixels
    is_cut: bool = False  # whether a scene begins with this frame


@dataclasses.dataclass(frozen=True)
class Track:
    """A head that stays in its place."""

    start: int  # the number of its first frame
    end: int  # the number of the frame after its last one
    box: Box  # around all detections of the head, in pixels


def face_clips(path: Path, settings: TrackSettings) -> list[Clip]:
    """Find the faces in one video.

    The clips of `NAME.mov` are called `NAME#0000.mp4`, `NAME#0001.mp4` and so on, ordered by their
    starts and then from left to right. The part before the '#' is the id for `dataset.id_sampling`.
    So nobody who appears in several clips of a video gets into both the training and the test
    split, and a video with many cuts does not outweigh the others. Such an id may cover several
    persons. That does no harm, since the two frames of a pair come from the same clip.

    Args:
      path: a video file, a folder of frames, or a picture of square frames side by side.
      settings: which faces become clips.

    Returns:
      The clips, each with a square box.

    Raises:
      InputError: dlib is not installed, or the video cannot be read to its end.
    """
    detector = HeadDetector(settings.min_size / (1 + 2 * settings.increase))
    video = open_video(path, None)
    every, max_gap = (
        max(1, round(seconds * video.fps)) for seconds in (settings.detect_every, settings.max_gap)
    )
    detections = detect_heads(video, detector, every)
    tracks = []
    for track in follow_heads(detections, len(video), settings.min_iou, max_gap):
        box = square_box(track.box, video.height, video.width, settings.increase)
        is_long = video.time_of(track.end) - video.time_of(track.start) >= settings.min_seconds
        if is_long and box[2] - box[0] >= settings.min_size:
            tracks.append((track, box))
    tracks.sort(key=lambda track_and_box: (track_and_box[0].start, track_and_box[1]))
    stem = path.name if path.is_dir() else path.stem
    return [
        Clip(
            name=f"{stem}#{number:04}.mp4",
            path=path,
            start=video.time_of(track.start),
            end=video.time_of(track.end),
            box=(
                left / video.width,
                top / video.height,
                right / video.width,
                bottom / video.height,
            ),
        )
        for number, (track, (left, top, right, bottom)) in enumerate(tracks)
    ]


def detect_heads(
    video: SeekableVideo, detect: Callable[[np.ndarray], Sequence[Box]], every: int
) -> Iterator[Detection]:
    """Detect heads in every `every`th frame and in the first frame of each scene.

    Frames are decoded as the detections are asked for.
    """
    previous: np.ndarray | None = None
    for number, frame in enumerate(video):
        reduced = _reduce(frame)
        is_cut = previous is not None and float(np.abs(reduced - previous).mean()) > _CUT_DIFFERENCE
        previous = reduced
        if is_cut or number % every == 0:
            yield Detection(number, detect(frame), is_cut)


def _reduce(frame: np.ndarray) -> np.ndarray:
    """Shrink a frame to (16, 16, 3) float32, 0 to 255."""
    # Skip pixels of large frames: 8 x 8 of them are enough for the mean.
    stride = max(1, min(frame.shape[:2]) // (8 * _CUT_SIDE))
    image = Image.fromarray(np.ascontiguousarray(frame[::stride, ::stride]))
    return np.asarray(image.resize((_CUT_SIDE, _CUT_SIDE), Image.Resampling.BOX), np.float32)


@dataclasses.dataclass
class _OpenTrack:
    """A track that has not ended yet."""

    first_box: Box
    box: Box
    start: int
    last_frame: int  # in which the head was detected

    def end_at(self, end: int) -> Track:
        return Track(self.start, end, self.box)


def follow_heads(
    detections: Iterable[Detection], num_frames: int, min_iou: float, max_gap: int
) -> Iterator[Track]:
    """Join the heads that are detected in the same place to tracks.

    As in the original, a head belongs to the track whose first box it overlaps most. A track ends
    with the last detection of its head, or with the scene if the last detection in the scene still
    contains the head.

    Args:
      detections: the detections by ascending frame, consumed one at a time.
      num_frames: the number of frames in the video.
      min_iou: the least intersection over union of a head with the first box of its track.
      max_gap: the number of frames for which a head may go undetected.

    Yields:
      The tracks in the order in which they end.
    """
    tracks: list[_OpenTrack] = []
    last_frame = 0
    for detection in detections:
        if detection.is_cut:
            yield from _end_with_scene(tracks, last_frame, detection.frame)
            tracks = []
        ended = [track for track in tracks if detection.frame - track.last_frame > max_gap]
        tracks = [track for track in tracks if track not in ended]
        new_heads = [
            head for head in detection.heads if not _join(tracks, head, detection.frame, min_iou)
        ]
        # A new head that overlaps the deserted place of a track is the head of that track: it has
        # moved away, so the track ends.
        ended += [
            track
            for track in tracks
            if track.last_frame < detection.frame
            and any(_intersection_over_union(track.first_box, head) > 0 for head in new_heads)
        ]
        yield from (track.end_at(track.last_frame + 1) for track in ended)
        tracks = [track for track in tracks if track not in ended]
        new_tracks: list[_OpenTrack] = []
        for head in new_heads:  # the detector may report the same head twice
            if not _join(new_tracks, head, detection.frame, min_iou):
                new_tracks.append(_OpenTrack(head, head, detection.frame, detection.frame))
        tracks += new_tracks
        last_frame = detection.frame
    yield from _end_with_scene(tracks, last_frame, num_frames)


def _end_with_scene(
    tracks: Iterable[_OpenTrack], last_frame: int, scene_end: int
) -> Iterator[Track]:
    for track in tracks:
        is_there = track.last_frame == last_frame
        yield track.end_at(scene_end if is_there else track.last_frame + 1)


def _join(tracks: Sequence[_OpenTrack], head: Box, frame: int, min_iou: float) -> bool:
    """Add the head to the track that it overlaps most; return whether there is such a track."""
    overlaps = [_intersection_over_union(track.first_box, head) for track in tracks]
    if not overlaps or max(overlaps) < min_iou:
        return False
    track = tracks[overlaps.index(max(overlaps))]
    track.last_frame = frame
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
    """Turn a box into a square inside the frame.

    Args:
      box: (left, top, right, bottom) in pixels; it may reach out of the frame.
      height, width: the size of the frame in pixels.
      increase: the margin on each side, as a fraction of the box's longer side.

    Returns:
      (left, top, right, bottom) in pixels. The square has the centre of the box, unless it has to
      be shifted into the frame, and it is shrunk only if the frame is smaller.
    """
    left, top, right, bottom = box
    longer = max(right - left, bottom - top)
    side = min(round((1 + 2 * increase) * longer), height, width)
    x = min(max(round((left + right - side) / 2), 0), width - side)
    y = min(max(round((top + bottom - side) / 2), 0), height - side)
    return x, y, x + side, y + side
