"""Endless batches of training pairs, with a position that can be saved.

What a batch holds is a function of the seed and its number alone: it does not depend on the
number of threads, of worker processes or of hosts, nor on what was read before, damaged files
included.

A worker process copies each array of a finished batch into a block of shared memory of its own and
sends the block's name, shape and dtype through a pipe (Grain's `ProcessPrefetchDatasetIterator`).
The arrays that this process hands out lie in that block, which is freed with them.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import grain
from tqdm import tqdm

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError
from fomm_jax.types import Batch
from input_pipeline.sampler import PairSampler

MAX_THREADS = 16
BUFFERED_BATCHES = 2  # for each thread or worker process
# A worker has one batch in the making, BUFFERED_BATCHES that wait in its queue, and as many, with
# one on its way to them, that Grain has taken out for us.
BATCHES_IN_SHARED_MEMORY = 2 * BUFFERED_BATCHES + 2
SHARED_MEMORY = Path("/dev/shm")  # of Linux, and there often bounded: 64 MB in a Docker container
NAMED_PROBLEMS = 3


class TrainingBatches(grain.DatasetIterator[Batch]):
    """The batches of one host from a position on, endless; made by `training_batches`.

    `steps_per_epoch` is the number of full batches in an epoch.

    The state is the number of the next batch, counted from the start of training and the same on
    every host. So it can be restored with another number of workers or of hosts, exactly.
    """

    def __init__(
        self,
        parts: grain.MapDataset,
        *,
        steps_per_epoch: int,
        num_videos: int,
        max_bad_share: float,
        process_index: int,
        process_count: int,
        num_workers: int,
    ) -> None:
        super().__init__()
        self.steps_per_epoch = steps_per_epoch
        self._num_videos = num_videos
        self._max_bad_share = max_bad_share
        self._problems: dict[str, str] = {}  # of each bad video the first that was met
        self._parts = parts
        self._process_index = process_index
        self._process_count = process_count
        self._num_workers = num_workers
        self._next_batch = 0
        self._prefetching: grain.DatasetIterator | None = None

    @property
    def num_bad(self) -> int:
        """The number of videos that this host has met and could not use, wholly or in part."""
        return len(self._problems)

    def __next__(self) -> Batch:
        """The next batch of this host; the first call starts the threads or processes.

        A video that cannot be used is named on stderr, once.

        Raises:
          InputError: too many of the videos cannot be used.
        """
        self.start_prefetch()
        assert self._prefetching is not None
        batch = next(self._prefetching)
        self._count_problems(batch["problems"].tolist())
        self._next_batch += 1
        return Batch(source=batch["source"], driving=batch["driving"])

    def _count_problems(self, texts: Iterable[str]) -> None:
        for text in texts:
            for video, problem in json.loads(text).items():
                if video not in self._problems:
                    self._problems[video] = problem
                    # Not through the bar of training, which may be on the last line.
                    tqdm.write(f"left out: {problem}", file=sys.stderr)
        # Of few videos, the first that is damaged is more than any small share.
        if self.num_bad > max(1, self._max_bad_share * self._num_videos):
            raise InputError(
                f"{self.num_bad} of {self._num_videos} training videos cannot be used, more than"
                f" config.dataset.max_bad_share={self._max_bad_share} allows; the first are:"
                f" {'; '.join([*self._problems.values()][:NAMED_PROBLEMS])}"
            )

    def get_state(self) -> dict[str, Any]:
        """The position, as JSON can hold it."""
        return {"next_batch": self._next_batch}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go to a position that `get_state` told."""
        self._stop_prefetch()
        self._next_batch = state["next_batch"]

    def start_prefetch(self) -> None:
        """Start the threads or processes, which the first batch would do otherwise."""
        self._assert_not_closed()
        if self._prefetching is not None:
            return
        first = self._next_batch * self._process_count + self._process_index
        threads = 0 if self._num_workers else min(MAX_THREADS, os.cpu_count() or 1)
        options = grain.ReadOptions(
            num_threads=threads, prefetch_buffer_size=BUFFERED_BATCHES * threads
        )
        batches = self._parts[first :: self._process_count].to_iter_dataset(options)
        workers = grain.MultiprocessingOptions(
            num_workers=self._num_workers, per_worker_buffer_size=BUFFERED_BATCHES
        )
        self._prefetching = iter(batches.mp_prefetch(workers, _leave_interrupts_to_main))
        self._prefetching.start_prefetch()

    def close(self) -> None:
        """Stop the threads or processes; no batch can be had afterwards."""
        super().close()
        self._stop_prefetch()

    def _stop_prefetch(self) -> None:
        if self._prefetching is not None:
            self._prefetching.close()
            self._prefetching = None


