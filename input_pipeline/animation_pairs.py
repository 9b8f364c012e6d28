"""Chooses pairs of test videos for animation: a source video and a driving video."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError, naming
from input_pipeline.lists import read_rows
from input_pipeline.splits import VideoLocation, split_videos


class AnimationPair(NamedTuple):
    """Two test videos; they may be the same."""

    source: VideoLocation  # the video whose first frame is animated
    driving: VideoLocation  # the video that gives the motion


def choose_animation_pairs(
    dataset: DatasetConfig, num_pairs: int, seed: int = 0
) -> list[AnimationPair]:
    """Choose at most `num_pairs` pairs, from the top of `dataset.pairs_list` or else at random.

    Random pairs are drawn without replacement from all combinations of the first `num_pairs` test
    videos, including those of a video with itself.

    Raises:
      InputError: the dataset cannot be split, or the list cannot be read or names a video that is
        not in the test split.
    """
    videos = split_videos(dataset).test
    if dataset.pairs_list is not None:
        with naming("config.dataset.pairs_list"):
            return _read_pairs(Path(dataset.pairs_list), videos)[:num_pairs]
    # Draw in the same way as the original, so that a seed gives the same pairs there and here.
    side = min(num_pairs, len(videos))
    cells = np.random.RandomState(seed).choice(
        side * side, min(num_pairs, side * side), replace=False
    )
    return [
        AnimationPair(source=videos[cell % side], driving=videos[cell // side]) for cell in cells
    ]


def _read_pairs(path: Path, videos: Sequence[VideoLocation]) -> list[AnimationPair]:
    """Read every pair of a CSV file with the columns source and driving."""
    by_name = {video.name: video for video in videos}
    pairs = []
    for row in read_rows(path, AnimationPair._fields):
        cells = {column: row.cells[column].rstrip() for column in AnimationPair._fields}
        for column, cell in cells.items():
            if cell not in by_name:
                raise row.error(column, f"the name of one of the {len(videos)} test videos")
        pairs.append(AnimationPair(*(by_name[cell] for cell in cells.values())))
    if not pairs:
        raise InputError(f"{path}: lists no pair; expected a row for each")
    return pairs
