"""Prepares a dataset from raw files: which builders there are, and how one is run."""

import contextlib
import io
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

import tensorflow_datasets as tfds

from fomm_jax.buckets import AnyPath, is_in_bucket
from fomm_jax.errors import InputError
from fomm_jax.files import check_can_write, is_file, writing
from input_pipeline.clips.clip import Selection
from input_pipeline.datasets.bair import Bair
from input_pipeline.datasets.builder import INFO, ClipsBuilder, make_config
from input_pipeline.datasets.fashion import Fashion
from input_pipeline.datasets.mgif import Mgif
from input_pipeline.datasets.mp4_folder import write_mp4_folder
from input_pipeline.datasets.nemo import Nemo
from input_pipeline.datasets.shards import STAGING, write_part
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
    output: AnyPath,
    encoding: Encoding,
    *,
    num_workers: int,
    select: Callable[[Path], Selection] | None = None,
    part: tuple[int, int] | None = None,
) -> AnyPath:
    """Prepare a dataset, unless it exists; there are seven parameters because each is a flag.

    Args:
      dataset: the name of the dataset, a key of `DATASETS`.
      source: the folder of the raw files.
      output: the folder in which the folder `DATASET/FORM` of the prepared dataset is made.
      encoding: how the frames are stored.
      num_workers: the number of processes that cut and encode.
      select: a function that selects the clips from the folder of the raw files, in place of the
        dataset's own `select_clips`.
      part: as in `write_part`: only that part is written, for a later call without it.

    Returns:
      The folder to train from.

    Raises:
      InputError: the raw files are not the expected ones, or the output cannot be written.
    """
    if not source.is_dir():
        raise InputError(f"source: there is no folder {source}")
    if is_in_bucket(output):
        if encoding.format == "mp4":
            raise InputError(f"{output}: mp4 files are read from a disk; expected png or jpeg here")
        check_can_write(output / dataset / INFO)
    else:
        with writing(output):
            output.mkdir(parents=True, exist_ok=True)
    builder_class = DATASETS[dataset]
    select, config = select or builder_class.select_clips, make_config(encoding)
    form = output / dataset / config.name
    folder = form if encoding.format == "mp4" else form / str(builder_class.VERSION)
    if _exists(folder):
        return folder
    if part is not None:
        write_part(select(source), encoding, folder.parent / STAGING, num_workers, part)
    elif encoding.format == "mp4":  # without TFDS, which has no form for it
        write_mp4_folder(dataset, select(source), encoding, Path(folder), num_workers)
    else:
        with tempfile.TemporaryDirectory() as small_files:
            in_bucket = is_in_bucket(folder)
            builder = builder_class(
                select=select,
                num_workers=num_workers,
                bucket=folder if in_bucket else None,
                data_dir=small_files if in_bucket else output,
                config=config.name if config.name in builder_class.builder_configs else config,
            )
            _run(builder, source)
    return folder


def _run(builder: ClipsBuilder, source: Path) -> None:
    # TFDS prints messages about downloads, although nothing is downloaded.
    with contextlib.redirect_stdout(io.StringIO()):
        builder.download_and_prepare(
            # TFDS insists on a folder for downloads.
            download_dir=Path(builder.data_path).parent / STAGING,
            download_config=tfds.download.DownloadConfig(manual_dir=source),
        )


def _exists(folder: AnyPath) -> bool:
    """Return whether the dataset exists already, and tell the user so.

    In a bucket, a folder without the file that is written last is an interrupted run's.
    """
    exists = is_file(folder / INFO) if is_in_bucket(folder) else folder.exists()
    if exists:
        logger.info("%s exists already; remove it to prepare it anew", folder)
    return exists
