"""The TFDS builder that all datasets share.

TensorFlow is not needed, neither to prepare nor to read.
"""

import abc
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from tensorflow_datasets.core.dataset_builder import FileReaderBuilder

from input_pipeline.datasets.clips import Selection
from input_pipeline.datasets.shards import features, staged, summarize
from input_pipeline.manifest import Encoding, write_manifest


@dataclasses.dataclass
class ClipsConfig(tfds.core.BuilderConfig):
    """A form in which a dataset is prepared."""

    encoding: Encoding = dataclasses.field(default_factory=Encoding)


def make_config(encoding: Encoding) -> ClipsConfig:
    """Name a form after what it is, such as `256x256_png` or `256x256_stretched_jpeg95`."""
    stretched = "_stretched" if encoding.fit == "stretch" else ""
    quality = encoding.quality if encoding.format == "jpeg" else ""
    return ClipsConfig(
        name=f"{encoding.height}x{encoding.width}{stretched}_{encoding.format}{quality}",
        encoding=encoding,
    )


class ClipsBuilder(FileReaderBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Videos as ArrayRecord files, with a record for each frame.

    The frames of a video follow one another, in the order of `manifest.json`, which lies beside
    them. A record a video would be read as a whole for the sake of two frames
    (docs/input_pipeline.md has the figures).

    Args:
      select: finds the clips in the folder of the raw files, in place of `select_clips`.
      num_workers: processes that cut and encode.
      kwargs: of TFDS: `data_dir`, and as `config` one of `BUILDER_CONFIGS` or of `make_config`.
    """

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [make_config(Encoding()), make_config(Encoding(format="jpeg"))]  # noqa: RUF012

    builder_config: ClipsConfig

    def __init__(
        self,
        *,
        select: Callable[[Path], Selection] | None = None,
        num_workers: int = os.cpu_count() or 1,
        **kwargs: Any,
    ):
        self._select = select or self.select_clips
        self._num_workers = num_workers
        super().__init__(file_format="array_record", **kwargs)

    @staticmethod
    @abc.abstractmethod
    def select_clips(folder: Path) -> Selection:
        """Find the clips of either split in the folder of the raw files.

        Raises:
          InputError: the folder does not hold what is expected of it.
        """

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.__doc__,
            features=features(self.builder_config.encoding),
            disable_shuffling=True,  # the manifest tells where a video is
        )

    def _download_and_prepare(self, dl_manager: Any, download_config: Any = None) -> None:
        # `data_path` is a temporary folder by now, which gets its name when this has returned.
        folder = Path(self.data_path)
        encoding = self.builder_config.encoding
        selection = self._select(Path(dl_manager.manual_dir))
        with staged(selection, encoding, folder.parent, self._num_workers) as shards:
            splits = []
            for split, all_written in shards.items():
                written = [shard for shard in all_written if shard.kept]
                template = self._get_filename_template(split)
                targets = template.sharded_filepaths(len(written))
                for shard, target in zip(written, targets, strict=True):
                    shard.path.rename(target)
                lengths = [sum(clip.frames for clip in shard.kept) for shard in written]
                num_bytes = sum(clip.bytes for shard in written for clip in shard.kept)
                splits.append(tfds.core.SplitInfo(split, lengths, num_bytes, template))
            self.info.set_splits(tfds.core.splits.SplitDict(splits))
            write_manifest(folder, summarize(self.name, encoding, selection, shards))
