"""Pictures that follow one another: animated WebP, PNG and AVIF, and folders of frames.

Videos are read by `video_reader`, and so are animated GIFs, which FFmpeg composes as browsers do.
"""

import contextlib
import dataclasses
import io
import itertools
import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from fomm_jax.errors import InputError
from fomm_jax.files import check_is_file, reading
from fomm_jax.media.colours import WHITE, to_rgb
from fomm_jax.media.framing import scale_into
from fomm_jax.media.litter import is_litter
from fomm_jax.media.picture_files import check_size, is_animated, open_picture, picture_kind, repair
from fomm_jax.media.pictures import (
    DAMAGED_METADATA,
    WRITABLE_SUFFIXES,
    read_orientation,
    read_picture,
    turn_upright,
)
from fomm_jax.media.reading.video_reader import DamagedFramesError

logger = logging.getLogger(__name__)

# In seconds. Browsers show frames that ask for less, or for nothing, as long as the second one.
_SHORTEST, _IN_PLACE_OF_SHORTER = 0.011, 0.1

FOLDER_FPS = 25  # frames a second of a folder, as FFmpeg assumes

_FRAME_SUFFIXES = (*WRITABLE_SUFFIXES, ".gif", ".avif", ".heic", ".heif")


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
        return PictureSequence(lambda: _of_one_size(_iterate_files(path, files)), times)
    check_is_file(path, "a video")
    kind = picture_kind(path)
    if kind is None:
        return None
    content = None
    try:
        is_still, is_gif = _inspect(path)
    except Exception as error:  # depending on the damage, Pillow raises anything
        if kind in ("WEBP", "AVIF"):  # nothing else reads them
            raise InputError(f"{path}: is damaged") from error
        if kind != "PNG":
            return None
        is_still, is_gif = True, False
    if is_still and kind == "PNG" and (repaired := repair(path)) is not None:
        # Damaged metadata may stop Pillow before it sees that the picture moves.
        with contextlib.suppress(Exception):
            is_still, _ = _inspect(io.BytesIO(repaired))
            content = repaired
    if is_still:
        raise InputError(f"{path}: is a picture, expected a video")
    if is_gif:
        return None
    if content is not None:
        logger.warning(DAMAGED_METADATA, path)
    return _open_animated(path, content)


def _inspect(file: str | os.PathLike[str] | BinaryIO) -> tuple[bool, bool]:
    """Return whether a picture is still, and whether it is a GIF."""
    with open_picture(file) as header:
        return not is_animated(header), header.format == "GIF"


def _open_animated(path: str | os.PathLike[str], content: bytes | None) -> PictureSequence:
    """Open an animated picture; `content` is what was repaired of it."""
    durations = []
    try:
        for _, duration in _iterate_with_durations(path, content):
            durations.append(duration)
    except InputError:  # which reading the frames will report
        if not durations:
            raise
    times = np.concatenate([[0.0], np.cumsum(durations)])
    return PictureSequence(
        lambda: (frame for frame, _ in _iterate_with_durations(path, content)), times
    )


def _iterate_with_durations(
    path: str | os.PathLike[str], content: bytes | None
) -> Iterator[tuple[np.ndarray, float]]:
    number = 0
    try:
        with open_picture(path if content is None else io.BytesIO(content)) as image:
            check_size(path, image)
            orientation = read_orientation(image, path)
            # A PNG may begin with a picture for programs that cannot animate.
            first = 1 if image.info.get("default_image") else 0
            for position in range(first, getattr(image, "n_frames", 1)):
                image.seek(position)
                image.load()
                duration = image.info.get("duration", 0) / 1000
                yield (
                    turn_upright(to_rgb(image, WHITE, str(path)), orientation),
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
        files = [file for file in Path(folder).iterdir() if not is_litter(file)]
    frames = [file for file in files if file.suffix.lower() in _FRAME_SUFFIXES and file.is_file()]
    if not frames:
        raise InputError(f"{folder}: has no pictures; expected one for each frame")
    return sorted(frames, key=lambda file: _natural_order(file.name))


def _natural_order(name: str) -> tuple[list[str | int], str]:
    """Return a key by which frame 9 comes before frame 10."""
    parts = re.split(r"(\d+)", name)
    return [int(part) if i % 2 else part.lower() for i, part in enumerate(parts)], name


def _iterate_files(folder: str | os.PathLike[str], files: list[Path]) -> Iterator[np.ndarray]:
    """Yield pictures; in place of a damaged one, the one before it stands, or else the first whole.

    Raises:
      InputError: no picture can be read. The message is that of the first.
      DamagedFramesError: after the last picture, if some are damaged.
    """
    shown: np.ndarray | None = None
    errors: list[InputError] = []
    for number, file in enumerate(files):
        try:
            picture = read_picture(file)
        except InputError as error:
            errors.append(error)
        else:
            if shown is None:
                yield from itertools.repeat(picture, number)
            shown = picture
        if shown is not None:
            yield shown
    if shown is None:
        raise errors[0]
    if errors:
        raise DamagedFramesError(
            f"{folder}: number of damaged pictures: {len(errors)}; the one before stands in place"
            f" of each ({errors[0]})"
        )


def _of_one_size(frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Scale all frames to the size of the first."""
    first = next(frames)
    yield first
    for frame in frames:
        yield scale_into(frame, *first.shape[:2])
