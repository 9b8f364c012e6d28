"""Turn raw videos into a dataset that is quick to train from.

    python -m input_pipeline.prepare --dataset=video_folder --input=DIR --output=DIR --size=256
    python -m input_pipeline.prepare --dataset=voxceleb --input=DIR --output=DIR --format=jpeg
    python -m input_pipeline.prepare --dataset=video_folder --input=DIR --output=DIR --crop=faces
    python -m input_pipeline.prepare --dataset=video_folder --input=DIR --output=gs://BUCKET/DIR

The same command continues an interrupted run. `manifest.json` in the new dataset lists the clips
that it holds, and those that were left out with the reasons.
"""

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # While the program loads, Ctrl-C ends it without a word. `ending_by_signals` changes that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import functools
import os
from collections.abc import Callable
from pathlib import Path

from absl import logging as absl_logging

from fomm_jax import console
from fomm_jax.buckets import AnyPath, to_path
from fomm_jax.errors import InputError, naming, one_line_errors
from fomm_jax.signals import ending_by_signals
from fomm_jax.user_paths import (
    check_current_folder,
    check_is_text,
    expand_home,
    parse_path,
    parse_stored_path,
)
from input_pipeline.clips.clip import FITS, Selection
from input_pipeline.datasets.preparation import DATASETS, prepare_dataset
from input_pipeline.datasets.video_folder import VideoFolder
from input_pipeline.manifest import DatasetManifest, Encoding, read_dataset_manifest

MAX_NAMED_CLIPS = 5  # refused or missing ones, in the summary


def describe(folder: AnyPath, manifest: DatasetManifest) -> str:
    """Describe the content of a prepared dataset in a few lines."""
    totals = manifest.totals
    lines = [
        f"{len(manifest.train)} clips for training and {len(manifest.test)} for testing,"
        f" {totals['frames']} frames, {totals['bytes'] / 2**20:.1f} MiB"
    ]
    for kind, names in (
        ("refused", [f"{clip.name}: {clip.reason}" for clip in manifest.refused]),
        ("missing", list(manifest.missing)),
    ):
        if names:
            lines.append(f"{len(names)} {kind}:")
            lines += [f"  {name}" for name in names[:MAX_NAMED_CLIPS]]
        if len(names) > MAX_NAMED_CLIPS:
            num_others = len(names) - MAX_NAMED_CLIPS
            lines.append(f"  and {num_others} more, in {folder / 'manifest.json'}")
    lines.append(f"Train from it with --config.dataset.root_dir={folder}")
    return "\n".join(lines)


def parse_options() -> argparse.Namespace:
    """Parse the command line; see the head of this file."""
    parser = argparse.ArgumentParser(
        prog="python -m input_pipeline.prepare",
        description="Turn raw videos into a dataset that is quick to train from.",
    )
    add = parser.add_argument
    add("--dataset", choices=sorted(DATASETS), required=True, help="the kind of the raw files")
    add("--input", required=True, help="the folder of the raw files")
    add("--output", required=True, help="the folder in which DATASET/FORM is made")
    add(
        "--size",
        type=_parse_size,
        default=(256, 256),
        help="the size of the frames in pixels: the side of a square, or HEIGHTxWIDTH",
    )
    add("--fit", choices=FITS, default="crop", help="keep the aspect ratio, or change it")
    add(
        "--format",
        choices=("png", "jpeg", "mp4"),
        default="png",
        help="the format of the frames: lossless; smaller and quicker; or smallest and slowest",
    )
    add("--quality", type=int, default=95, help="jpeg: the quality, 1 to 100")
    add("--keyframe_every", type=int, default=10, help="mp4: the frames between two key frames")
    add(
        "--crop",
        help="video_folder: 'faces' makes a clip of every face that stays in place; a .csv file"
        " lists clips by video, start, end, left, top, right, bottom",
    )
    add(
        "--id_sampling",
        action="store_true",
        help="video_folder: keep the videos of an id (the name before '#') together in a random"
        " split",
    )
    add("--seed", type=int, default=0, help="video_folder: the seed of a random split")
    add("--workers", type=int, default=os.cpu_count() or 1, help="the number of processes")
    add(
        "--part",
        type=_parse_part,
        metavar="I/N",
        help="do part I of N, counted from 1, for a run without --part after all parts are done",
    )
    return parser.parse_args()


def _parse_part(text: str) -> tuple[int, int]:
    number, _, count = text.partition("/")
    return int(number), int(count)


def _parse_size(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    return int(height), int(width or height)


def check_numbers(options: argparse.Namespace) -> None:
    """Raise an InputError that names the flag if a number is out of range."""
    for flag, value, least, most in (
        ("size", min(options.size), 16, None),
        ("quality", options.quality, 1, 100),
        ("keyframe_every", options.keyframe_every, 1, None),
        ("workers", options.workers, 1, None),
        ("part", *((options.part[0], 1, options.part[1]) if options.part else (1, 1, None))),
    ):
        if value < least or (most is not None and value > most):
            limits = f"at least {least}" if most is None else f"{least} to {most}"
            raise InputError(f"--{flag} is {value}; expected {limits}")


def parse_folders(options: argparse.Namespace) -> tuple[Path, AnyPath]:
    """Return the folders of --input and --output.

    Raises:
      InputError: a path cannot be used, or there is no folder of raw files.
    """
    with naming("--input"):
        source = Path(parse_path(options.input))
    if not source.is_dir():
        raise InputError(f"--input: there is no folder {source}")
    with naming("--output"):
        output = to_path(parse_stored_path(options.output))
        check_is_text(output)
    return source, output


def choose_selection(options: argparse.Namespace) -> Callable[[Path], Selection] | None:
    """Return the function that selects the clips as the flags ask; None is the dataset's own.

    Raises:
      InputError: flags of `video_folder` are given for another dataset.
    """
    if options.crop == "faces" and options.part:
        raise InputError("--part: each part would look for all faces; expected --crop=FILE.csv")
    if options.dataset == "video_folder":
        return functools.partial(
            VideoFolder.select_clips,
            crop=options.crop and expand_home(options.crop),
            id_sampling=options.id_sampling,
            random_seed=options.seed,
            num_workers=options.workers,
        )
    if options.crop is not None or options.id_sampling:
        raise InputError(
            f"--crop, --id_sampling: expected with video_folder only, not with {options.dataset}"
        )
    return None


def run(options: argparse.Namespace) -> None:
    """Check the options, prepare the dataset, and describe it on standard output.

    Raises:
      InputError: an option or the raw files cannot be used, or the output cannot be written.
    """
    check_current_folder()
    check_numbers(options)
    source, output = parse_folders(options)
    encoding = Encoding(
        height=options.size[0],
        width=options.size[1],
        fit=options.fit,
        format=options.format,
        quality=options.quality,
        keyframe_every=options.keyframe_every,
    )
    folder = prepare_dataset(
        options.dataset,
        source,
        output,
        encoding,
        num_workers=options.workers,
        select=choose_selection(options),
        part=options.part,
    )
    if options.part:
        number, count = options.part
        console.say(
            f"Part {number} of {count} is done; when all are, the same command without --part"
            f" makes the dataset {folder}"
        )
    else:
        console.say(describe(folder, read_dataset_manifest(folder)))


def main() -> None:
    """Run the command; see the head of this file."""
    options = parse_options()
    console.show_messages()
    absl_logging.set_verbosity(absl_logging.ERROR)  # TFDS warns about every config it did not know
    with ending_by_signals(), one_line_errors("the same command goes on from here"):
        run(options)


if __name__ == "__main__":
    console.hide_warnings_of_libraries()
    main()
