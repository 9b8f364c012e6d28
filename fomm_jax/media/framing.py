"""Where in a picture of any size the model's frame lies, and the way there and back.

The model sees frames of one size. A `Framing` says which part of a picture is resized to it, always
with the aspect kept, and which part of that is what the user wants to see.
"""

import dataclasses

import numpy as np
from PIL import Image

Box = tuple[float, float, float, float]  # left, top, right, bottom

# Pillow widens it where it reduces, and it does not ring.
_FILTER = Image.Resampling.BILINEAR

_FEATHER = 0.12  # width of the soft border of a pasted part, in shares of its shorter side


@dataclasses.dataclass(frozen=True)
class Framing:
    """The model's frame in a picture, in pixels of the picture."""

    frame: Box  # of the model's aspect; beyond the picture its edge is repeated
    shown: tuple[int, int, int, int]  # inside both frame and picture: what the result shows


def frame_box(box: Box, picture: tuple[int, int], size: tuple[int, int]) -> Framing:
    """Frame all of a box, and show it alone.

    Args:
      box: in pixels, which overlaps the picture by a pixel at least.
      picture: height and width of the picture.
      size: height and width of the model's frame.

    Returns:
      The smallest frame that holds the part of the box inside of the picture. Where it fits into
      the picture it lies in it, else it reaches beyond on both sides alike.
    """
    height, width = picture
    shown = (
        min(max(round(box[0]), 0), width - 1),
        min(max(round(box[1]), 0), height - 1),
        max(min(round(box[2]), width), 1),
        max(min(round(box[3]), height), 1),
    )
    frame_width = max(shown[2] - shown[0], (shown[3] - shown[1]) * size[1] / size[0])
    frame_height = frame_width * size[0] / size[1]
    left = _place((shown[0] + shown[2]) / 2, frame_width, width)
    top = _place((shown[1] + shown[3]) / 2, frame_height, height)
    return Framing((left, top, left + frame_width, top + frame_height), shown)


def frame_inside(box: Box, picture: tuple[int, int], size: tuple[int, int]) -> Framing:
    """Frame a box, and show as much about it as the model's aspect takes.

    Args:
      box: in pixels; it may lie partly outside of the picture.
      picture: height and width of the picture.
      size: height and width of the model's frame.

    Returns:
      The smallest frame that holds the box, moved into the picture, and smaller only where it does
      not fit in. All of it is shown.
    """
    height, width = picture
    aspect = size[1] / size[0]
    frame_width = max(box[2] - box[0], (box[3] - box[1]) * aspect)
    frame_width = min(frame_width, width, height * aspect)
    frame_height = frame_width / aspect
    left = _place((box[0] + box[2]) / 2, frame_width, width)
    top = _place((box[1] + box[3]) / 2, frame_height, height)
    frame = (left, top, left + frame_width, top + frame_height)
    return Framing(frame, (round(left), round(top), round(frame[2]), round(frame[3])))


def frame_centre(picture: tuple[int, int], size: tuple[int, int]) -> Framing:
    """Frame the middle, as much of it as the model's aspect takes.

    Args:
      picture: height and width of the picture.
      size: height and width of the model's frame.
    """
    height, width = picture
    return frame_inside((0, 0, width, height), picture, size)


def _place(centre: float, length: float, available: int) -> float:
    """Where to begin so that a length lies about the centre, and inside if it fits in."""
    if length > available:
        return (available - length) / 2
    return min(max(centre - length / 2, 0), available - length)


def cut_frame(picture: np.ndarray, framing: Framing, size: tuple[int, int]) -> np.ndarray:
    """Cut the model's frame out of a picture.

    Args:
      picture: (h, w, 3) uint8.
      framing: where in the picture.
      size: height and width of the result.

    Returns:
      (*size, 3) uint8, resized with anti-aliasing; `picture` itself where nothing is to be done.
    """
    height, width = picture.shape[:2]
    left, top, right, bottom = framing.frame
    if framing.frame == (0, 0, width, height) and (height, width) == size:
        return picture
    # A pixel's share of rounding is no reason to copy a picture.
    before_x, after_x, before_y, after_y = (
        max(0, int(np.ceil(beyond - 1e-6)))
        for beyond in (-left, right - width, -top, bottom - height)
    )
    if before_x or after_x or before_y or after_y:
        beyond = ((before_y, after_y), (before_x, after_x), (0, 0))
        picture = np.pad(picture, beyond, mode="edge")
        left, top, right, bottom = (
            left + before_x,
            top + before_y,
            right + before_x,
            bottom + before_y,
        )
        height, width = picture.shape[:2]
    box = (max(left, 0), max(top, 0), min(right, width), min(bottom, height))
    return np.array(Image.fromarray(picture).resize(size[::-1], _FILTER, box=box))


