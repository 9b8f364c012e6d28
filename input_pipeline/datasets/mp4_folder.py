"""A dataset as a folder of mp4 files, any frame of which is read soon: key frames are many."""

import os
import shutil
import tempfile
from pathlib import Path

from input_pipeline.datasets.clips import Selection
from input_pipeline.datasets.shards import staged, summarize
from input_pipeline.manifest import Encoding, write_manifest


def write_mp4_folder(
    dataset: str, selection: Selection, encoding: Encoding, folder: Path, num_workers: int
) -> None:
    """Write `train/`, `test/` and `manifest.json` into a new folder, all or nothing.

    Args:
      dataset: its name, for the manifest.
      selection: the clips.
      encoding: of the frames.
      folder: appears when everything is in it.
      num_workers: processes that cut and encode.

    Raises:
      InputError: as `shards.staged`.
    """
    with staged(selection, encoding, folder.parent, num_workers) as shards:
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            for split, written in shards.items():
                (partial / split).mkdir()
                for shard in written:
                    for clip in shard.kept:
                        os.link(shard.path / clip.name, partial / split / clip.name)
            write_manifest(partial, summarize(dataset, encoding, selection, shards))
            partial.chmod(0o755)  # mkdtemp's folder is closed to others
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
