"""Choose the part of a picture or of a video that the model sees."""

import contextlib
import dataclasses
import importlib.util
import logging
from collections.abc import Iterable, Iterator

import numpy as np

from fomm_jax.errors import InputError, naming
from fomm_jax.media.faces import HeadDetector
from fomm_jax.media.framing import Box, Framing, frame_box, frame_centre, frame_inside
from fomm_jax.media.reading.frame_index import FrameIndex
from fomm_jax.media.reading.probe import VideoInfo
from fomm_jax.media.reading.video_reader import iterate_frames, read_frames
from fomm_jax.media.turning import turn, turned_size
from fomm_jax.rendering.heads import main_head
from fomm_jax.rendering.options import Crop, Faces
from fomm_jax.rendering.tilt import UprightHead, put_upright

logger = logging.getLogger(__name__)

# Width added on each side of a head, as a share of the head's longer side. It leaves room to move
# in, and the clips of VoxCeleb have about as much.
_MARGIN = 0.25

# Height of the smallest head to detect, as a share of the picture's shorter side.
SMALLEST_HEAD = 1 / 6
_SMALLEST_OF_SEVERAL = 1 / 12

# The frames of a video in which heads are detected: so many a second that a head that walks is
# never far from where it was seen before, and the least and the most of them.
_LOOKS_PER_SECOND = 4
_NUM_LOOKS = 8, 60
_READ_TOGETHER = 8  # frames that are in memory at once


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
        looked for; the part then holds every place of the main head (see `heads.main_head`). All
        frames are turned by the tilt of the largest head in the first one.
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
        detect = HeadDetector(SMALLEST_HEAD * min(picture))
    heads = detect(first)
    tilt = 0.0
    if heads:
        main = max(heads, key=lambda head: head[2] - head[0])
        upright = put_upright(first, main, detect)
        if upright.tilt:
            heads, tilt = [upright.box], upright.tilt
    head = main_head([heads, *(detect(turn(frame, tilt)) for frame in frames)])
    if head is not None:
        return frame_turned_head(UprightHead(head, tilt), picture, size)
    if crop == "face":
        raise InputError(f"{name}: no face is found in it; expected one, or another crop")
    framing = frame_centre(picture, size)
    if framing.shown != (0, 0, width, height):
        logger.info("%s: no face is found in it; its middle is taken", name)
    return framing


def choose_faces(
    faces: Faces, picture: np.ndarray, size: tuple[int, int], name: str
) -> list[Framing]:
    """Choose the parts of a picture that show its faces, each with a margin.

    Args:
      faces: which of them; see `options.Faces`.
      picture: (h, w, 3) uint8.
      size: the height and width of the model's frame.
      name: the name of the file, for messages.

    Returns:
      The parts, from left to right, or in the order of the numbers in `faces`.

    Raises:
      InputError: dlib is not installed, there is no face, or not as many as the numbers say.
    """
    height, width = picture.shape[:2]
    with naming("faces"):
        detect = HeadDetector(_SMALLEST_OF_SEVERAL * min(height, width))
    heads = sorted(detect(picture))
    if not heads:
        raise InputError(f"{name}: no face is found in it; expected some to animate")
    if faces == "largest":
        heads = [max(heads, key=lambda head: head[2] - head[0])]
    elif faces != "all":
        if max(faces) > len(heads):
            raise InputError(
                f"{name}: number of faces that are found: {len(heads)}; expected face {max(faces)}"
            )
        heads = [heads[number - 1] for number in faces]
    return [
        frame_turned_head(put_upright(picture, head, detect), (height, width), size)
        for head in heads
    ]


def frame_turned_head(
    head: UprightHead, picture: tuple[int, int], size: tuple[int, int]
) -> Framing:
    """Frame a head as `frame_head` does, in the picture after it was turned.

    Args:
      head: the head in the turned picture.
      picture: the height and width of the picture before.
      size: the height and width of the model's frame.
    """
    framing = frame_head(head.box, turned_size(*picture, head.tilt), size)
    return dataclasses.replace(framing, tilt=head.tilt)


def frame_head(head: Box, picture: tuple[int, int], size: tuple[int, int]) -> Framing:
    """Frame a head, or all places of one that moves, with a margin if that fits into the picture.

    A head may walk farther than the largest frame inside the picture reaches. The frame then
    reaches beyond the picture, rather than lose more than a margin of the head.
    """
    height, width = picture
    sides = head[2] - head[0], head[3] - head[1]
    margin = _MARGIN * max(sides)
    box = head[0] - margin, head[1] - margin, head[2] + margin, head[3] + margin
    inside = frame_inside(box, picture, size)
    visible = max(head[0], 0), max(head[1], 0), min(head[2], width), min(head[3], height)
    left, top, right, bottom = inside.frame
    lost = max(left - visible[0], top - visible[1], visible[2] - right, visible[3] - bottom)
    return inside if lost <= _MARGIN * min(sides) else frame_box(head, picture, size)


def spread_frames(path: str, info: VideoInfo) -> Iterator[np.ndarray]:
    """Yield the first frame of a video, then frames at equal distances over all of it.

    If the video is damaged, they come from what is whole.

    Args:
      path: the video.
      info: what `probe_video` tells about it.

    Raises:
      InputError: the video has no frame that can be decoded.
    """
    with contextlib.closing(iterate_frames(path)) as frames:
        yield next(frames)
    _, *numbers = _spread_numbers(info.num_frames, info.seconds)
    if info.index is None or info.fault:
        yield from (frame for i, frame in enumerate(_whole_frames(path)) if i in numbers)
        return
    num_read = 0
    try:
        for num_read in range(0, len(numbers), _READ_TOGETHER):
            yield from read_frames(path, numbers[num_read : num_read + _READ_TOGETHER], info.index)
    except InputError:  # a damaged frame: the one before it stands
        whole = _whole_frames(path, info.index)
        yield from (frame for i, frame in enumerate(whole) if i in numbers[num_read:])


def spread_pictures(
    frames: Iterator[np.ndarray], num_frames: int, seconds: float
) -> Iterator[np.ndarray]:
    """Yield the first of some frames, then some at equal distances; see `spread_frames`."""
    numbers = _spread_numbers(num_frames, seconds)
    yield next(frames)
    with contextlib.suppress(InputError):  # where the damage is
        yield from (frame for i, frame in enumerate(frames, 1) if i in numbers)


def _spread_numbers(num_frames: int, seconds: float) -> list[int]:
    """Return the numbers of frames spread over a video, of which 0 is the first."""
    looks = int(np.clip(_LOOKS_PER_SECOND * seconds, *_NUM_LOOKS))
    return sorted(set(np.linspace(0, num_frames - 1, looks).round().astype(int).tolist()))


def _whole_frames(path: str, index: FrameIndex | None = None) -> Iterator[np.ndarray]:
    """Yield the frames of a video, and end quietly where it is cut."""
    with contextlib.suppress(InputError):
        yield from iterate_frames(path, index=index)
