"""Cutting the model's frame out of a picture of any size.

The model sees frames of one size. A `Framing` says which box of a picture is resized to this size,
without changing its aspect ratio, and which part of that box the result shows.
"""

import dataclasses
import math

import numpy as np
from PIL import Image

from fomm_jax.media.turning import turn

Box = tuple[float, float, float, float]  # left, top, right, bottom

# Pillow widens this filter when it shrinks a picture, so the result is anti-aliased; and the filter
# causes no ringing.
_FILTER = Image.Resampling.BILINEAR


@dataclasses.dataclass(frozen=True)
class Framing:
    """The place of the model's frame in a picture, in pixels of the picture.

    Where a head is tilted, the picture is first turned until the head is upright (`turning.turn`).
    The pixels are then those of the turned picture.
    """

    frame: Box  # has the model's aspect ratio; beyond the picture, the picture's edge is repeated
    shown: tuple[int, int, int, int]  # the part that the result shows, inside frame and picture
    tilt: float = 0.0  # the angle of the head, clockwise, in degrees


def frame_box(box: Box, picture: tuple[int, int], size: tuple[int, int]) -> Framing:
    """Frame a whole box, and show nothing else.

    Args:
      box: the box, in pixels. It overlaps the picture by at least a pixel.
      picture: the height and width of the picture.
      size: the height and width of the model's frame.

    Returns:
      The smallest frame that holds the part of the box inside the picture. In each direction it
      lies inside the picture if it fits, and otherwise reaches equally far beyond both edges.
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
    """Frame a box, and show the whole frame, including what lies around the box.

    Args:
      box: the box, in pixels. It may lie partly outside the picture.
      picture: the height and width of the picture.
      size: the height and width of the model's frame.

    Returns:
      The smallest frame that holds the box, moved into the picture, and made smaller only if it
      does not fit. The whole frame is shown.
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
    """Frame the largest central part of the picture that has the model's aspect ratio.

    Args:
      picture: the height and width of the picture.
      size: the height and width of the model's frame.
    """
    height, width = picture
    return frame_inside((0, 0, width, height), picture, size)


def _place(centre: float, length: float, available: int) -> float:
    """Return the start of a segment on a line that runs from 0 to `available`.

    The segment is centred on `centre`, then moved inside the line. A segment longer than the line
    is centred on the line instead.
    """
    if length > available:
        return (available - length) / 2
    return min(max(centre - length / 2, 0), available - length)


def cut_frame(picture: np.ndarray, framing: Framing, size: tuple[int, int]) -> np.ndarray:
    """Cut the model's frame out of a picture, and resize it with anti-aliasing.

    Args:
      picture: (h, w, 3) uint8.
      framing: the place of the frame in the picture.
      size: the height and width of the result.

    Returns:
      (*size, 3) uint8; `picture` itself if the frame is the whole picture, which has this size.
    """
    picture = turn(picture, framing.tilt)
    height, width = picture.shape[:2]
    left, top, right, bottom = framing.frame
    if framing.frame == (0, 0, width, height) and (height, width) == size:
        return picture
    image = Image.fromarray(picture)
    box = (max(left, 0), max(top, 0), min(right, width), min(bottom, height))
    # The tolerance keeps rounding errors from taking the long way.
    if min(left, top, width - right, height - bottom) >= -1e-6:
        return np.array(image.resize(size[::-1], _FILTER, box=box))
    # A frame reaches beyond the picture on two opposite sides alone. The other direction is resized
    # first, so that little is left to repeat.
    if left < 0 or right > width:
        rows = image.resize((width, size[0]), _FILTER, box=(0, box[1], width, box[3]))
        return _resize_beyond(np.array(rows), (left, right), size[1])
    columns = image.resize((size[1], height), _FILTER, box=(box[0], 0, box[2], height))
    beyond = _resize_beyond(np.array(columns).swapaxes(0, 1), (top, bottom), size[0])
    return np.ascontiguousarray(beyond.swapaxes(0, 1))


