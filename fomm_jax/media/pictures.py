"""Picture files to uint8 arrays and back."""

import io
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import imageio.v3 as iio
import numpy as np
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from fomm_jax.buckets import to_path
from fomm_jax.errors import InputError
from fomm_jax.files import check_is_file, replacing
from fomm_jax.media.colours import WHITE, Colour, to_rgb
from fomm_jax.media.picture_files import (
    check_kind,
    check_size,
    is_animated,
    open_picture,
    quiet_pillow,
    repair,
)
from fomm_jax.provenance.c2pa import sign_file
from fomm_jax.provenance.mark import Marking
from fomm_jax.provenance.xmp import write_xmp

logger = logging.getLogger(__name__)

DAMAGED_METADATA = "%s: is damaged, but not in its pixels; they are used"

WRITABLE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")

# How to turn a picture upright, by the number of its orientation in EXIF 2.3, table 4.
_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda picture: picture[:, ::-1],
    3: lambda picture: picture[::-1, ::-1],
    4: lambda picture: picture[::-1],
    5: lambda picture: picture.swapaxes(0, 1),
    6: lambda picture: np.rot90(picture, -1),
    7: lambda picture: picture[::-1, ::-1].swapaxes(0, 1),
    8: lambda picture: np.rot90(picture),
}


def read_picture(path: str | os.PathLike[str], background: Colour | None = WHITE) -> np.ndarray:
    """Read a picture as people see it: upright, in sRGB, without what is transparent.

    The content decides on the format, not the suffix. Damage beside the pixels is reported in a
    warning.

    Args:
      path: a picture in PNG, JPEG, BMP, WebP, GIF or AVIF, or in HEIC with the extra `heic`.
      background: the colour that is seen where the picture is transparent. None leaves out the
        transparency, so that hidden colours appear, as in the original's training.

    Returns:
      (h, w, 3) uint8 RGB. The embedded colour profile and the orientation that a camera noted are
      applied. 16-bit grey is scaled by 1/257 and rounded; of 16-bit colour the upper 8 bits are
      kept.

    Raises:
      InputError: the file is missing, no picture, an animation, larger than `MAX_BYTES` when
        decoded, or pixels are missing.
    """
    path = Path(path)
    check_is_file(path, "a picture")
    try:
        return _decode(path, path, background)
    except InputError:
        raise
    # Depending on the damage, Pillow raises anything from OSError to struct.error and IndexError.
    except Exception as error:
        check_kind(path)
        repaired = repair(path)
        if repaired is None:
            raise _unreadable(path, error) from error
    try:
        picture = _decode(io.BytesIO(repaired), path, background)
    except InputError:
        raise
    except Exception as error:
        raise _unreadable(path, error) from error
    logger.warning(DAMAGED_METADATA, path)
    return picture


def _unreadable(path: Path, error: Exception) -> InputError:
    # Some libraries end their messages with a line break.
    reason = " ".join(str(error).replace(f" {str(path)!r}", "").split())
    return InputError(
        f"{path}: cannot be read as a picture, expected PNG, JPEG, WebP, GIF, BMP or AVIF: {reason}"
    )


def _decode(file: Path | BinaryIO, path: Path, background: Colour | None) -> np.ndarray:
    with open_picture(file) as image:
        check_size(path, image)
        if is_animated(image):
            raise InputError(f"{path}: is an animation, expected a still picture")
        image.load()
        return turn_upright(to_rgb(image, background, str(path)), read_orientation(image, path))


def turn_upright(picture: np.ndarray, orientation: int) -> np.ndarray:
    """Turn a picture, (h, w, 3), as its orientation says."""
    turn = _TURNS.get(orientation)
    return np.ascontiguousarray(picture if turn is None else turn(picture))


def read_orientation(image: Image.Image, path: str | os.PathLike[str]) -> int:
    """Return the orientation that is noted in EXIF or XMP; 1, which is upright, if none is."""
    try:
        with quiet_pillow():
            return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # as above, anything
        logger.warning("%s: its metadata is damaged and is not used", path)
        return 1


def write_picture(
    path: str | os.PathLike[str], picture: np.ndarray, *, marking: Marking | None = None
) -> None:
    """Write a picture in the format of the suffix; PNG and BMP are lossless.

    The file appears under its name when it is complete. Missing folders are made.

    Args:
      path: the file to write, with one of `WRITABLE_SUFFIXES`.
      picture: (h, w, 3) or (h, w) uint8.
      marking: what the file tells about how it was made; None writes no marks.

    Raises:
      InputError: the suffix is unknown, the format cannot hold marks, or the file cannot be
        written.
    """
    path = to_path(path)
    suffix = path.suffix.lower()
    if suffix not in WRITABLE_SUFFIXES:
        raise InputError(f"{path}: expected a name that ends in {', '.join(WRITABLE_SUFFIXES)}")
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
