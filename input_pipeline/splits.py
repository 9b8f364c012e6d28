"""Which videos a dataset has, and which of them are for training and which for testing."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError
from fomm_jax.media.pictures import PICTURE_SUFFIXES
from fomm_jax.media.video_reader import VIDEO_SUFFIXES
from input_pipeline.prepared import PreparedVideo, is_prepared, list_prepared

TEST_SHARE = 0.2  # of a random split

T = TypeVar("T")
Location = TypeVar("Location", bound="VideoLocation")


VideoLocation = Path | PreparedVideo  # a file or a folder of frames, or a part of a dataset


class Split(NamedTuple):
    """Where a dataset's videos are."""

    train: Sequence[VideoLocation]
    test: Sequence[VideoLocation]


def split_videos(dataset: DatasetConfig) -> Split:
    """Split the videos of `dataset.root_dir` as its folders say, or else at random.

    With folders train/ and test/ each holds its videos, sorted by name; what
    `python -m input_pipeline.prepare` has written is split already. Otherwise the names are
    sorted and permuted by `dataset.random_seed` in the way of scikit-learn's `train_test_split`
    with a test share of 0.2. With `dataset.id_sampling` it is the ids that are permuted, so that
    nobody is in both parts.

    Raises:
      InputError: a folder is missing or empty, or a file in it is no video.
    """
    if not dataset.root_dir:
        raise InputError("config.dataset.root_dir is not set: expected a folder of videos")
    if is_prepared(dataset.root_dir):
        return Split(*list_prepared(dataset.root_dir))
    root = Path(dataset.root_dir)
    if not root.is_dir():
        raise InputError(f"config.dataset.root_dir: there is no folder {root}")
    train, test = root / "train", root / "test"
    if train.is_dir() != test.is_dir():
        present, absent = (train, test) if train.is_dir() else (test, train)
        raise InputError(f"{root}: has {present.name}/ but no {absent.name}/; expected both")
    if train.is_dir():
        return Split(list_videos(train), list_videos(test))
    videos = list_videos(root)
    groups = group_by_id(videos) if dataset.id_sampling else [[video] for video in videos]
    if len(groups) < 2:
        what = "id" if dataset.id_sampling else "video"
        raise InputError(f"{root}: has one {what} only; a random split needs at least 2")
    return Split(*split_at_random(groups, dataset.random_seed))


def split_at_random(groups: Sequence[Sequence[T]], seed: int) -> tuple[list[T], list[T]]:
    """Divide what is in the groups into parts for training and testing, no group into both.

    The groups are permuted in the way of scikit-learn's `train_test_split` with a test share of
    0.2 and the given `random_state`.
    """
    num_test = math.ceil(TEST_SHARE * len(groups))
    order = np.random.RandomState(seed).permutation(len(groups))
    train, test = (
        [member for index in part for member in groups[index]]
        for part in (order[num_test:], order[:num_test])
    )
    return train, test


def list_videos(folder: Path) -> list[Path]:
    """List the videos in `folder` sorted by name; hidden files do not count.

    Raises:
      InputError: there is none, or a file is neither a picture nor a video.
    """
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    if not entries:
        raise InputError(f"{folder}: is empty; expected videos in it")
    for entry in entries:
        if not entry.is_dir() and entry.suffix.lower() not in PICTURE_SUFFIXES + VIDEO_SUFFIXES:
            raise InputError(
                f"{entry}: expected a folder of frames, a picture of frames side by side"
                f" ({', '.join(PICTURE_SUFFIXES)})"
                f" or a video ({', '.join(VIDEO_SUFFIXES)})"
            )
    return entries


def group_by_id(videos: Sequence[Location]) -> list[list[Location]]:
    """Gather the videos of each id, both sorted; the id is the name up to the first '#'."""

    def video_id(video: VideoLocation) -> str:
        return video.name.split("#")[0]

    by_id = sorted(videos, key=lambda video: (video_id(video), video.name))
    return [list(group) for _, group in itertools.groupby(by_id, key=video_id)]
