"""Picture files to uint8 arrays and back.

imageio decodes and encodes the pixels. Pillow, which works behind it, is called directly to read
headers: imageio has no list of allowed formats, and decodes a whole PNG to list its metadata.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from imageio.plugins.pillow import PillowPlugin
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fomm_jax.errors import InputError
from fomm_jax.files import check_is_file, replacing
from fomm_jax.provenance.c2pa import sign_file
from fomm_jax.provenance.mark import Marking
from fomm_jax.provenance.xmp import write_xmp

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")

# Pillow knows many more formats. Some of them start other programs, and no camera writes them.
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF")

# The size of a decoded RGB picture: 10,922 frames of 256 x 256 side by side fit in. The header of a
# damaged file may claim far more.
MAX_BYTES = 2**31

# How to turn a picture upright, by the number of its orientation in EXIF 2.3, table 4. imageio can
# do it too, but mirrors grey and palette pictures along the wrong axis.
_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda picture: picture[:, ::-1],
    3: lambda picture: picture[::-1, ::-1],
    4: lambda picture: picture[::-1],
    5: lambda picture: picture.swapaxes(0, 1),
    6: lambda picture: np.rot90(picture, -1),
    7: lambda picture: picture[::-1, ::-1].swapaxes(0, 1),
    8: lambda picture: np.rot90(picture),
}

_pillow_limit_lock = threading.Lock()


def is_picture(path: str | os.PathLike[str]) -> bool:
    """Tell by the content of a file whether it begins as a picture does, whatever its name."""
    try:
        with open_picture(path):
            return True
    except (OSError, SyntaxError, ValueError):
        return False


def read_picture(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a picture, turned upright.

    The content decides on the format, not the suffix. Grey and palette pictures become RGB, alpha
    is dropped without blending, 16-bit grey is scaled by 1/257 and rounded (of 16-bit colour the
    upper 8 bits are kept), and the orientation that a camera noted in EXIF is applied.

    Returns:
      (h, w, 3) uint8 RGB.

    Raises:
      InputError: the file is missing, damaged, no picture, an animation, or larger than
        `MAX_BYTES` when decoded.
    """
    path = Path(path)
    check_is_file(path, "a picture")
    try:
        with open_picture(path) as header:
            _check_size(path, header)
            if header.format != "MPO" and getattr(header, "n_frames", 1) > 1:
                raise InputError(f"{path}: is an animation, expected a still picture")
            is_16_bit = header.mode.startswith("I")
            # Pillow warns where a palette with several degrees of transparency becomes RGB.
            has_alpha = header.mode == "P" and "transparency" in header.info
            mode = "RGBA" if has_alpha else "RGB"
        with _open_with_imageio(path) as reader:
            # Pillow would clip 16 bits of grey to 8.
            pixels = reader.read(index=0) if is_16_bit else reader.read(index=0, mode=mode)
            orientation = reader.metadata(index=0, exclude_applied=False).get("Orientation", 1)
    except InputError:
        raise
    # Depending on the damage, Pillow raises anything from OSError to struct.error and IndexError.
    except Exception as error:
        expected = ", ".join(PICTURE_SUFFIXES)
        raise InputError(f"{path}: cannot be read as a picture ({expected}): {error}") from error
    if is_16_bit:
        grey = np.rint(pixels / 257).clip(0, 255).astype(np.uint8)
        pixels = np.repeat(grey[..., np.newaxis], 3, axis=-1)
    pixels = pixels[..., :3]
    return np.ascontiguousarray(_TURNS[orientation](pixels) if orientation in _TURNS else pixels)


def _check_size(path: str | os.PathLike[str], header: Image.Image) -> None:
    """Raise an InputError if a picture would take more than `MAX_BYTES` when decoded to RGB."""
    if 3 * header.width * header.height > MAX_BYTES:
        raise InputError(
            f"{path}: tells of {header.width} x {header.height} pixels,"
            f" expected at most {MAX_BYTES // 3} in all"
        )


@contextlib.contextmanager
def open_picture(path: str | os.PathLike[str]) -> Iterator[Image.Image]:
    """Open a picture of a known format with Pillow, which reads the header and decodes nothing.

    Raises:
      OSError, SyntaxError, ValueError: the file is no picture. The message is Pillow's.
    """
    with _no_pixel_limit():
        image = Image.open(path, formats=_FORMATS)
    with image:
        yield image


@contextlib.contextmanager
def _open_with_imageio(path: str | os.PathLike[str]) -> Iterator[PillowPlugin]:
    """Open a picture with imageio, after `open_picture` has checked that its format is known."""
    with open(path, "rb") as file:  # imageio would take some names for addresses or archives
        with _no_pixel_limit():
            reader = iio.imopen(file, "r", plugin="pillow")
        with reader:
            yield reader


@contextlib.contextmanager
def _no_pixel_limit() -> Iterator[None]:
    """Lift Pillow's limit of pixels while the block opens a file.

    Pillow would take the frames of a long video side by side for an attack. It has one limit for
    the whole program and applies it on opening a file, so the limit is lifted no longer than that.
    """
    with _pillow_limit_lock:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def write_picture(
    path: str | os.PathLike[str], picture: np.ndarray, *, marking: Marking | None = None
) -> None:
    """Write a picture in the format of the suffix; PNG and BMP are lossless.

    The file appears under its name when it is complete. Missing folders are made.

    Args:
      path: the file to write, with one of `PICTURE_SUFFIXES`.
      picture: (h, w, 3) or (h, w) uint8.
      marking: what the file tells about how it was made; None writes no marks.

    Raises:
      InputError: the suffix is unknown, the format cannot hold marks, or the file cannot be
        written.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in PICTURE_SUFFIXES:
        raise InputError(f"{path}: expected a name that ends in {', '.join(PICTURE_SUFFIXES)}")
    if marking and suffix == ".bmp":
        raise InputError(f"{path}: BMP cannot say that a model made it; expected .png")
    metadata = _metadata(suffix, marking) if marking else {}
    with replacing(path) as unfinished:
        with unfinished.open("wb") as file:
            iio.imwrite(
                file, picture, plugin="pillow", extension=suffix, is_batch=False, **metadata
            )
        if marking and marking.credentials:
            sign_file(unfinished, suffix, marking)


def _metadata(suffix: str, marking: Marking) -> dict[str, Any]:
    """Return the marks as Pillow's writers take them: beside the pixels, which stay the same."""
    if suffix != ".png":
        return {"xmp": write_xmp(marking), "comment": marking.comment}
    chunks = PngInfo()
    chunks.add_itxt("XML:com.adobe.xmp", write_xmp(marking).decode())
    chunks.add_text("Comment", marking.comment)
    return {"pnginfo": chunks}
