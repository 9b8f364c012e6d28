"""Pictures: files to uint8 arrays and back, and to the size that the model works at."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from fomm_jax.errors import InputError
from fomm_jax.files import replacing
from fomm_jax.provenance.c2pa import sign_file
from fomm_jax.provenance.mark import Marking
from fomm_jax.provenance.xmp import write_xmp

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")

# Pillow knows many more formats; some of them start other programs, and no camera writes them.
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF")

# As RGB: 10,922 frames of 256 x 256 side by side. A damaged header may tell of far more.
MAX_BYTES = 2**31

_pillow_limit_lock = threading.Lock()


def is_picture(path: str | os.PathLike) -> bool:
    """Tell whether the content of the file begins as a picture's does, whatever its name."""
    try:
        with open_picture(path):
            return True
    except (OSError, SyntaxError, ValueError):
        return False


def read_picture(path: str | os.PathLike) -> np.ndarray:
    """Read a picture, upright, as uint8 (h, w, 3) RGB.

    The content decides on the format, not the suffix. Grey and palette pictures become RGB, alpha
    is dropped without blending, 16-bit grey is scaled by 1/257 and rounded (of 16-bit colour the
    upper 8 bits are kept), and the orientation that a camera noted in EXIF is applied.

    Raises:
      InputError: the file is missing, damaged, no picture, an animation, or larger than
        `MAX_BYTES` when decoded.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file, expected a picture")
    try:
        with open_picture(path) as image:
            if 3 * image.width * image.height > MAX_BYTES:
                raise InputError(
                    f"{path}: tells of {image.width} x {image.height} pixels,"
                    f" expected at most {MAX_BYTES // 3} in all"
                )
            if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
                raise InputError(f"{path}: is an animation, expected a still picture")
            return _to_rgb(ImageOps.exif_transpose(image))
    except InputError:
        raise
    # Pillow raises from OSError over struct.error to IndexError, as the damage has it.
    except Exception as error:
        expected = ", ".join(PICTURE_SUFFIXES)
        raise InputError(f"{path}: cannot be read as a picture ({expected}): {error}") from error


@contextlib.contextmanager
def open_picture(path: str | os.PathLike) -> Iterator[Image.Image]:
    """Open as Pillow does, decoding nothing, but however many pixels the header tells of.

    Raises:
      OSError, SyntaxError, ValueError: it is no picture, in Pillow's words.
    """
    # Pillow would take the frames of a long video side by side for an attack. It has one limit
    # for the whole program, which looks at headers only, so it is lifted for no longer than that.
    with _pillow_limit_lock:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(path, formats=_FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = limit
    with image:
        yield image


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip to 8
        grey = np.rint(np.asarray(image) / 257).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., np.newaxis], 3, axis=-1)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return np.array(image.convert("RGB"))


def write_picture(
    path: str | os.PathLike, picture: np.ndarray, *, marking: Marking | None = None
) -> None:
    """Write a picture in the format of the suffix; PNG is lossless.

    The file takes its name when it is complete; missing folders are made.

    Args:
      path: with one of `PICTURE_SUFFIXES`.
      picture: (h, w, 3) or (h, w) uint8.
      marking: what the file says of how it was made.

    Raises:
      InputError: the suffix is unknown, of a format that cannot be marked, or the file cannot be
        written.
    """
    path = Path(path)
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise InputError(f"{path}: expected a name that ends in {', '.join(PICTURE_SUFFIXES)}")
    suffix = path.suffix.lower()
    if marking and suffix == ".bmp":
        raise InputError(f"{path}: BMP cannot say that a model made it; expected .png")
    with replacing(path) as unfinished:
        Image.fromarray(picture).save(
            unfinished,
            Image.registered_extensions()[suffix],
            **(_metadata(suffix, marking) if marking else {}),
        )
        if marking and marking.credentials:
            sign_file(unfinished, suffix, marking)


def _metadata(suffix: str, marking: Marking) -> dict[str, Any]:
    """How Pillow takes the marks, which no decoder of pixels looks at."""
    if suffix != ".png":
        return {"xmp": write_xmp(marking), "comment": marking.comment}
    chunks = PngInfo()
    chunks.add_itxt("XML:com.adobe.xmp", write_xmp(marking).decode())
    chunks.add_text("Comment", marking.comment)
    return {"pnginfo": chunks}
