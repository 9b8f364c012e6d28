"""The test videos as reconstruction and animation read them."""

import csv
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError
from fomm_jax.types import Video
from input_pipeline.splits import VideoLocation, split_videos
from input_pipeline.videos import PictureCache, open_video


def open_test_videos(dataset: DatasetConfig, limit: int | None) -> list[Video]:
    """Open the first `limit` videos of the test split, or all where it is None.

    What is decoded on the way is kept in one `PictureCache`, so that memory is bounded.

    Raises:
      InputError: the dataset cannot be split or a video cannot be read.
    """
    cache = PictureCache()
    paths = split_videos(dataset).test[:limit]
    return [open_video(path, dataset.frame_shape, cache=cache) for path in paths]


def open_test_pairs(dataset: DatasetConfig, limit: int) -> list[tuple[Video, Video]]:
    """Open at most `limit` pairs of test videos, source and driving, as `animation_pairs` has them.

    Each video is opened once, with one `PictureCache` for all.

    Raises:
      InputError: as `animation_pairs`, or a video cannot be read.
    """
    cache = PictureCache()
    pairs = animation_pairs(dataset, limit)
    videos = {
        path: open_video(path, dataset.frame_shape, cache=cache)
        for path in dict.fromkeys(itertools.chain.from_iterable(pairs))
    }
    return [(videos[source], videos[driving]) for source, driving in pairs]


class AnimationPair(NamedTuple):
    """Two test videos."""

    source: VideoLocation  # its first frame is animated
    driving: VideoLocation  # by the motion of this one


def animation_pairs(dataset: DatasetConfig, num_pairs: int, seed: int = 0) -> list[AnimationPair]:
    """Choose at most `num_pairs` pairs, the first of `dataset.pairs_list` or else drawn at random.

    Random pairs are drawn without replacement from all combinations of the first `num_pairs`
    test videos, a video with itself included.

    Raises:
      InputError: the dataset cannot be split, or the list cannot be read or names a video that is
        not in the test split.
    """
    videos = split_videos(dataset).test
    if dataset.pairs_list is not None:
        return _listed_pairs(Path(dataset.pairs_list), videos)[:num_pairs]
    # The original's draw, kept call by call so that a seed means the same pairs.
    side = min(num_pairs, len(videos))
    chosen = np.random.RandomState(seed).choice(
        side * side, min(num_pairs, side * side), replace=False
    )
    return [
        AnimationPair(source=videos[cell % side], driving=videos[cell // side]) for cell in chosen
    ]


def _listed_pairs(path: Path, videos: Sequence[VideoLocation]) -> list[AnimationPair]:
    """Read every row of a CSV file with columns source and driving; further columns are ignored."""
    by_name = {video.name: video for video in videos}
    pairs = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if not {"source", "driving"} <= set(reader.fieldnames or ()):
                raise InputError(f"{path}: expected a first row with columns source and driving")
            for row in reader:
                for column in ("source", "driving"):
                    if row[column] not in by_name:
                        raise InputError(
                            f"{path}, line {reader.line_num}: the {column} {row[column]!r}"
                            f" is not among the {len(videos)} test videos of the dataset"
                        )
                pairs.append(AnimationPair(by_name[row["source"]], by_name[row["driving"]]))
    except OSError as error:
        raise InputError(
            f"config.dataset.pairs_list: cannot read {path}: {error.strerror}"
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: expected a CSV file in UTF-8: {error}") from None
    if not pairs:
        raise InputError(f"{path}: lists no pair")
    return pairs
