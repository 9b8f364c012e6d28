"""Times training pairs on their way from files, in each form that the files may have.

    python -m benchmarks.input_pipeline [--videos=DIR --pictures=DIR --original=PATH]

Clips of 8 seconds with a single key frame, 256x256, are made from the videos, or drawn where there
are none; `prepare` turns them and the pictures into the quick forms. Of each form are measured the
pairs that one core reads, those that all cores read through the loader, and the memory of a worker
process. Stacked pictures are in memory, decoded, after the first time that ours has read them. Then
the training loop runs, and the time is taken that it waits for prepared pictures. A line of JSON
follows the table. For Linux, since it asks /proc.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grain
import numpy as np
from absl import flags, logging

from benchmarks.input_files import Source, make_sources
from benchmarks.input_rates import all_cores, one_core
from benchmarks.measure import check_counts, load_config
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, one_line_errors
from fomm_jax.training.loop import train
from fomm_jax.types import Batch
from fomm_jax.weights.vgg import load_vgg
from input_pipeline.loader import TrainingBatches, training_batches

UNTIMED_STEPS = 2  # the first compiles, and while the second is asked for it is still under way


class TimedBatches(grain.DatasetIterator[Batch]):
    """Batches, with the times at which each was asked for and was there."""

    def __init__(self, batches: TrainingBatches) -> None:
        super().__init__()
        self._batches = batches
        self.asked: list[float] = []
        self.there: list[float] = []

    def __next__(self) -> Batch:
        """The next batch."""
        self.asked.append(time.perf_counter())
        batch = next(self._batches)
        self.there.append(time.perf_counter())
        return batch

    def get_state(self) -> dict[str, Any]:
        """The position."""
        return self._batches.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Go to a position."""
        self._batches.set_state(state)


def time_steps(config: Config, num_steps: int) -> dict[str, float]:
    """Train, and take the seconds of a step and of the wait in it for the batch; both are means.

    Raises:
      InputError: the data or the batch size cannot be used.
    """
    settings = config.train
    with (
        tempfile.TemporaryDirectory() as workdir,
        contextlib.closing(
            training_batches(
                config.dataset,
                batch_size=settings.batch_size,
                num_repeats=settings.num_repeats,
                seed=settings.seed,
            )
        ) as batches,
    ):
        timed = TimedBatches(batches)
        train(config, workdir, timed, batches.steps_per_epoch, load_vgg(config.perceptual))
    asked, there = np.array(timed.asked[UNTIMED_STEPS:]), np.array(timed.there[UNTIMED_STEPS:])
    return {
        "seconds_per_step": (asked[-1] - asked[0]) / num_steps,
        "waiting_seconds_per_step": sum((there - asked)[:-1]) / num_steps,
    }


def for_timing(config: Config, root_dir: str, num_steps: int, batch_size: int) -> Config:
    """The configuration of a run on other data, that writes nothing before its end."""
    total = UNTIMED_STEPS + num_steps + 1  # a step lasts until the next one asks for its batch
    return dataclasses.replace(
        config,
        dataset=dataclasses.replace(config.dataset, root_dir=root_dir),
        train=dataclasses.replace(
            config.train,
            batch_size=batch_size,
            num_steps=total,
            checkpoint_every=total,
            log_every=total,
            visualize_every=total,
        ),
    )


def measure_source(
    source: Source, original: Path | None, seconds: float, batch_size: int, num_repeats: int
) -> dict[str, Any]:
    """A row of the table, by the names that it has in the line of JSON."""
    print(f"reading {source.name}", file=sys.stderr)
    on_one = one_core(source.dataset, original if source.original else None, seconds)
    on_all, memory = all_cores(source.dataset, batch_size, num_repeats, seconds)
    row: dict[str, Any] = {
        "source": source.name,
        "goal": source.goal,
        "one_core_pairs_per_second": on_one["ours"].pairs_per_second,
        "all_cores_pairs": on_all.pairs,
        "all_cores_seconds": on_all.seconds,
        "all_cores_pairs_per_second": on_all.pairs_per_second,
        "worker_memory_bytes": memory,
    }
    if "original" in on_one:
        row["original_one_core_pairs_per_second"] = on_one["original"].pairs_per_second
    return row


