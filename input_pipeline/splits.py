"""The videos of a dataset and their split into training and test videos."""

import itertools
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from fomm_jax.buckets import is_in_bucket
from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError
from fomm_jax.files import reading
from fomm_jax.media.litter import is_litter
from fomm_jax.media.pictures import WRITABLE_SUFFIXES
from fomm_jax.media.reading.video_reader import VIDEO_SUFFIXES
from input_pipeline.near_misses import check_is_folder, check_parts, parse_root
from input_pipeline.prepared import PreparedVideo, is_prepared, list_prepared_videos

SUFFIXES = WRITABLE_SUFFIXES + VIDEO_SUFFIXES
MOST_NAMED = 3  # files that a message lists
TEST_SHARE = 0.2  # of the videos or ids in a random split

# A video file, a picture of frames, a folder of frames, or a video of a prepared dataset.
VideoLocation = Path | PreparedVideo

logger = logging.getLogger(__name__)

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
      InputError: a folder is missing or empty, or there are too few videos to split. If it is
        nearly right, the message says what may be meant.
    """
    if not dataset.root_dir:
        raise InputError("config.dataset.root_dir is not set: expected a folder of videos")
    root_dir = parse_root(dataset.root_dir)
    if is_prepared(root_dir):
        return Split(*list_prepared_videos(root_dir, dataset.cache_dir))
    if is_in_bucket(root_dir):
        raise InputError(
            f"config.dataset.root_dir: {root_dir} is no prepared dataset; expected a folder that"
            " `python -m input_pipeline.prepare` wrote (raw videos are read from a disk)"
        )
    root = Path(root_dir)
    check_is_folder(root)
    train, test = root / "train", root / "test"
    with reading(root):
        has_both = train.is_dir() and test.is_dir()
    if has_both:
        return Split(list_videos(train), list_videos(test))
    check_parts(root)
    videos = list_videos(root)
    groups = group_by_id(videos) if dataset.id_sampling else [[video] for video in videos]
    if len(groups) < 2:
        unit = "id" if dataset.id_sampling else "video"
        folder = f", or {videos[0]} if that folder holds them" if videos[0].is_dir() else ""
        raise InputError(f"{root}: has one {unit} only; expected at least 2 to split{folder}")
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
    """List the videos in `folder`, sorted by name.

    What operating systems leave behind is skipped; other files that are no videos are left out, and
    named in one line.

    Raises:
      InputError: the folder cannot be read, is empty, or holds neither pictures nor videos nor
        folders.
    """
    with reading(folder):
        entries = sorted(entry for entry in folder.iterdir() if not is_litter(entry))
        videos = [entry for entry in entries if entry.suffix.lower() in SUFFIXES or entry.is_dir()]
    if not entries:
        raise InputError(f"{folder}: is empty; expected videos in it")
    others = sorted({*entries} - {*videos})
    if not videos:
        raise InputError(
            f"{others[0]}: expected a folder of frames, a picture of frames side by side"
            f" ({', '.join(WRITABLE_SUFFIXES)})"
            f" or a video ({', '.join(VIDEO_SUFFIXES)})"
        )
    if others:
        named = ", ".join(entry.name for entry in others[:MOST_NAMED])
        more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
        logger.warning("%s: left out %s%s, which are no videos", folder, named, more)
    return videos


def group_by_id(videos: Sequence[Location]) -> list[list[Location]]:
    """Group videos by their id, which is the part of the name before the first '#'.

    The groups are sorted by id, and the videos of a group by name.
    """

    def video_id(video: VideoLocation) -> str:
        return video.name.split("#")[0]

    by_id = sorted(videos, key=lambda video: (video_id(video), video.name))
    return [list(group) for _, group in itertools.groupby(by_id, key=video_id)]
