"""Choose the part of a picture or of a video that the model sees."""

import importlib.util
import itertools
import logging
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from fomm_jax.errors import InputError, naming
from fomm_jax.media.faces import HeadDetector
from fomm_jax.media.framing import Box, Framing, frame_box, frame_centre, frame_inside
from fomm_jax.media.video_reader import index_frames, iterate_frames, read_frames
from fomm_jax.rendering.options import Crop

logger = logging.getLogger(__name__)

# Width added on each side of a head, as a share of the head's longer side. It leaves room to move
# in, and the clips of VoxCeleb have about as much.
_MARGIN = 0.25

# Height of the smallest head to detect, as a share of the picture's shorter side.
_SMALLEST_HEAD = 1 / 6

_NUM_LOOKS = 8  # frames of a video in which heads are detected


def choose_framing(
    crop: Crop, frames: Iterable[np.ndarray], size: tuple[int, int], name: str
) -> Framing:
    """Choose the part of a picture, or one part for all frames of a video.

    Args:
      crop: "centre" is the largest part of the middle with the model's aspect ratio. "face" is a
        head with a margin. "auto" is "face" where dlib is installed and finds a head, and otherwise
        "centre". "none" is the whole picture, and a box is itself; these two keep their own aspect
        ratio.
      frames: (h, w, 3) uint8 of one size, at least one. Only the first is read unless a head is
        looked for; the part then holds every place where the largest head appears.
      size: the height and width of the model's frame.
      name: the name of the file, for messages.

    Raises:
      InputError: "face" finds no face, or the box lies outside the picture.
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
    with naming(f"crop={crop}"):
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


def largest_head(heads_of_frames: Sequence[Sequence[Box]]) -> Box | None:
    """Return the box around all places of the largest head.

    Args:
      heads_of_frames: the heads that were detected in each frame.

    Returns:
      The box around the largest of all heads and every head that overlaps it, since an overlapping
      head is taken to be the same person's; None if there are no heads.
    """
    heads = [head for heads in heads_of_frames for head in heads]
    if not heads:
        return None
    largest = max(heads, key=lambda head: (head[2] - head[0]) * (head[3] - head[1]))
    places = np.array([head for head in heads if _overlap(head, largest)])
    left, top = places[:, :2].min(axis=0)
    right, bottom = places[:, 2:].max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def _overlap(a: Box, b: Box) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


def spread_frames(path: str) -> Iterator[np.ndarray]:
    """Yield the first frame of a video, then a few frames at equal distances over all of it.

    Only the first frame comes if the video is damaged, or if its frames cannot be counted without
    decoding them.

    Raises:
      InputError: the video has no frame that can be decoded.
    """
    try:
        index = index_frames(path)
    except InputError:  # usually the end is damaged
        index = None
    if index is None:
        yield from itertools.islice(iterate_frames(path), 1)
        return
    yield from read_frames(path, [0], index)
    numbers = np.linspace(0, len(index.times) - 1, _NUM_LOOKS).round().astype(int)
    yield from read_frames(path, sorted(set(numbers.tolist()) - {0}), index)