def _leave_interrupts_to_main(worker_index: int, num_workers: int) -> None:
    """Let Ctrl-C, which the terminal sends to all, be answered by the main process alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def training_batches(
    dataset: DatasetConfig,
    *,
    batch_size: int,
    num_repeats: int,
    seed: int,
    process_index: int = 0,
    process_count: int = 1,
) -> TrainingBatches:
    """An endless iterator of `Batch`, source and driving (b, h, w, 3) uint8 numpy arrays.

    An epoch is a fresh permutation of every training video `num_repeats` times over, of every id
    where `dataset.id_sampling`; a last batch that is not full is left out. A host gets its
    consecutive part of each batch, b = batch_size / process_count pairs; the parts in the order of
    the hosts are the batch that a single host would get. (h, w) is `augmentation.crop_size` where
    set, otherwise that of `dataset.frame_shape`.

    Nothing is decoded before the first batch is asked for. In place of a video that cannot be used
    another is drawn, until more than one and more than `dataset.max_bad_share` of the training
    videos have turned out so, or at once with `dataset.strict`. Then `next` raises an `InputError`,
    out of a worker process too: type and message are kept, only the traceback and the notes that
    Grain adds are further text. A video counts as soon as a frame of it cannot be decoded; pairs of
    its other frames are still drawn. Each host counts what it meets itself.

    With `dataset.num_workers` above 0 the program needs absl's flags parsed (`absl.app.run`, or
    `flags.FLAGS.mark_as_parsed()`) and a guarded main module, since workers are spawned.

    Raises:
      InputError: there are no videos, a field does not fit the others, or shared memory is short.
    """
    sampler = PairSampler(dataset)
    num_pairs = len(sampler) * num_repeats
    if batch_size < 1 or num_pairs < batch_size:
        what = "ids" if dataset.id_sampling else "training videos"
        raise InputError(
            f"config.train.batch_size is {batch_size}; expected 1 to {num_pairs},"
            f" the {len(sampler)} {what} in {dataset.root_dir} times config.train.num_repeats"
            f" {num_repeats}"
        )
    if batch_size % process_count:
        raise InputError(
            f"config.train.batch_size is {batch_size}; expected a multiple of the"
            f" {process_count} processes"
        )
    _check_shared_memory(dataset, batch_size // process_count)
    # The generator of an element is chosen by its index before the shuffle, so it is the same on
    # whichever host and in whichever worker the element comes to be drawn.
    elements = grain.MapDataset.range(num_pairs).random_map(sampler, seed=seed)
    steps_per_epoch = num_pairs // batch_size
    epoch = elements.shuffle(seed=seed)[: steps_per_epoch * batch_size]
    return TrainingBatches(
        epoch.batch(batch_size // process_count).repeat(),
        steps_per_epoch=steps_per_epoch,
        num_videos=sampler.num_videos,
        max_bad_share=dataset.max_bad_share,
        process_index=process_index,
        process_count=process_count,
        num_workers=dataset.num_workers,
    )


def _check_shared_memory(dataset: DatasetConfig, num_pairs: int) -> None:
    """Refuse what the operating system would end with a bus error in a worker."""
    if not dataset.num_workers or not SHARED_MEMORY.is_dir():
        return
    height, width = dataset.augmentation.crop_size or dataset.frame_shape[:2]
    batches = dataset.num_workers * BATCHES_IN_SHARED_MEMORY
    needed, free = 6 * batches * num_pairs * height * width, shutil.disk_usage(SHARED_MEMORY).free
    if free < needed:
        raise InputError(
            f"config.dataset.num_workers is {dataset.num_workers}: their batches take"
            f" {needed / 2**20:.0f} MiB of shared memory, but {SHARED_MEMORY} has"
            f" {free / 2**20:.0f} MiB left; expected more of it (Docker's --shm-size), or fewer"
            " workers (0 reads in threads)"
        )
