"""The TFDS builder that all datasets share.

Neither preparing nor reading a dataset needs TensorFlow.
"""

import abc
import concurrent.futures
import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core.dataset_builder import FileReaderBuilder

from fomm_jax.buckets import AnyPath, file_system
from fomm_jax.files import replacing, writing
from input_pipeline.clips.clip import Selection
from input_pipeline.datasets.clip_writers import record_features
from input_pipeline.datasets.shards import STAGING, Shard, summarize, write_shards
from input_pipeline.frame_index import index_path, load_index, write_index
from input_pipeline.manifest import Encoding, write_dataset_manifest

INFO = "dataset_info.json"  # written last
OBJECTS_AT_ONCE = 16  # of a bucket


@dataclasses.dataclass
class ClipsConfig(tfds.core.BuilderConfig):
    """A form in which a dataset can be prepared."""

    encoding: Encoding = dataclasses.field(default_factory=Encoding)


def make_config(encoding: Encoding) -> ClipsConfig:
    """Return the config of an encoding, named like `256x256_png` or `256x256_stretched_jpeg95`."""
    stretched = "_stretched" if encoding.fit == "stretch" else ""
    quality = encoding.quality if encoding.format == "jpeg" else ""
    return ClipsConfig(
        name=f"{encoding.height}x{encoding.width}{stretched}_{encoding.format}{quality}",
        encoding=encoding,
    )


class ClipsBuilder(FileReaderBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Videos as ArrayRecord files with a record for each frame.

    The frames of a video follow one another, and the videos follow the order of `manifest.json`,
    which lies beside the files. With a record for each video instead, a whole video would be read
    for the sake of two frames (docs/input_pipeline.md has measurements).

    Args:
      select: a function that selects the clips from the folder of raw files, in place of
        `select_clips`.
      num_workers: the number of processes that cut and encode.
      bucket: the folder in a bucket that the records are written to; the other, small files are
        written to `data_dir`. None: all files are written to `data_dir`.
      kwargs: arguments of TFDS: `data_dir`, and as `config` one of `BUILDER_CONFIGS` or the result
        of `make_config`.
    """

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [make_config(Encoding()), make_config(Encoding(format="jpeg"))]  # noqa: RUF012

    builder_config: ClipsConfig

    def __init__(
        self,
        *,
        select: Callable[[Path], Selection] | None = None,
        num_workers: int = os.cpu_count() or 1,
        bucket: "AnyPath | None" = None,
        **kwargs: Any,
    ):
        self._select = select or self.select_clips
        self._num_workers = num_workers
        self._bucket = bucket
        super().__init__(file_format="array_record", **kwargs)

    @staticmethod
    @abc.abstractmethod
    def select_clips(folder: Path) -> Selection:
        """Select the clips for training and testing from the folder of the raw files.

        Raises:
          InputError: the folder does not hold the expected files.
        """

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=record_features(self.builder_config.encoding),
            disable_shuffling=True,  # the manifest gives the place of each video
        )

    def _download_and_prepare(self, dl_manager: Any, download_config: Any = None) -> None:
        # TFDS lets `data_path` be a temporary folder here, and renames it afterwards.
        folder = Path(self.data_path)
        encoding = self.builder_config.encoding
        selection = self._select(Path(dl_manager.manual_dir))
        staging = (self._bucket or folder).parent / STAGING
        with write_shards(selection, encoding, staging, self._num_workers) as shards:
            splits = []
            for split, split_shards in shards.items():
                used = [shard for shard in split_shards if shard.clips]
                template = self._get_filename_template(split)
                targets = template.sharded_filepaths(len(used))
                write_index(index_path(folder, split), _read_indices(used))
                _put_in_place(used, [(self._bucket or folder) / path.name for path in targets])
                lengths = [sum(clip.frames for clip in shard.clips) for shard in used]
                num_bytes = sum(clip.bytes for shard in used for clip in shard.clips)
                splits.append(tfds.core.SplitInfo(split, lengths, num_bytes, template))
            self.info.set_splits(tfds.core.splits.SplitDict(splits))
            write_dataset_manifest(folder, summarize(self.name, encoding, selection, shards))
            if self._bucket:  # before the shards are removed
                self.info.write_to_directory(folder)
                _send(folder, self._bucket)


def _read_indices(shards: Sequence[Shard]) -> list[np.ndarray]:
    with concurrent.futures.ThreadPoolExecutor(OBJECTS_AT_ONCE) as pool:
        return [*pool.map(load_index, [shard.path.with_suffix(".npy") for shard in shards])]


def _put_in_place(shards: Sequence[Shard], targets: Sequence[AnyPath]) -> None:
    """Move files of records on a disk; copy them in a bucket, where nothing moves at once."""
    if isinstance(targets[0], Path):
        for shard, target in zip(shards, targets, strict=True):
            shard.path.rename(target)
        return
    with writing(targets[0]), concurrent.futures.ThreadPoolExecutor(OBJECTS_AT_ONCE) as pool:
        sources = [os.fspath(shard.path) for shard in shards]
        [*pool.map(file_system().copy, sources, map(os.fspath, targets))]


def _send(folder: Path, bucket: AnyPath) -> None:
    """Send the small files of a dataset; the one by which it counts as complete is the last."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name == INFO):
        with replacing(bucket / path.name) as unfinished:
            unfinished.write_bytes(path.read_bytes())