def print_table(rows: Sequence[dict[str, Any]], cores: int) -> None:
    """The rows as a Markdown table."""
    print(
        f"| pairs/s | original, one core | ours, one core | goal | ours, {cores} cores"
        " | of these, each | memory of a worker |"
    )
    print("|" + " --- |" * 7)
    for row in rows:
        original, goal = row.get("original_one_core_pairs_per_second"), row["goal"]
        cells = [
            row["source"],
            "" if original is None else f"{original:.1f}",
            f"{row['one_core_pairs_per_second']:.1f}",
            "" if goal is None else f"{goal}",
            f"{row['all_cores_pairs_per_second']:.1f}",
            f"{row['all_cores_pairs_per_second'] / cores:.1f}",
            f"{row['worker_memory_bytes'] / 1e6:.0f} MB",
        ]
        print("| " + " | ".join(cells) + " |")


def parse_options(arguments: list[str] | None) -> argparse.Namespace:
    """The options of the command line.

    Raises:
      InputError: one has no use for what it was given.
    """
    parser = argparse.ArgumentParser(
        description="Measure how fast training pairs are read, and print a table and a line of JSON"
    )
    add = parser.add_argument
    add("--videos", type=Path, metavar="DIR", help="has train/ with videos; default: drawn ones")
    add("--pictures", type=Path, metavar="DIR", help="stacked pictures; default: drawn ones")
    add("--original", type=Path, metavar="PATH", help="clone of the original, read with in turns")
    add("--seconds", type=float, default=4.0, help="of each reading; default: %(default)s")
    add("--config", default="configs/actions_64.py", help="of the training; default: %(default)s")
    add("--batch", type=int, help="pairs a batch; default: the config's")
    add("--steps", type=int, default=10, help="timed training steps; default: %(default)s")
    options = parser.parse_args(arguments)
    check_counts(options, "batch", "steps")
    if not options.seconds > 0:
        raise InputError(f"--seconds is {options.seconds}; expected more than 0")
    for name, folder in (("videos", options.videos), ("pictures", options.pictures)):
        if folder and not (folder / "train").is_dir():
            raise InputError(f"--{name}: there is no folder {folder / 'train'}")
    if options.original and not (options.original / "frames_dataset.py").is_file():
        raise InputError(
            f"--original: {options.original} has no frames_dataset.py; expected a clone of"
            " first-order-model"
        )
    return options


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the head of this file."""
    logging.set_verbosity(logging.ERROR)  # TFDS and Orbax tell of every file
    with one_line_errors(), tempfile.TemporaryDirectory() as folder:
        options = parse_options(arguments)
        config = load_config(options.config)
        batch_size = options.batch or config.train.batch_size
        flags.FLAGS.mark_as_parsed()  # Grain reads some of them
        sources = make_sources(
            options.videos and options.videos / "train",
            options.pictures,
            config.dataset.frame_shape,
            Path(folder),
        )
        rows = [
            measure_source(
                source, options.original, options.seconds, batch_size, config.train.num_repeats
            )
            for source in sources
        ]
        step = time_steps(
            for_timing(config, sources[-1].dataset.root_dir, options.steps, batch_size),
            options.steps,
        )
    cores = len(os.sched_getaffinity(0))
    waiting_share = step["waiting_seconds_per_step"] / step["seconds_per_step"]
    print_table(rows, cores)
    print(
        f"\nA step of training waits {100 * waiting_share:.2f} % of its time for prepared pictures"
    )
    report = {
        "benchmark": "input_pipeline",
        "cores": cores,
        "config": options.config,
        "batch": batch_size,
        "rows": rows,
        "steps": options.steps,
        **step,
        "waiting_share": waiting_share,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
