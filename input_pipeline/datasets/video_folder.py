"""Any folder of videos."""

import concurrent.futures
import itertools
import multiprocessing
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError, naming
from fomm_jax.media.faces import HeadDetector
from input_pipeline.datasets.builder import ClipsBuilder
from input_pipeline.datasets.clip_list import read_clip_list
from input_pipeline.datasets.clips import Clip, Selection
from input_pipeline.datasets.face_tracks import TrackSettings, face_clips
from input_pipeline.manifest import RefusedClip
from input_pipeline.splits import split_at_random, split_videos


class VideoFolder(ClipsBuilder):
    """The videos of a folder, each a file, a folder of frames or a picture of frames."""

    MANUAL_DOWNLOAD_INSTRUCTIONS = """
    A folder with train/ and test/, or a folder of videos that is split 80:20 at random. A video is
    a file, a folder of frames, or a picture of square frames side by side.
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
        """Take videos as a whole, or parts of them; the split is that of `splits.split_videos`.

        Args:
          folder: of the videos.
          crop: None for whole videos; "faces" for the faces in them; or a CSV file as of
            `clip_list.read_clip_list`, which names videos below the folder.
          id_sampling: keep the videos of one id together where the split is at random.
          random_seed: of that split.
          num_workers: processes that look for faces.

        Raises:
          InputError: the folder cannot be split, or the CSV file cannot be used.
        """
        if crop is not None and crop != "faces":
            return _listed(Path(crop), folder, random_seed)
        split = split_videos(
            DatasetConfig(root_dir=str(folder), id_sampling=id_sampling, random_seed=random_seed)
        )
        train, test = ([path for path in paths if isinstance(path, Path)] for paths in split)
        if len(train) < len(split.train):
            raise InputError(f"{folder}: is a prepared dataset already")
        if crop == "faces":
            return _faces(train, test, num_workers)
        return Selection(
            train=[Clip(path.name, path) for path in train],
            test=[Clip(path.name, path) for path in test],
        )


def _faces(train: Sequence[Path], test: Sequence[Path], num_workers: int) -> Selection:
    with naming("--crop=faces"):
        HeadDetector(TrackSettings.min_size)  # tells once, before all work, where dlib is missing
    with concurrent.futures.ProcessPoolExecutor(
        num_workers, multiprocessing.get_context("spawn")
    ) as pool:
        paths = [*train, *test]
        outcomes = tqdm(pool.map(_find_faces, paths), "faces", len(paths), unit="video")
        found = dict(zip(paths, outcomes, strict=True))
    refused = [RefusedClip(path.name, why) for path, why in found.items() if isinstance(why, str)]
    clips = {path: [] if isinstance(found[path], str) else found[path] for path in paths}
    return Selection(
        train=[clip for path in train for clip in clips[path]],
        test=[clip for path in test for clip in clips[path]],
        refused=refused,
    )


def _find_faces(path: Path) -> list[Clip] | str:
    """The clips of a video, or why there are none."""
    settings = TrackSettings()
    try:
        return face_clips(path, settings) or (
            f"{path}: no face of {settings.min_size} pixels stays in place for"
            f" {settings.min_seconds} seconds"
        )
    except InputError as error:
        return str(error)


def _listed(path: Path, folder: Path, random_seed: int) -> Selection:
    clips, missing = read_clip_list(path, folder)
    parts = {clip.path.relative_to(folder).parts[0] for clip in clips}
    if parts <= {"train", "test"}:
        train, test = (
            [clip for clip in clips if clip.path.is_relative_to(folder / split)]
            for split in ("train", "test")
        )
    else:  # clips of one video stay together
        by_video = sorted(clips, key=lambda clip: (clip.path, clip.start))
        groups = [[*group] for _, group in itertools.groupby(by_video, lambda clip: clip.path)]
        train, test = split_at_random(groups, random_seed)
    return Selection(train, test, missing)
