"""Batches of one size, of frames that the networks can take."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from fomm_jax.config.schema import Config
from fomm_jax.config.validation import check_frame_size
from fomm_jax.errors import InputError

T = TypeVar("T")


def filled_batches(items: Iterable[T], size: int) -> Iterator[tuple[list[T], list[T]]]:
    """Yield the items in batches, each followed by the same, filled up to its size.

    The first item is a batch of its own, so that its result is there soon. All others have `size`.
    """
    items = iter(items)
    for each in itertools.chain([1], itertools.repeat(size)):
        batch = list(itertools.islice(items, each))
        if not batch:
            return
        yield batch, fill_batch(batch, each)


def fill_batch(batch: Sequence[T], size: int) -> list[T]:
    """Repeat the last item until the batch is full: another size would compile another program."""
    return [*batch, *[batch[-1]] * (size - len(batch))]


def checked_frames(frames: Iterable[np.ndarray], config: Config) -> Iterator[np.ndarray]:
    """Pass frames on, as long as all have one form, which the networks of a config can take.

    Raises:
      InputError: a frame is not (h, w, c) uint8, has another size than the first, or has a size
        that the networks cannot take.
    """
    size = None
    channels = config.model.num_channels
    for number, frame in enumerate(map(np.asarray, frames)):
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != channels:
            raise InputError(
                f"frame {number} is {frame.dtype}{frame.shape}; expected (height, width,"
                f" {channels}) uint8"
            )
        if size is None:
            size = frame.shape[:2]
            check_frame_size(config, *size)
        if frame.shape[:2] != size:
            raise InputError(
                f"frame {number} is of size {frame.shape[:2]}; expected {size}, as the first"
            )
        yield frame


def frames_of_size(frames: Iterable[np.ndarray], source: tuple[int, int]) -> Iterator[np.ndarray]:
    """Pass frames on, as long as they have the source's (height, width).

    Raises:
      InputError: a frame has another size.
    """
    for frame in frames:
        if np.shape(frame)[:2] != source:
            raise InputError(
                f"frames have size {np.shape(frame)[:2]}, the source has size {source}; expected"
                " the same size"
            )
        yield frame
