"""What the videos of a dataset are cut from: a file, a span of time, a box."""

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
from input_pipeline.videos import open_video

FITS = ("crop", "stretch")

# Times and boxes come out of divisions: 624/1280 of 1280 pixels are 624, not 623.
_ROUNDING = 1e-6


@dataclasses.dataclass(frozen=True)
class Clip:
    """A part of a video, which becomes a video of its own."""

    name: str  # unique in the dataset; up to a '#' it names the person
    path: Path  # a video file, a folder of frames, or a picture of square frames side by side
    start: float = 0.0  # seconds; the first frame shown at this time or later
    end: float | None = None  # seconds, exclusive; None is the end of the video
    box: Box | None = None  # in shares of the frame's width and height, from 0 to 1; None is all
    # Frames are counted by the video's rate as FFmpeg prints it, 29.97 for 30000/1001, as the
    # authors of the lists of VoxCeleb and Tai-Chi did.
    printed_rate: bool = False


@dataclasses.dataclass(frozen=True)
class Selection:
    """What a dataset is made of."""

    train: Sequence[Clip]
    test: Sequence[Clip]
    missing: Sequence[str] = ()  # sources that the dataset's list names and that are not there
    refused: Sequence[RefusedClip] = ()  # sources that no clip could be found in


@dataclasses.dataclass(frozen=True)
class ClipFrames:
    """The frames of a clip as they are read."""

    frames: Iterator[np.ndarray]  # each (height, width, 3) uint8
    fps: float


def read_clip(clip: Clip, height: int, width: int, fit: str) -> ClipFrames:
    """Cut a clip out of its file, one frame at a time.

    Args:
      clip: what to read.
      height, width: of the frames that come out, in pixels.
      fit: "crop" cuts the box about its centre to the aspect ratio of the result, "stretch" does
        not keep the aspect ratio. What has the size already is not touched.

    Raises:
      InputError: here or while the frames are read: the file cannot be read, or the clip lies
        outside of it.
    """
    video = open_video(clip.path, None)
    rate = round(video.fps, 2) if clip.printed_rate else video.fps
    first = math.ceil(clip.start * rate - _ROUNDING)
    stop = len(video) if clip.end is None else math.ceil(clip.end * rate - _ROUNDING)
    if not 0 <= first < min(stop, len(video)):
        raise InputError(
            f"{clip.path}: has {len(video) / video.fps:.2f} seconds; expected the clip"
            f" {clip.name} from {clip.start:.2f} s on"
        )

    def frames() -> Iterator[np.ndarray]:
        for frame in itertools.islice(video.iterate_from(first), stop - first):
            part = frame if clip.box is None else _cut(frame, clip)
            if fit == "crop":
                yield fit_frame(part, height, width)
            elif part.shape[:2] == (height, width):
                yield part
            else:
                image = Image.fromarray(part)
                yield np.array(image.resize((width, height), Image.Resampling.BILINEAR))

    return ClipFrames(frames(), video.fps)


def _cut(frame: np.ndarray, clip: Clip) -> np.ndarray:
    assert clip.box is not None
    height, width = frame.shape[:2]
    left, top, right, bottom = (
        min(max(int(share * side + _ROUNDING), 0), side)
        for share, side in zip(clip.box, (width, height, width, height), strict=True)
    )
    if left >= right or top >= bottom:
        raise InputError(f"{clip.path}: the box of the clip {clip.name} holds no pixel")
    return np.ascontiguousarray(frame[top:bottom, left:right])
