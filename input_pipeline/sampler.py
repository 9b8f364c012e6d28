"""Draws training pairs from the videos of a dataset."""

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError
from input_pipeline.bucket_frames import BucketError
from input_pipeline.data_checks import open_for_training
from input_pipeline.picture_cache import PictureCache
from input_pipeline.splits import VideoLocation, group_by_id
from input_pipeline.transforms import augment, sample_pair
from input_pipeline.videos import SeekableVideo

# Draws in a row that may fail. `max_bad_share` allows at most half of the videos to be bad; even
# then only one pair in 10^12 would need more draws.
MAX_DRAWS = 40


class DrawnPair(NamedTuple):
    """A training pair, or a batch of pairs after batching by Grain.

    A tuple, because Grain batches its fields without JAX as well.
    """

    source: np.ndarray  # (h, w, 3) uint8
    driving: np.ndarray  # (h, w, 3) uint8, as late in the video as `source` or later
    problems: np.ndarray  # () str: a JSON object of the unusable videos met, with the reasons


PairUnderWay = Iterator[DrawnPair | None]


class PairSampler:
    """Draws a training pair from a given video, or from one of the videos of a given id.

    A video is opened when it is first needed and stays open, so that each is probed only once. If a
    video or one of its frames cannot be used, another video is drawn by the same generator.

    Args:
      dataset: how pairs are drawn and augmented.
      videos: the videos to draw from.
    """

    def __init__(self, dataset: DatasetConfig, videos: Sequence[VideoLocation]) -> None:
        self._dataset = dataset
        self.num_videos = len(videos)
        self._groups = group_by_id(videos) if dataset.id_sampling else [[v] for v in videos]
        self._opened: dict[VideoLocation, SeekableVideo] = {}
        self._unusable: dict[VideoLocation, str] = {}
        self._cache = PictureCache()

    def __len__(self) -> int:
        """Return the number of videos, or the number of ids with `dataset.id_sampling`."""
        return len(self._groups)

    def __call__(self, element: int, rng: np.random.Generator) -> DrawnPair:
        """Draw a pair from the video (or id) number `element` modulo `len(sampler)`.

        If that video cannot be used, the pair comes from another one.

        Raises:
          BucketError: a bucket gives nothing.
          InputError: a video cannot be used and `dataset.strict` is set, or `MAX_DRAWS` videos in a
            row cannot be used.
        """
        return finish_one(self._draw(element, rng))

    def begin(self, element: int, rng: np.random.Generator) -> "PairUnderWay":
        """Begin to draw the same pair: ask a bucket for the frames, and do not wait."""
        drawing = self._draw(element, copy.deepcopy(rng))  # Grain uses `rng` again
        next(drawing)
        return drawing

    def _draw(self, element: int, rng: np.random.Generator) -> "PairUnderWay":
        """Yield None each time that frames are asked for, and then the pair."""
        problems: dict[str, str] = {}
        for _ in range(MAX_DRAWS):
            group = self._groups[element % len(self._groups)]
            location = group[rng.integers(len(group))]
            try:
                video = self._open(location)
                wait = video.request(sample_pair(len(video), rng))
                yield None
                source, driving = augment(wait(), self._dataset.augmentation, rng)
            except InputError as error:
                if self._dataset.strict or isinstance(error, BucketError):
                    raise
                problems[str(location)] = str(error)
                element = int(rng.integers(len(self._groups)))
            else:
                yield DrawnPair(source, driving, np.array(json.dumps(problems)))
                return
        raise InputError(
            f"{MAX_DRAWS} training videos drawn in a row cannot be used;"
            f" the first: {next(iter(problems.values()))}"
        )

    def _open(self, location: VideoLocation) -> SeekableVideo:
        # Remember only whether a video can be opened, not whether its frames can be read: otherwise
        # earlier draws would decide whether this video is used.
        if location in self._unusable:
            raise InputError(self._unusable[location])
        if location not in self._opened:
            try:
                video = open_for_training(location, self._dataset, self._cache)
                self._opened[location] = video
            except InputError as error:
                self._unusable[location] = str(error)
                raise
        return self._opened[location]


def finish_one(drawing: PairUnderWay) -> DrawnPair:
    """Wait for a pair that `PairSampler.begin` returned."""
    return next(pair for pair in drawing if pair is not None)


def finish(pairs: Sequence[PairUnderWay]) -> list[DrawnPair]:
    """Wait for pairs that `PairSampler.begin` returned."""
    return [finish_one(pair) for pair in pairs]


def stack(pairs: Sequence[DrawnPair], new_array: Callable[..., np.ndarray] = np.empty) -> DrawnPair:
    """Batch pairs.

    Args:
      pairs: at least one pair.
      new_array: makes the arrays for the pictures, from their shape and dtype.
    """

    def stack_pictures(frames: list[np.ndarray]) -> np.ndarray:
        return np.stack(frames, out=new_array((len(frames), *frames[0].shape), frames[0].dtype))

    return DrawnPair(
        stack_pictures([pair.source for pair in pairs]),
        stack_pictures([pair.driving for pair in pairs]),
        np.stack([pair.problems for pair in pairs]),
    )
