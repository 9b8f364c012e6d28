"""Clips: a file, a span of time and a box in the frame, and how their frames are read."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fomm_jax.errors import InputError
from fomm_jax.media.framing import Box, fit_frame
from input_pipeline.manifest import RefusedClip
from input_pipeline.videos import SeekableVideo, open_video

FITS = ("crop", "stretch")

# Times and boxes come from divisions: without this, 624/1280 of 1280 pixels could become 623.
_ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True)
class Clip:
    """A part of a video, which becomes a video of the dataset.

    `shards` derives the names of unfinished shards from these fields: renaming one would make an
    interrupted preparation begin anew.
    """

    name: str  # unique in the dataset; the part before a '#' is the person or id
    path: Path  # a video file, a folder of frames, or a picture of square frames side by side
    start: float = 0.0  # seconds; the clip begins with the first frame at this time or later
    end: float | None = None  # seconds, exclusive; None is the end of the video
    box: Box | None = None  # fractions of the frame's width and height, 0 to 1; None is all of it
    # Count frames at the video's rate as FFmpeg prints it, 29.97 for 30000/1001, like the authors
    # of the lists of VoxCeleb and Tai-Chi-HD.
    printed_rate: bool = False


@dataclasses.dataclass(frozen=True)
class Selection:
    """The clips of a dataset, and the sources that gave none."""

    train: Sequence[Clip]
    test: Sequence[Clip]
    missing: Sequence[str] = ()  # sources that the list of the dataset names and that are not there
    refused: Sequence[RefusedClip] = ()  # sources in which no clip could be found


@dataclasses.dataclass(frozen=True)
class ClipFrames:
    """The frames of a clip, decoded as they are asked for."""

    frames: Iterator[np.ndarray]  # each (h, w, 3) uint8
    fps: float  # frames a second


def read_clip(clip: Clip, height: int, width: int, fit: str) -> ClipFrames:
    """Cut a clip out of its file, one frame at a time.

    Args:
      clip: the clip to read.
      height, width: the size of the returned frames in pixels.
      fit: "crop" cuts the box about its centre to the aspect ratio of the returned frames;
        "stretch" changes the aspect ratio instead. A box that has the right size already is
        returned as it is.

    Raises:
      InputError: the file cannot be read, or the clip lies outside the video. The error may come
        while the frames are read.
    """
    video = open_video(clip.path, None)
    rate = round(video.fps, 2) if clip.printed_rate else video.fps
    first = _first_frame(video, rate, clip.start)
    stop = len(video) if clip.end is None else _first_frame(video, rate, clip.end)
    if not 0 <= first < min(stop, len(video)):
        raise InputError(
            f"{clip.path}: has {video.time_of(len(video)):.2f} seconds; expected the clip"
            f" {clip.name} from {clip.start:.2f} s on"
        )

    def frames() -> Iterator[np.ndarray]:
        for frame in itertools.islice(video.iterate_from(first), stop - first):
            part = frame if clip.box is None else _cut_box(frame, clip, clip.box)
            if fit == "crop":
                yield fit_frame(part, height, width)
            elif part.shape[:2] == (height, width):
                yield part
            else:
                image = Image.fromarray(part)
                yield np.array(image.resize((width, height), Image.Resampling.BILINEAR))

    return ClipFrames(frames(), video.fps)


def _first_frame(video: SeekableVideo, rate: float, seconds: float) -> int:
    """Return the number of the first frame that is shown at a time or after it."""
    if video.times is None:
        return math.ceil(seconds * rate - _ROUNDING)
    return int(np.searchsorted(video.times[:-1], seconds - _ROUNDING))


def _cut_box(frame: np.ndarray, clip: Clip, box: Box) -> np.ndarray:
    height, width = frame.shape[:2]
    left, top, right, bottom = (
        min(max(int(fraction * length + _ROUNDING), 0), length)
        for fraction, length in zip(box, (width, height, width, height), strict=True)
    )
    if left >= right or top >= bottom:
        raise InputError(f"{clip.path}: the box of the clip {clip.name} holds no pixel")
    return np.ascontiguousarray(frame[top:bottom, left:right])