def _resize_beyond(picture: np.ndarray, span: tuple[float, float], length: int) -> np.ndarray:
    """Resize a span of columns that reaches beyond the picture, whose edge is repeated.

    Args:
      picture: (h, w, 3) uint8.
      span: where the span starts and ends, in columns of the picture.
      length: the width of the result.

    Returns:
      (h, length, 3) uint8.
    """
    start, end = span
    height, width = picture.shape[:2]
    scale = length / (end - start)
    # Only these columns of the result depend on more than the edge: the filter is two wide.
    first = max(0, math.floor(-start * scale) - 2)
    last = min(length, math.ceil((width - start) * scale) + 2)
    start, end = start + first / scale, start + last / scale
    before, after = max(0, math.ceil(-start)), max(0, math.ceil(end - width))
    padded = np.pad(picture, ((0, 0), (before, after), (0, 0)), mode="edge")
    box = (max(0, start + before), 0, min(end + before, width + before + after), height)
    resized = np.array(Image.fromarray(padded).resize((last - first, height), _FILTER, box=box))
    return np.pad(resized, ((0, 0), (first, length - last), (0, 0)), mode="edge")


def scale_into(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scale a picture into another size; where its shape differs, its edge is repeated.

    Args:
      picture: (h, w, 3) uint8.
      height: the height of the result, in pixels.
      width: the width of the result, in pixels.

    Returns:
      (height, width, 3) uint8; `picture` itself if it has this size.
    """
    whole = 0, 0, picture.shape[1], picture.shape[0]
    size = height, width
    return cut_frame(picture, frame_box(whole, picture.shape[:2], size), size)


def shown_size(framing: Framing, size: tuple[int, int]) -> tuple[int, int]:
    """Return the height and width of the shown part, at the scale of the model's frame.

    Args:
      framing: the framing of the source.
      size: the height and width of the model's frame.
    """
    left, top, right, bottom = _shown_of_frame(framing, size)
    return max(1, round(bottom - top)), max(1, round(right - left))


def cut_shown(frame: np.ndarray, framing: Framing) -> np.ndarray:
    """Cut the shown part out of a frame of the model.

    Args:
      frame: (h, w, 3) uint8.
      framing: the framing of the source.

    Returns:
      (*shown_size, 3) uint8; `frame` itself if all of it is shown.
    """
    return resize_shown(frame, framing, shown_size(framing, frame.shape[:2]))


def resize_shown(frame: np.ndarray, framing: Framing, size: tuple[int, int]) -> np.ndarray:
    """Cut the shown part out of a frame of the model, (h, w, 3) uint8, at another size."""
    height, width = frame.shape[:2]
    left, top, right, bottom = _shown_of_frame(framing, (height, width))
    if size == (height, width) and right - left > width - 1 and bottom - top > height - 1:
        return frame  # the difference, less than a pixel, comes from rounding `shown`
    box = (max(left, 0), max(top, 0), min(right, width), min(bottom, height))
    return np.array(Image.fromarray(frame).resize(size[::-1], _FILTER, box=box))


def _shown_of_frame(framing: Framing, size: tuple[int, int]) -> Box:
    """Return the shown part in pixels of the model's frame."""
    left, top, right, bottom = framing.frame
    x, y = size[1] / (right - left), size[0] / (bottom - top)
    shown = framing.shown
    return (
        (shown[0] - left) * x,
        (shown[1] - top) * y,
        (shown[2] - left) * x,
        (shown[3] - top) * y,
    )


def fit_frame(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """Crop a frame around its centre to the result's aspect ratio, then resize it, anti-aliased.

    Args:
      frame: (h, w, 3) uint8.
      height: the height of the result, in pixels.
      width: the width of the result, in pixels.

    Returns:
      (height, width, 3) uint8; `frame` itself if it has this size.
    """
    size = height, width
    if frame.shape[:2] == size:
        return frame
    return cut_frame(frame, frame_centre(frame.shape[:2], size), size)
