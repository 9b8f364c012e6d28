"""Measure how fast pairs are read: on one core, by turns with the original, and on all cores."""

import contextlib
import dataclasses
import importlib
import multiprocessing
import os
import random
import sys
import time
import types
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from fomm_jax.config.schema import DatasetConfig
from input_pipeline.loader import PairSampler, training_batches
from input_pipeline.splits import split_videos

TURN = 0.5  # seconds for which one side reads before the other one does


class Rate(NamedTuple):
    """A number of pairs and the time that it took to read them."""

    pairs: int
    seconds: float

    @property
    def pairs_per_second(self) -> float:
        """The rate."""
        return self.pairs / self.seconds


def one_core(dataset: DatasetConfig, original: Path | None, seconds: float) -> dict[str, Rate]:
    """Read random pairs on one core, after all videos were opened.

    Args:
      dataset: the videos.
      original: a clone of the original, which reads by turns with this project, or None.
      seconds: the shortest time for which each of them reads.

    Returns:
      The rate of "ours", and that of "original" if there is a clone.

    Raises:
      InputError: a video cannot be read.
    """
    # A new process, since threads that exist already would stay on their cores.
    with ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn"), _stay_on_one_core
    ) as pinned_process:
        return pinned_process.submit(_read_in_turns, dataset, original, seconds).result()


def _stay_on_one_core() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def _read_in_turns(
    dataset: DatasetConfig, original: Path | None, seconds: float
) -> dict[str, Rate]:
    sampler = PairSampler(dataset, split_videos(dataset).train)
    rng = np.random.default_rng(0)
    for element in range(len(sampler)):
        sampler(element, rng)
    draws: dict[str, Callable[[], object]] = {
        "ours": lambda: sampler(int(rng.integers(len(sampler))), rng)
    }
    if original:
        draws["original"] = original_draw(original, dataset)
        draws["original"]()
    return rates_in_turns(draws, seconds)


def rates_in_turns(draws: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, Rate]:
    """Call functions that draw a pair, by turns, until each was called for `seconds` or longer."""
    rates = {name: Rate(0, 0.0) for name in draws}
    while any(rate.seconds < seconds for rate in rates.values()):
        for name, draw in draws.items():
            pairs, start = rates[name].pairs, time.perf_counter()
            while (elapsed := time.perf_counter() - start) < min(TURN, seconds):
                draw()
                pairs += 1
            rates[name] = Rate(pairs, rates[name].seconds + elapsed)
    return rates


def original_draw(path: Path, dataset: DatasetConfig) -> Callable[[], object]:
    """Return a function that draws a pair as the original does.

    The original decodes a whole video and takes two of its frames.

    Args:
      path: a clone of the original.
      dataset: the videos.
    """
    read_video = _import_frames_dataset(path).read_video
    videos = split_videos(dataset).train
    rng = random.Random(0)

    def draw() -> object:
        frames = read_video(str(rng.choice(videos)), frame_shape=dataset.frame_shape)
        return frames[sorted(rng.choices(range(len(frames)), k=2))]

    return draw


def _import_frames_dataset(path: Path) -> Any:
    """Import the original's module, with stand-ins for libraries that `read_video` does not use.

    Most of these libraries are not installed.
    """
    for used in ("imageio", "skimage.color", "skimage.io"):
        importlib.import_module(used)
    unused = {
        "augmentation": "AllAugmentationTransform",
        "pandas": "read_csv",
        "sklearn": "model_selection",
        "sklearn.model_selection": "train_test_split",
        "torch": "utils",
        "torch.utils": "data",
        "torch.utils.data": "Dataset",
    }
    modules = {name: types.ModuleType(name) for name in unused}
    for name, attribute in unused.items():
        setattr(modules[name], attribute, object)
    with mock.patch.dict(sys.modules, modules), mock.patch.object(sys, "path", [str(path)]):
        return importlib.import_module("frames_dataset")


def all_cores(
    dataset: DatasetConfig, batch_size: int, num_repeats: int, seconds: float
) -> tuple[Rate, float]:
    """Read batches with a worker process for each core.

    Args:
      dataset: the videos.
      batch_size: pairs in a batch.
      num_repeats: passes over the videos in an epoch.
      seconds: the shortest time for which batches are read.

    Returns:
      The rate, and the mean bytes of memory of a worker.

    Raises:
      InputError: a video cannot be read, or there are too few videos for a batch.
    """
    dataset = dataclasses.replace(dataset, num_workers=len(os.sched_getaffinity(0)))
    with contextlib.closing(
        training_batches(dataset, batch_size=batch_size, num_repeats=num_repeats, seed=0)
    ) as batches:
        next(batches)  # after this the workers have started
        draw = {"batch": lambda: next(batches)}
        rates_in_turns(draw, seconds)  # after this they have opened the videos
        rate = rates_in_turns(draw, seconds)["batch"]
        workers = [worker.pid for worker in multiprocessing.active_children()]
        memory = sum(map(_memory, workers)) / len(workers)
    return Rate(rate.pairs * batch_size, rate.seconds), memory


def _memory(pid: int | None) -> int:
    """Return the bytes of a process. A page that several processes share is divided among them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    (kibibytes,) = (line.split()[1] for line in lines if line.startswith("Pss:"))
    return 1024 * int(kibibytes)