def shown_size(framing: Framing, size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of what is shown, at the scale of the model's frame.

    Args:
      framing: of the source.
      size: height and width of the model's frame.
    """
    left, top, right, bottom = _shown_of_frame(framing, size)
    return max(1, round(bottom - top)), max(1, round(right - left))


def cut_shown(frame: np.ndarray, framing: Framing) -> np.ndarray:
    """Cut what is shown out of a frame of the model.

    Args:
      frame: (h, w, 3) uint8.
      framing: of the source.

    Returns:
      (*shown_size, 3) uint8; `frame` itself where all of it is shown.
    """
    return _resize_shown(frame, framing, shown_size(framing, frame.shape[:2]))


def _resize_shown(frame: np.ndarray, framing: Framing, size: tuple[int, int]) -> np.ndarray:
    height, width = frame.shape[:2]
    left, top, right, bottom = _shown_of_frame(framing, (height, width))
    if size == (height, width) and right - left > width - 1 and bottom - top > height - 1:
        return frame  # what is left of a pixel came from rounding `shown`
    box = (max(left, 0), max(top, 0), min(right, width), min(bottom, height))
    return np.array(Image.fromarray(frame).resize(size[::-1], _FILTER, box=box))


def _shown_of_frame(framing: Framing, size: tuple[int, int]) -> Box:
    """What is shown, in pixels of the model's frame."""
    left, top, right, bottom = framing.frame
    x, y = size[1] / (right - left), size[0] / (bottom - top)
    shown = framing.shown
    return (
        (shown[0] - left) * x,
        (shown[1] - top) * y,
        (shown[2] - left) * x,
        (shown[3] - top) * y,
    )


class PasteBack:
    """Puts frames of the model back to where they were cut out, with a soft border.

    Where the shown part reaches the border of the picture there is nothing to blend with, and its
    border is hard.

    Args:
      picture: (h, w, 3) uint8.
      framing: of the picture.
    """

    def __init__(self, picture: np.ndarray, framing: Framing) -> None:
        left, top, right, bottom = framing.shown
        self._picture = picture
        self._framing = framing
        self._region = (slice(top, bottom), slice(left, right))
        height, width = picture.shape[:2]
        feather = _FEATHER * min(bottom - top, right - left)
        rows = _ramp(bottom - top, feather, top > 0, bottom < height)
        columns = _ramp(right - left, feather, left > 0, right < width)
        self._weight = (rows[:, None] * columns)[..., None]  # (h, w, 1) of the pasted part

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """Return the whole picture (h, w, 3) uint8 with a frame of the model in its place."""
        size = (self._weight.shape[0], self._weight.shape[1])
        part = _resize_shown(frame, self._framing, size).astype(np.float32)
        pasted = self._picture.copy()
        old = pasted[self._region].astype(np.float32)
        pasted[self._region] = np.rint(old + self._weight * (part - old)).astype(np.uint8)
        return pasted


def _ramp(length: int, feather: float, soft_start: bool, soft_end: bool) -> np.ndarray:
    """Weights (length,) in [0, 1]: a smooth step up over the feather, and one down."""
    distance = np.full(length, np.inf)
    position = np.arange(length) + 0.5
    if soft_start:
        distance = position
    if soft_end:
        distance = np.minimum(distance, length - position)
    share = np.clip(distance / max(feather, 1), 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)


def fit_frame(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """Crop a frame about its centre to the aspect ratio, then resize it with anti-aliasing.

    Args:
      frame: (h, w, 3) uint8.
      height: of the result, in pixels.
      width: of the result, in pixels.

    Returns:
      (height, width, 3) uint8; `frame` itself where it has that size.
    """
    h, w = frame.shape[:2]
    if (h, w) == (height, width):
        return frame
    crop_h, crop_w = min(h, w * height / width), min(w, h * width / height)
    top, left = (h - crop_h) / 2, (w - crop_w) / 2
    image = Image.fromarray(frame).resize(
        (width, height),
        Image.Resampling.BILINEAR,  # Pillow widens it where it reduces, and it does not ring
        box=(left, top, left + crop_w, top + crop_h),
    )
    return np.array(image)
