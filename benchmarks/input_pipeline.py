"""Time how training pairs are read from files, in each form that the files may have.

    python -m benchmarks.input_pipeline [--videos=DIR --pictures=DIR --original=PATH]

Clips of 8 seconds at 256x256, with a single key frame, are cut from the videos, or drawn if no
videos are given. `prepare` converts them and the stacked pictures to the forms that are fast to
read. Three figures are measured for each form: the rate of one core, the rate of all cores through
the loader, and the memory of a worker process. This project keeps stacked pictures in memory after
it has decoded them once. After that the training loop runs, and the time that it waits for prepared
pictures is measured. A line of JSON follows the table. The command reads /proc and needs Linux.
"""

import argparse
import contextlib
import dataclasses
import json
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grain
import numpy as np
from absl import flags
from absl import logging as absl_logging

from benchmarks.command_line import check_counts, config_from_file
from benchmarks.input_files import Source, make_sources
from benchmarks.input_rates import all_cores, one_core
from fomm_jax import console
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, one_line_errors
from fomm_jax.training.loop import train
from fomm_jax.types import Batch
from fomm_jax.weights.vgg import load_vgg
from input_pipeline.loader import TrainingBatches, training_batches

logger = logging.getLogger(__name__)

UNTIMED_STEPS = 2  # the first step compiles, and still runs when the second asks for its batch


class TimedBatches(grain.DatasetIterator[Batch]):
    """Batches, with the times at which each was requested and received."""

    def __init__(self, batches: TrainingBatches) -> None:
        super().__init__()
        self._batches = batches
        self.steps_per_epoch = batches.steps_per_epoch
        self.requested: list[float] = []  # seconds of `time.perf_counter`
        self.received: list[float] = []  # the same

    def __next__(self) -> Batch:
        """Return the next batch."""
        self.requested.append(time.perf_counter())
        batch = next(self._batches)
        self.received.append(time.perf_counter())
        return batch

    def get_state(self) -> dict[str, Any]:
        """Return the position."""
        return self._batches.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        """Go to a position."""
        self._batches.set_state(state)


def time_steps(config: Config, num_steps: int) -> dict[str, float]:
    """Train, and return the mean seconds of a step and of its wait for the batch.

    Args:
      config: the configuration of the run, from `for_timing`.
      num_steps: the number of steps that count.

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
        train(config, workdir, timed, load_vgg(config.perceptual))
    requested = np.array(timed.requested[UNTIMED_STEPS:])
    received = np.array(timed.received[UNTIMED_STEPS:])
    return {
        "seconds_per_step": (requested[-1] - requested[0]) / num_steps,
        "waiting_seconds_per_step": sum((received - requested)[:-1]) / num_steps,
    }


def for_timing(config: Config, root_dir: str, num_steps: int, batch_size: int) -> Config:
    """Return a configuration for timing: on other data, and writing nothing before the end."""
    total = UNTIMED_STEPS + num_steps + 1  # a step lasts until the next one requests its batch
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
    """Measure one form of files.

    Args:
      source: the form.
      original: a clone of the original, which is measured as well if it can read the form.
      seconds: the shortest time of each reading.
      batch_size: pairs in a batch.
      num_repeats: passes over the videos in an epoch.

    Returns:
      A row of the table, by the names in the line of JSON.
    """
    logger.info("reading %s", source.name)
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
    """Print the rows as a Markdown table."""
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
    """Parse the options of the command line.

    Raises:
      InputError: the value of an option cannot be used.
    """
    parser = argparse.ArgumentParser(
        description="Measure how fast training pairs are read, and print a table and a line of JSON"
    )
    add = parser.add_argument
    add("--videos", type=Path, metavar="DIR", help="a folder with train/; default: drawn videos")
    add("--pictures", type=Path, metavar="DIR", help="stacked pictures; default: drawn")
    add("--original", type=Path, metavar="PATH", help="clone of the original to measure too")
    add("--seconds", type=float, default=4.0, help="time of each reading; default: %(default)s")
    add("--config", default="configs/actions_64.py", help="for training; default: %(default)s")
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
    """Run the command that the head of this file describes."""
    console.show_messages()
    absl_logging.set_verbosity(absl_logging.ERROR)  # TFDS and Orbax log every file
    with one_line_errors(), tempfile.TemporaryDirectory() as folder:
        options = parse_options(arguments)
        config = config_from_file(options.config)
        batch_size = options.batch or config.train.batch_size
        flags.FLAGS.mark_as_parsed()  # Grain reads some of absl's flags
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
