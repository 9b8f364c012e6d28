"""The visible label of live pictures, which cannot carry metadata, and other text in pictures."""

import functools
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

LABEL = "generated"

_HEIGHT = 1 / 20  # of the text, as a share of the picture's height
_SMALLEST = 10  # height in pixels of the smallest text that can be read
_MARGIN = 0.4  # around the text, as a share of its height


def add_label(picture: np.ndarray) -> np.ndarray:
    """Return a picture (h, w, 3) uint8 with the label in its lower left corner."""
    height = picture.shape[0]
    box = _text_box((LABEL,), max(_SMALLEST, round(_HEIGHT * height)))
    return _paste(picture, box, max(0, height - box.shape[0]))


def add_lines(picture: np.ndarray, lines: Sequence[str]) -> np.ndarray:
    """Return a picture (h, w, 3) uint8 with lines of text in its upper left corner."""
    text_height = max(_SMALLEST, round(_HEIGHT * picture.shape[0] / 2))
    return _paste(picture, _text_box(tuple(lines), text_height), 0)


@functools.lru_cache(maxsize=8)
def _text_box(lines: tuple[str, ...], text_height: int) -> np.ndarray:
    """Draw lines in white on black, (h, w, 3) uint8."""
    font = ImageFont.load_default(text_height)
    text = "\n".join(lines)
    margin = round(_MARGIN * text_height)
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    left, top, right, bottom = measure.multiline_textbbox((0, 0), text, font)
    size = round(right - left) + 2 * margin, round(bottom - top) + 2 * margin
    image = Image.new("RGB", size)
    ImageDraw.Draw(image).multiline_text((margin - left, margin - top), text, font=font)
    return np.array(image)


def _paste(picture: np.ndarray, box: np.ndarray, top: int) -> np.ndarray:
    """Put a box at the left edge of a picture, half transparent where it is dark."""
    pasted = picture.copy()
    part = pasted[top : top + box.shape[0], : box.shape[1]]
    box = box[: part.shape[0], : part.shape[1]]
    part[:] = np.maximum(part // 2, box)
    return pasted
