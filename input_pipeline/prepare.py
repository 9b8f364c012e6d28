"""Turn raw videos into a dataset that is quick to train from.

    python -m input_pipeline.prepare --dataset=video_folder --input=DIR --output=DIR --size=256
    python -m input_pipeline.prepare --dataset=voxceleb --input=DIR --output=DIR --format=jpeg
    python -m input_pipeline.prepare --dataset=video_folder --input=DIR --output=DIR --crop=faces

An interrupted run is continued by the same command. `manifest.json` in the new dataset tells which
clips were kept and which were not, and why.
"""

import argparse
import contextlib
import functools
import io
import os
import sys
from pathlib import Path

import tensorflow_datasets as tfds
from absl import logging

from fomm_jax import console
from fomm_jax.errors import InputError, one_line_errors
from input_pipeline.datasets.builder import ClipsBuilder, make_config
from input_pipeline.datasets.clips import FITS
from input_pipeline.datasets.mp4_folder import write_mp4_folder
from input_pipeline.datasets.paper import Bair, Fashion, Mgif, Nemo, Taichi, Voxceleb
from input_pipeline.datasets.shards import STAGING
from input_pipeline.datasets.video_folder import VideoFolder
from input_pipeline.manifest import Encoding, Manifest, read_manifest

DATASETS: dict[str, type[ClipsBuilder]] = {
    "bair": Bair,
    "fashion": Fashion,
    "mgif": Mgif,
    "nemo": Nemo,
    "taichi": Taichi,
    "video_folder": VideoFolder,
    "voxceleb": Voxceleb,
}
SHOWN = 5  # refused or missing clips that are named at the end


def prepare(
    dataset: str,
    source: Path,
    output: Path,
    encoding: Encoding,
    *,
    num_workers: int,
    crop: str | None = None,
    id_sampling: bool = False,
    random_seed: int = 0,
) -> Path:
    """Prepare a dataset.

    Args:
      dataset: a key of `DATASETS`.
      source: folder of the raw files.
      output: takes the folder `DATASET/FORM`.
      encoding: the form.
      num_workers: processes that work beside each other.
      crop, id_sampling, random_seed: of `VideoFolder.select_clips`.

    Returns:
      The folder to train from.

    Raises:
      InputError: the raw files are not what is expected, or nothing can be written.
    """
    if not source.is_dir():
        raise InputError(f"--input: there is no folder {source}")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--output: cannot make the folder {output}: {error.strerror}") from error
    builder_class = DATASETS[dataset]
    select = builder_class.select_clips
    if builder_class is VideoFolder:
        select = functools.partial(
            VideoFolder.select_clips,
            crop=crop,
            id_sampling=id_sampling,
            random_seed=random_seed,
            num_workers=num_workers,
        )
    elif crop is not None or id_sampling:
        raise InputError(f"--crop, --id_sampling: expected with video_folder alone, not {dataset}")
    config = make_config(encoding)
    if encoding.format == "mp4":
        folder = output / dataset / config.name
        if _is_new(folder):
            write_mp4_folder(dataset, select(source), encoding, folder, num_workers)
        return folder
    builder = builder_class(
        select=select,
        num_workers=num_workers,
        data_dir=output,
        config=config.name if config.name in builder_class.builder_configs else config,
    )
    folder = Path(builder.data_path)
    if _is_new(folder):
        # What TFDS prints is of downloads, and there are none.
        with contextlib.redirect_stdout(io.StringIO()):
            builder.download_and_prepare(
                download_dir=folder.parent / STAGING,  # it wants to have one
                download_config=tfds.download.DownloadConfig(manual_dir=source),
            )
    return folder


def _is_new(folder: Path) -> bool:
    if folder.exists():
        print(f"{folder} exists already; remove it to prepare it anew")
    return not folder.exists()


def describe(folder: Path, manifest: Manifest) -> str:
    """What a prepared dataset holds, in a few lines."""
    totals = manifest.totals
    lines = [
        f"{len(manifest.train)} clips for training and {len(manifest.test)} for testing,"
        f" {totals['frames']} frames, {totals['bytes'] / 2**20:.1f} MiB"
    ]
    for what, names in (
        ("refused", [f"{clip.name}: {clip.reason}" for clip in manifest.refused]),
        ("missing", list(manifest.missing)),
    ):
        if names:
            lines.append(f"{len(names)} {what}:")
            lines += [f"  {name}" for name in names[:SHOWN]]
        if len(names) > SHOWN:
            lines.append(f"  and {len(names) - SHOWN} more, in {folder / 'manifest.json'}")
    lines.append(f"Train from it with --config.dataset.root_dir={folder}")
    return "\n".join(lines)


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    return int(height), int(width or height)


def run(options: argparse.Namespace) -> None:
    """Check the options, prepare, and say what came of it."""
    for name, value, least, most in (
        ("size", min(options.size), 16, None),
        ("quality", options.quality, 1, 100),
        ("keyframe_every", options.keyframe_every, 1, None),
        ("workers", options.workers, 1, None),
    ):
        if value < least or (most is not None and value > most):
            limit = f"at least {least}" if most is None else f"{least} to {most}"
            raise InputError(f"--{name} is {value}; expected {limit}")
    folder = prepare(
        options.dataset,
        options.input,
        options.output,
        Encoding(
            height=options.size[0],
            width=options.size[1],
            fit=options.fit,
            format=options.format,
            quality=options.quality,
            keyframe_every=options.keyframe_every,
        ),
        num_workers=options.workers,
        crop=options.crop,
        id_sampling=options.id_sampling,
        random_seed=options.seed,
    )
    print(describe(folder, read_manifest(folder)))


def main() -> None:
    """Run the command line; see the head of this file."""
    parser = argparse.ArgumentParser(
        prog="python -m input_pipeline.prepare",
        description="Turn raw videos into a dataset that is quick to train from.",
    )
    add = parser.add_argument
    add("--dataset", choices=sorted(DATASETS), required=True, help="whose raw files they are")
    add("--input", type=Path, required=True, help="folder of the raw files")
    add("--output", type=Path, required=True, help="folder that takes DATASET/FORM")
    add("--size", type=_size, default=(256, 256), help="of the frames: side, or HEIGHTxWIDTH")
    add("--fit", choices=FITS, default="crop", help="keep the aspect ratio, or do not")
    add(
        "--format",
        choices=("png", "jpeg", "mp4"),
        default="png",
        help="of the frames: without loss, smaller and quicker, or smallest and slowest",
    )
    add("--quality", type=int, default=95, help="of jpeg, 1 to 100")
    add("--keyframe_every", type=int, default=10, help="frames, of mp4")
    add(
        "--crop",
        help="video_folder: 'faces' makes a clip of every face that stays in place; a .csv file"
        " names clips by video, start, end, left, top, right, bottom",
    )
    add(
        "--id_sampling",
        action="store_true",
        help="video_folder: the random split keeps videos of one id (name before '#') together",
    )
    add("--seed", type=int, default=0, help="video_folder: of the random split")
    add("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    options = parser.parse_args()
    console.show_messages()
    logging.set_verbosity(logging.ERROR)  # TFDS warns of forms that it did not know before
    try:
        with one_line_errors():
            run(options)
    except KeyboardInterrupt:
        print("prepare: interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
