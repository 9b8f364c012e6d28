"""Datasets that are published as two folders of videos, `train/` and `test/`."""

from pathlib import Path

from fomm_jax.errors import InputError
from input_pipeline.clips.clip import Clip, Selection
from input_pipeline.splits import list_videos


def select_whole_videos(folder: Path) -> Selection:
    """Select every video in the folders `train/` and `test/` of `folder`, uncut.

    Raises:
      InputError: one of the two folders is missing or empty, or holds a file that is no video.
    """
    for split in ("train", "test"):
        if not (folder / split).is_dir():
            raise InputError(f"{folder}: has no folder {split}; expected train and test in it")
    return Selection(
        train=[Clip(path.name, path) for path in list_videos(folder / "train")],
        test=[Clip(path.name, path) for path in list_videos(folder / "test")],
    )
