"""Data sets that are published as folders `train/` and `test/` of videos."""

from pathlib import Path

from fomm_jax.errors import InputError
from input_pipeline.datasets.clips import Clip, Selection
from input_pipeline.splits import list_videos


def select_whole_videos(folder: Path) -> Selection:
    """Take the videos in `train/` and `test/` as a whole.

    Raises:
      InputError: a folder is missing or empty, or holds something else.
    """
    for split in ("train", "test"):
        if not (folder / split).is_dir():
            raise InputError(f"{folder}: has no folder {split}; expected train and test in it")
    return Selection(
        train=[Clip(path.name, path) for path in list_videos(folder / "train")],
        test=[Clip(path.name, path) for path in list_videos(folder / "test")],
    )
