"""Pictures that follow one another: animated WebP, PNG and AVIF, and folders of frames.

Videos are read by `video_reader`, and so are animated GIFs, which FFmpeg composes as browsers do.
"""

import dataclasses
import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from fomm_jax.errors import InputError
from fomm_jax.files import check_is_file, reading
from fomm_jax.media.colours import WHITE, to_rgb
from fomm_jax.media.framing import scale_into
from fomm_jax.media.picture_files import check_size, is_animated, open_picture, picture_kind
from fomm_jax.media.pictures import PICTURE_SUFFIXES, read_picture

logger = logging.getLogger(__name__)

# In seconds. Browsers show frames that ask for less, or for nothing, as long as the second one.
_SHORTEST, _IN_PLACE_OF_SHORTER = 0.011, 0.1

FOLDER_FPS = 25  # frames a second of a folder, as FFmpeg assumes

_FRAME_SUFFIXES = (*PICTURE_SUFFIXES, ".avif", ".heic", ".heif")


@dataclasses.dataclass(frozen=True, eq=False)  # arrays have no equality of their own
class PictureSequence:
    """Pictures that follow one another, as a video does."""

    # Starts from the beginning: (h, w, 3) uint8 of one size, on white where transparent. Raises an
    # InputError after the frames before damage.
    frames: Callable[[], Iterator[np.ndarray]]
    # (t + 1,) float64 seconds from 0, when the frames are shown and the last one ends.
    times: np.ndarray


def open_sequence(path: str | os.PathLike[str]) -> PictureSequence | None:
    """Open a folder of frames or an animated picture.

    Returns:
      None if it is neither, or an animated GIF; `open_container` tells what it is.

    Raises:
      InputError: the folder has no pictures, or the file is a still picture or damaged.
    """
    if os.path.isdir(path):
        files = _list_frames(path)
        times = np.arange(len(files) + 1) / FOLDER_FPS
        return PictureSequence(lambda: _of_one_size(_iterate_files(files)), times)
    check_is_file(path, "a video")
    kind = picture_kind(path)
    if kind is None:
        return None
    try:
        with open_picture(path) as header:
            is_still, is_gif = not is_animated(header), header.format == "GIF"
    except (OSError, SyntaxError, ValueError) as error:
        if kind in ("WEBP", "AVIF"):  # nothing else reads them
            raise InputError(f"{path}: is damaged") from error
        return None
    if is_still:
        raise InputError(f"{path}: is a picture, expected a video")
    return None if is_gif else _open_animated(path)


def _open_animated(path: str | os.PathLike[str]) -> PictureSequence:
    durations = []
    try:
        for _, duration in _iterate_with_durations(path):
            durations.append(duration)
    except InputError:  # which reading the frames will report
        if not durations:
            raise
    times = np.concatenate([[0.0], np.cumsum(durations)])
    return PictureSequence(lambda: (frame for frame, _ in _iterate_with_durations(path)), times)


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


def _list_frames(folder: str | os.PathLike[str]) -> list[Path]:
    """List the pictures in a folder, without other files, in the order of their numbers."""
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


def _iterate_files(files: list[Path]) -> Iterator[np.ndarray]:
    """Yield pictures; the one before a damaged one stands in its place."""
    shown = read_picture(files[0])
    yield shown
    for file in files[1:]:
        try:
            shown = read_picture(file)
        except InputError as error:
            logger.warning("%s; the frame before it stands", error)
        yield shown


def _of_one_size(frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Scale all frames to the size of the first."""
    first = next(frames)
    yield first
    for frame in frames:
        yield scale_into(frame, *first.shape[:2])
