"""Which part of a picture or a video is animated: what `--crop` says."""

import importlib.util
import itertools
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import numpy as np

from fomm_jax.errors import InputError, naming
from fomm_jax.media.faces import HeadDetector
from fomm_jax.media.framing import Box, Framing, frame_box, frame_centre, frame_inside
from fomm_jax.media.video_reader import index_frames, iterate_frames, read_frames

logger = logging.getLogger(__name__)

Crop = Literal["auto", "face", "centre", "none"] | tuple[int, int, int, int]  # x, y, width, height

# What is added about a head on either side, in shares of its longer side: room to move in, and
# about as much as the clips of VoxCeleb have.
_MARGIN = 0.25

# Smallest head that is looked for, in shares of the picture's shorter side.
_SMALLEST_HEAD = 1 / 6

_NUM_LOOKS = 8  # frames of a video in which a face is looked for


def parse_crop(text: str, flag: str) -> Crop:
    """Read the value of a flag such as `--crop`.

    Raises:
      InputError: it is none.
    """
    if text in ("auto", "face", "centre", "none"):
        return text  # type: ignore[return-value]
    if match := re.fullmatch(r"(\d+),(\d+),(\d+),(\d+)", text):
        x, y, width, height = map(int, match.groups())
        if width and height:
            return x, y, width, height
    raise InputError(
        f"{flag}={text}: expected auto, face, centre, none or x,y,width,height in whole pixels from"
        " the upper left corner"
    )


def choose_framing(
    crop: Crop, frames: Iterable[np.ndarray], size: tuple[int, int], name: str
) -> Framing:
    """Choose the part of a picture or, once for all its frames, of a video.

    Args:
      crop: `"face"` is a head with a margin; `"auto"` is so too where dlib is installed and finds
        one, and else `"centre"`, as much of the middle as the model's aspect takes; `"none"` is all
        of it; a box is that alone. The last two are framed with their own aspect kept.
      frames: (h, w, 3) uint8 of one size, at least one. More than the first are taken only where a
        face is looked for; the choice then holds all places of the largest face.
      size: height and width of the model's frame.
      name: of the file, for messages.

    Raises:
      InputError: no face where one is asked for, or the box lies outside of the picture.
    """
    frames = iter(frames)
    first = next(frames)
    picture = height, width = first.shape[0], first.shape[1]
    if crop == "none":
        return frame_box((0, 0, width, height), picture, size)
    if not isinstance(crop, str):
        x, y, crop_width, crop_height = crop
        if x >= width or y >= height:
            raise InputError(
                f"{name}: has {width}x{height} pixels, none of them in the crop"
                f" {x},{y},{crop_width},{crop_height}"
            )
        return frame_box((x, y, x + crop_width, y + crop_height), picture, size)
    if crop == "centre" or (crop == "auto" and importlib.util.find_spec("dlib") is None):
        return frame_centre(picture, size)
    with naming(f"--crop={crop}"):
        detect = HeadDetector(_SMALLEST_HEAD * min(picture))
    head = largest_head([detect(frame) for frame in itertools.chain([first], frames)])
    if head is not None:
        margin = _MARGIN * max(head[2] - head[0], head[3] - head[1])
        box = head[0] - margin, head[1] - margin, head[2] + margin, head[3] + margin
        return frame_inside(box, picture, size)
    if crop == "face":
        raise InputError(f"{name}: no face is found in it; expected one, or another crop")
    framing = frame_centre(picture, size)
    if framing.shown != (0, 0, width, height):
        logger.info("%s: no face is found in it; its middle is taken", name)
    return framing


def largest_head(looks: Sequence[Sequence[Box]]) -> Box | None:
    """The box about all places of the largest head.

    Args:
      looks: for each frame that was looked at, the heads in it.

    Returns:
      The box around the largest of all heads and those that overlap it, which are taken for the
      same one; None where there is none.
    """
    heads = [head for look in looks for head in look]
    if not heads:
        return None
    largest = max(heads, key=lambda head: (head[2] - head[0]) * (head[3] - head[1]))
    same = np.array([head for head in heads if _overlap(head, largest)])
    left, top = same[:, :2].min(axis=0)
    right, bottom = same[:, 2:].max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def _overlap(a: Box, b: Box) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


def spread_frames(path: str) -> Iterator[np.ndarray]:
    """Yield the first frame of a video, then some spread over all of it.

    Where their number cannot be told without decoding the video, or it is damaged, only those of
    the beginning are yielded.

    Raises:
      InputError: the video has no frame that can be decoded.
    """
    try:
        index = index_frames(path)
    except InputError:  # damaged at its end, as a rule
        index = None
    if index is None:
        yield from itertools.islice(iterate_frames(path), 1)
        return
    yield from read_frames(path, [0], index)
    numbers = np.linspace(0, len(index.times) - 1, _NUM_LOOKS).round().astype(int)
    yield from read_frames(path, sorted(set(numbers.tolist()) - {0}), index)
