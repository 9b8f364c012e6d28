"""Pictures that follow one another: animated WebP, PNG and AVIF, and folders of frames.

Videos are read by `video_reader`, and so are animated GIFs, which FFmpeg composes as browsers do.
"""

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fomm_jax.errors import InputError
from fomm_jax.files import reading
from fomm_jax.media.colours import WHITE, to_rgb
from fomm_jax.media.picture_files import check_size, is_animated, open_picture
from fomm_jax.media.pictures import PICTURE_SUFFIXES, read_picture

logger = logging.getLogger(__name__)

# In seconds. Browsers show frames that ask for less, or for nothing, as long as the second one.
_SHORTEST, _IN_PLACE_OF_SHORTER = 0.011, 0.1

_FRAME_SUFFIXES = (*PICTURE_SUFFIXES, ".avif", ".heic", ".heif")


def is_animated_picture(path: str | os.PathLike[str]) -> bool:
    """Tell whether a file is an animated WebP, PNG or AVIF."""
    try:
        with open_picture(path) as header:
            return header.format != "GIF" and is_animated(header)
    except (OSError, SyntaxError, ValueError):
        return False


def iterate_animated_picture(path: str | os.PathLike[str]) -> Iterator[np.ndarray]:
    """Yield the frames of an animated picture, (h, w, 3) uint8, on white where transparent.

    Raises:
      InputError: the file is too large, or damaged; raised after the frames before the damage.
    """
    for frame, _ in _iterate_with_durations(path):
        yield frame


def animated_picture_times(path: str | os.PathLike[str]) -> np.ndarray:
    """Return when the frames of an animated picture are shown, and when the last one ends.

    Returns:
      (t + 1,) float64 seconds from 0, of the frames before any damage.
    """
    durations = []
    try:
        for _, duration in _iterate_with_durations(path):
            durations.append(duration)
    except InputError:
        if not durations:
            raise
    return np.concatenate([[0.0], np.cumsum(durations)])


def _iterate_with_durations(
    path: str | os.PathLike[str],
) -> Iterator[tuple[np.ndarray, float]]:
    number = 0
    try:
        with open_picture(path) as image:
            check_size(path, image)
            # A PNG may begin with a picture for programs that cannot animate.
            first = 1 if image.info.get("default_image") else 0
            for position in range(first, getattr(image, "n_frames", 1)):
                image.seek(position)
                image.load()
                duration = image.info.get("duration", 0) / 1000
                yield (
                    to_rgb(image, WHITE, str(path)),
                    duration if duration >= _SHORTEST else _IN_PLACE_OF_SHORTER,
                )
                number += 1
    except InputError:
        raise
    except Exception as error:  # as in `read_picture`, anything
        raise InputError(f"{path}: is damaged after frame {number}") from error


def list_frames(folder: str | os.PathLike[str]) -> list[Path]:
    """List the pictures in a folder in the order of the numbers in their names.

    Other files, and hidden ones, are left out.

    Raises:
      InputError: the folder cannot be read, or has no pictures.
    """
    with reading(folder):
        files = [file for file in Path(folder).iterdir() if not file.name.startswith(".")]
    frames = [file for file in files if file.suffix.lower() in _FRAME_SUFFIXES and file.is_file()]
    if not frames:
        raise InputError(f"{folder}: has no pictures; expected one for each frame")
    return sorted(frames, key=lambda file: _natural_order(file.name))


def _natural_order(name: str) -> tuple[list[str | int], str]:
    """Return a key by which frame 9 comes before frame 10."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if i % 2 else part.lower() for i, part in enumerate(parts)], name


def iterate_folder(files: list[Path]) -> Iterator[np.ndarray]:
    """Yield frames, (h, w, 3) uint8; the one before a damaged one stands in its place.

    Raises:
      InputError: the first frame cannot be read.
    """
    shown = read_picture(files[0])
    yield shown
    for file in files[1:]:
        try:
            shown = read_picture(file)
        except InputError as error:
            logger.warning("%s; the frame before it stands", error)
        yield shown
