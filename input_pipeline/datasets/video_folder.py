"""Any folder of videos."""

import itertools
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError, naming
from fomm_jax.media.faces import HeadDetector
from input_pipeline.clips.clip import Clip, Selection
from input_pipeline.clips.clip_list import read_clip_list
from input_pipeline.clips.face_tracks import TrackSettings, face_clips
from input_pipeline.datasets.builder import ClipsBuilder
from input_pipeline.manifest import RefusedClip
from input_pipeline.splits import split_at_random, split_videos
from input_pipeline.worker_pool import worker_pool


class VideoFolder(ClipsBuilder):
    """The videos of a folder, each a file, a folder of frames or a picture of frames."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    The folder must hold either the folders `train` and `test` with videos, or videos, which are
    then split 80:20 at random. A video is a file, a folder of frames, or a picture of square frames
    side by side.
    """

    @staticmethod
    def select_clips(
        folder: Path,
        *,
        crop: str | None = None,
        id_sampling: bool = False,
        random_seed: int = 0,
        num_workers: int = 1,
    ) -> Selection:
        """Select whole videos or parts of them, and split them like `splits.split_videos`.

        Args:
          folder: the folder of the videos.
          crop: None for whole videos; "faces" for the faces in them; or the path of a CSV file, as
            `clip_list.read_clip_list` reads it, which names videos below the folder.
          id_sampling: whether a random split keeps the videos of an id together.
          random_seed: the seed of a random split.
          num_workers: the number of processes that look for faces.

        Raises:
          InputError: the folder cannot be split, or the CSV file cannot be used.
        """
        if crop is not None and crop != "faces":
            return _select_listed(Path(crop), folder, random_seed)
        split = split_videos(
            DatasetConfig(root_dir=str(folder), id_sampling=id_sampling, random_seed=random_seed)
        )
        train, test = ([path for path in paths if isinstance(path, Path)] for paths in split)
        if len(train) < len(split.train):
            raise InputError(f"{folder}: is a prepared dataset already")
        if crop == "faces":
            return _select_faces(train, test, num_workers)
        return Selection(
            train=[Clip(path.name, path) for path in train],
            test=[Clip(path.name, path) for path in test],
        )


def _select_faces(train: Sequence[Path], test: Sequence[Path], num_workers: int) -> Selection:
    """Select the faces in videos; a video without a usable face is refused."""
    with naming("crop=faces"):
        HeadDetector(TrackSettings.min_size)  # raises once, before all work, if dlib is missing
    with worker_pool(num_workers) as pool:
        paths = [*train, *test]
        outcomes = tqdm(pool.map(_find_faces, paths), "faces", len(paths), unit="video")
        clips_or_reason = dict(zip(paths, outcomes, strict=True))
    clips: dict[Path, list[Clip]] = {path: [] for path in paths}
    refused = []
    for path, outcome in clips_or_reason.items():
        if isinstance(outcome, str):
            refused.append(RefusedClip(path.name, outcome))
        else:
            clips[path] = outcome
    return Selection(
        train=[clip for path in train for clip in clips[path]],
        test=[clip for path in test for clip in clips[path]],
        refused=refused,
    )


def _find_faces(path: Path) -> list[Clip] | str:
    """Return the clips of a video, or the reason why there are none."""
    settings = TrackSettings()
    try:
        return face_clips(path, settings) or (
            f"{path}: no face of {settings.min_size} pixels stays in place for"
            f" {settings.min_seconds} seconds"
        )
    except InputError as error:
        return str(error)


def _select_listed(csv_path: Path, folder: Path, random_seed: int) -> Selection:
    """Select the clips of a CSV file; train/ and test/ decide on the split if all videos have one.

    Otherwise the videos are split at random, so that the clips of a video stay together.
    """
    clips, missing = read_clip_list(csv_path, folder)
    subfolders = {clip.path.relative_to(folder).parts[0] for clip in clips}
    if subfolders <= {"train", "test"}:
        train, test = (
            [clip for clip in clips if clip.path.is_relative_to(folder / split)]
            for split in ("train", "test")
        )
    else:
        by_video = sorted(clips, key=lambda clip: (clip.path, clip.start))
        groups = [[*group] for _, group in itertools.groupby(by_video, lambda clip: clip.path)]
        train, test = split_at_random(groups, random_seed)
    return Selection(train, test, missing)
