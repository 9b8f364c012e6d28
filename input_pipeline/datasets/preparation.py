"""Prepares a dataset from raw files: which builders there are, and how one is run."""

import contextlib
import io
import logging
from collections.abc import Callable
from pathlib import Path

import tensorflow_datasets as tfds

from fomm_jax.errors import InputError
from fomm_jax.files import writing
from input_pipeline.clips.clip import Selection
from input_pipeline.datasets.bair import Bair
from input_pipeline.datasets.builder import ClipsBuilder, make_config
from input_pipeline.datasets.fashion import Fashion
from input_pipeline.datasets.mgif import Mgif
from input_pipeline.datasets.mp4_folder import write_mp4_folder
from input_pipeline.datasets.nemo import Nemo
from input_pipeline.datasets.shards import STAGING
from input_pipeline.datasets.taichi import Taichi
from input_pipeline.datasets.video_folder import VideoFolder
from input_pipeline.datasets.voxceleb import Voxceleb
from input_pipeline.manifest import Encoding

DATASETS: dict[str, type[ClipsBuilder]] = {
    "bair": Bair,
    "fashion": Fashion,
    "mgif": Mgif,
    "nemo": Nemo,
    "taichi": Taichi,
    "video_folder": VideoFolder,
    "voxceleb": Voxceleb,
}

logger = logging.getLogger(__name__)


def prepare_dataset(
    dataset: str,
    source: Path,
    output: Path,
    encoding: Encoding,
    *,
    num_workers: int,
    select: Callable[[Path], Selection] | None = None,
) -> Path:
    """Prepare a dataset, unless that was done before.

    Args:
      dataset: the name of the dataset, a key of `DATASETS`.
      source: the folder of the raw files.
      output: the folder in which the folder `DATASET/FORM` of the prepared dataset is made.
      encoding: how the frames are stored.
      num_workers: the number of processes that cut and encode.
      select: a function that selects the clips from the folder of the raw files, in place of the
        dataset's own `select_clips`.

    Returns:
      The folder to train from.

    Raises:
      InputError: the raw files are not the expected ones, or the output cannot be written.
    """
    if not source.is_dir():
        raise InputError(f"source: there is no folder {source}")
    with writing(output):
        output.mkdir(parents=True, exist_ok=True)
    builder_class = DATASETS[dataset]
    config = make_config(encoding)
    if encoding.format == "mp4":  # without TFDS, which has no form for it
        folder = output / dataset / config.name
        if not _exists(folder):
            selection = (select or builder_class.select_clips)(source)
            write_mp4_folder(dataset, selection, encoding, folder, num_workers)
        return folder
    builder = builder_class(
        select=select,
        num_workers=num_workers,
        data_dir=output,
        config=config.name if config.name in builder_class.builder_configs else config,
    )
    folder = Path(builder.data_path)
    if not _exists(folder):
        # TFDS prints messages about downloads, although nothing is downloaded.
        with contextlib.redirect_stdout(io.StringIO()):
            builder.download_and_prepare(
                download_dir=folder.parent / STAGING,  # TFDS insists on a folder for downloads
                download_config=tfds.download.DownloadConfig(manual_dir=source),
            )
    return folder


def _exists(folder: Path) -> bool:
    """Return whether the dataset exists already, and tell the user so."""
    if folder.exists():
        logger.info("%s exists already; remove it to prepare it anew", folder)
    return folder.exists()
