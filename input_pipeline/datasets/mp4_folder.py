"""Writes a dataset as a folder of mp4 files in which every frame is close to a key frame."""

import os
from pathlib import Path

from input_pipeline.clips.clip import Selection
from input_pipeline.datasets.shards import STAGING, summarize, write_shards
from input_pipeline.folders import new_folder
from input_pipeline.manifest import Encoding, write_dataset_manifest


def write_mp4_folder(
    dataset: str, selection: Selection, encoding: Encoding, folder: Path, num_workers: int
) -> None:
    """Write `manifest.json` and a folder for each split that has clips, all of it or nothing.

    Args:
      dataset: the name of the dataset for the manifest.
      selection: the clips.
      encoding: how the frames are stored.
      folder: the new folder to write; it appears only when it is complete.
      num_workers: the number of processes that cut and encode.

    Raises:
      InputError: the folder cannot be written, two clips of a split have the same name, or no clip
        of a split can be used.
    """
    with (
        write_shards(selection, encoding, folder.parent / STAGING, num_workers) as shards,
        new_folder(folder) as partial,
    ):
        for split, split_shards in shards.items():
            (partial / split).mkdir()
            for shard in split_shards:
                for clip in shard.clips:
                    os.link(Path(shard.path) / clip.name, partial / split / clip.name)
        write_dataset_manifest(partial, summarize(dataset, encoding, selection, shards))
