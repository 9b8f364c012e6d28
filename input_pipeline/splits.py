"""The videos of a dataset and their split into training and test videos."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError
from fomm_jax.files import reading
from fomm_jax.media.pictures import PICTURE_SUFFIXES
from fomm_jax.media.video_reader import VIDEO_SUFFIXES
from input_pipeline.prepared import PreparedVideo, is_prepared, list_prepared_videos

TEST_SHARE = 0.2  # of the videos or ids in a random split

# A video file, a picture of frames, a folder of frames, or a video of a prepared dataset.
VideoLocation = Path | PreparedVideo

T = TypeVar("T")
Location = TypeVar("Location", bound=VideoLocation)


class Split(NamedTuple):
    """The locations of a dataset's training and test videos."""

    train: Sequence[VideoLocation]
    test: Sequence[VideoLocation]


def split_videos(dataset: DatasetConfig) -> Split:
    """Split the videos of `dataset.root_dir` by its folders, or else at random.

    If there are folders train/ and test/, they decide; their videos are sorted by name. A dataset
    that `python -m input_pipeline.prepare` wrote is split already. Otherwise the videos are sorted
    by name and split at random by `dataset.random_seed`; see `split_at_random`. With
    `dataset.id_sampling` the ids are split at random instead, so that no person is in both parts.

    Raises:
      InputError: a folder is missing or empty, a file in it is no video, or there are too few
        videos to split.
    """
    if not dataset.root_dir:
        raise InputError("config.dataset.root_dir is not set: expected a folder of videos")
    if is_prepared(dataset.root_dir):
        return Split(*list_prepared_videos(dataset.root_dir))
    root = Path(dataset.root_dir)
    if root.is_file():
        raise InputError(f"config.dataset.root_dir: {root} is a file; expected a folder of videos")
    if not root.is_dir():
        raise InputError(f"config.dataset.root_dir: there is no folder {root}")
    train, test = root / "train", root / "test"
    with reading(root):
        has_train, has_test = train.is_dir(), test.is_dir()
    if has_train != has_test:
        present, absent = (train, test) if has_train else (test, train)
        raise InputError(f"{root}: has {present.name}/ but no {absent.name}/; expected both")
    if has_train:
        return Split(list_videos(train), list_videos(test))
    videos = list_videos(root)
    groups = group_by_id(videos) if dataset.id_sampling else [[video] for video in videos]
    if len(groups) < 2:
        unit = "id" if dataset.id_sampling else "video"
        raise InputError(f"{root}: has one {unit} only; a random split needs at least 2")
    return Split(*split_at_random(groups, dataset.random_seed))


def split_at_random(groups: Sequence[Sequence[T]], seed: int) -> tuple[list[T], list[T]]:
    """Divide groups into a training and a test part without breaking a group.

    The groups are permuted as by scikit-learn's `train_test_split` with a test share of 0.2 and
    `random_state=seed`.

    Returns:
      The members of the training groups and those of the test groups.
    """
    num_test = math.ceil(TEST_SHARE * len(groups))
    order = np.random.RandomState(seed).permutation(len(groups))
    train, test = (
        [member for index in part for member in groups[index]]
        for part in (order[num_test:], order[:num_test])
    )
    return train, test


def list_videos(folder: Path) -> list[Path]:
    """List the videos in `folder`, sorted by name; hidden files are ignored.

    Raises:
      InputError: the folder cannot be read, is empty, or holds a file that is neither a picture nor
        a video.
    """
    with reading(folder):
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
        folders = {entry for entry in entries if entry.is_dir()}
    if not entries:
        raise InputError(f"{folder}: is empty; expected videos in it")
    for entry in entries:
        if entry not in folders and entry.suffix.lower() not in PICTURE_SUFFIXES + VIDEO_SUFFIXES:
            raise InputError(
                f"{entry}: expected a folder of frames, a picture of frames side by side"
                f" ({', '.join(PICTURE_SUFFIXES)})"
                f" or a video ({', '.join(VIDEO_SUFFIXES)})"
            )
    return entries


def group_by_id(videos: Sequence[Location]) -> list[list[Location]]:
    """Group videos by their id, which is the part of the name before the first '#'.

    The groups are sorted by id, and the videos of a group by name.
    """

    def video_id(video: VideoLocation) -> str:
        return video.name.split("#")[0]

    by_id = sorted(videos, key=lambda video: (video_id(video), video.name))
    return [list(group) for _, group in itertools.groupby(by_id, key=video_id)]
