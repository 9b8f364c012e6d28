"""Turning a picture about its centre, and back."""

import math

import numpy as np
from PIL import Image


def turn(picture: np.ndarray, degrees: float) -> np.ndarray:
    """Turn a picture counter-clockwise, into one that holds all of it.

    Args:
      picture: (h, w, 3) uint8.
      degrees: the angle.

    Returns:
      (h + 2 i, w + 2 j, 3) uint8 with the same centre, whose corners repeat the edge of the
      picture; `picture` itself if the angle is 0.
    """
    if degrees == 0:
        return picture
    height, width = picture.shape[:2]
    size = turned_size(height, width, degrees)
    radius = math.hypot(*size) / 2
    rows, columns = math.ceil(radius - height / 2), math.ceil(radius - width / 2)
    padded = np.pad(picture, ((rows, rows), (columns, columns), (0, 0)), mode="edge")
    turned = Image.fromarray(padded).rotate(degrees, Image.Resampling.BICUBIC)
    return _middle(np.asarray(turned), *size)


def turned_size(height: int, width: int, degrees: float) -> tuple[int, int]:
    """Return the height and width of the result of `turn`: even numbers more, or fewer."""
    cos, sin = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    # The tolerance keeps rounding errors from adding rows to quarters of a turn.
    more_rows = math.ceil((height * cos + width * sin - height) / 2 - 1e-6)
    more_columns = math.ceil((width * cos + height * sin - width) / 2 - 1e-6)
    return height + 2 * more_rows, width + 2 * more_columns


def turned_point(
    point: tuple[float, float], degrees: float, before: tuple[int, ...], after: tuple[int, ...]
) -> tuple[float, float]:
    """Return where a point comes when a picture is turned counter-clockwise about its centre.

    Args:
      point: x and y in pixels, from the left and upper edges.
      degrees: the angle.
      before: the height and width of the picture.
      after: those of the turned picture.
    """
    x, y = point[0] - before[1] / 2, point[1] - before[0] / 2
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return x * cos + y * sin + after[1] / 2, y * cos - x * sin + after[0] / 2


def turn_back(turned: np.ndarray, degrees: float, height: int, width: int) -> np.ndarray:
    """Undo `turn` for what has its result's size.

    Args:
      turned: the result of `turn` for a picture of `height` and `width`, or as large and (h, w)
        float32.
      degrees: the angle that `turn` was given.
      height: the height of the result, in pixels.
      width: the width of the result.
    """
    if degrees == 0:
        return turned
    rows, columns = (
        max(0, (after - before) // 2)
        for after, before in zip((height, width), turned.shape, strict=False)
    )
    room = ((rows, rows), (columns, columns), (0, 0))[: turned.ndim]
    image = Image.fromarray(np.pad(turned, room))
    return _middle(np.asarray(image.rotate(-degrees, Image.Resampling.BICUBIC)), height, width)


def _middle(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Cut the middle out of a picture that has an even number of rows and columns more."""
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]
