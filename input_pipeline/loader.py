"""Endless batches of training pairs, with a position that can be saved.

The seed and the number of a batch determine its content. The content does not depend on the number
of threads, worker processes or hosts, nor on the batches that were read before, even if files are
damaged.

A worker process stacks the pictures of a batch in blocks of shared memory and sends the name, shape
and dtype of each block through a pipe (Grain's `ProcessPrefetchDatasetIterator`). The arrays of a
`Batch` lie in these blocks. A block is freed together with its array.
"""

import functools
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import grain
from grain.multiprocessing import SharedMemoryArray

from fomm_jax.buckets import is_in_bucket
from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError
from fomm_jax.types import Batch
from input_pipeline.bad_videos import BadVideos
from input_pipeline.data_checks import check_batch_size
from input_pipeline.local_copies import Copying
from input_pipeline.prepared import PreparedVideo
from input_pipeline.sampler import DrawnPair, PairSampler, finish, stack
from input_pipeline.splits import VideoLocation, split_videos

MAX_THREADS = 16
# While a bucket answers, a thread does nothing. More threads than these slow one another down.
THREADS_FOR_BUCKET = 4
BUFFERED_BATCHES = 2  # for each thread or worker process
# One batch of a worker is being made, BUFFERED_BATCHES wait in its queue, one is on its way, and
# Grain has taken BUFFERED_BATCHES out of the queue for us.
BATCHES_IN_SHARED_MEMORY = 2 * BUFFERED_BATCHES + 2
# Linux keeps shared memory here, often with a limit: 64 MB in a Docker container.
SHARED_MEMORY = Path("/dev/shm")


class Readers(NamedTuple):
    """The worker processes that make batches, and the threads of each, or of the main process."""

    workers: int
    threads: int


class TrainingBatches(grain.DatasetIterator[Batch]):
    """The endless batches of one host; `training_batches` makes them.

    The state is the number of the next batch, counted from the start of training. It is the same on
    all hosts, so that it can be restored exactly with another number of workers or hosts.

    Attributes:
      steps_per_epoch: the number of full batches in an epoch.
    """

    def __init__(
        self,
        parts: grain.MapDataset,
        *,
        steps_per_epoch: int,
        bad_videos: BadVideos,
        process: tuple[int, int],
        readers: Readers,
        copying: Copying | None,
    ) -> None:
        super().__init__()
        self.steps_per_epoch = steps_per_epoch
        self._parts = parts  # all hosts' parts of all batches in turn; workers still stack them
        self._bad_videos = bad_videos
        self._process_index, self._process_count = process
        self._readers = readers
        self._copying = copying
        self._next_batch = 0
        self._prefetching: grain.DatasetIterator | None = None

    @property
    def num_bad(self) -> int:
        """The number of videos that this host met and could not use, wholly or in part."""
        return len(self._bad_videos)

    def __next__(self) -> Batch:
        """Return the next batch of this host; the first call starts the threads or processes.

        A video that cannot be used is logged once.

        Raises:
          InputError: too many of the videos cannot be used.
        """
        self.start_prefetch()
        assert self._prefetching is not None
        pairs = next(self._prefetching)  # a DrawnPair; its fields have a batch dimension
        self._bad_videos.add(pairs.problems.tolist())
        self._next_batch += 1
        return Batch(source=pairs.source, driving=pairs.driving)

    def get_state(self) -> dict[str, Any]:
        """Return the position as an object that JSON can hold."""
        return {"next_batch": self._next_batch}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go to a position that `get_state` returned."""
        self._stop_prefetch()
        self._next_batch = state["next_batch"]

    def start_prefetch(self) -> None:
        """Start the threads or processes before the first batch is asked for."""
        self._assert_not_closed()
        if self._prefetching is not None:
            return
        if self._copying is not None:
            self._copying.start()
        first = self._next_batch * self._process_count + self._process_index
        threads = self._readers.threads
        options = grain.ReadOptions(
            num_threads=threads, prefetch_buffer_size=BUFFERED_BATCHES * threads
        )
        batches = self._parts[first :: self._process_count].to_iter_dataset(options)
        if self._readers.workers:
            # Grain would copy arrays that lie elsewhere.
            batches = batches.map(functools.partial(stack, new_array=SharedMemoryArray))
        workers = grain.MultiprocessingOptions(
            num_workers=self._readers.workers, per_worker_buffer_size=BUFFERED_BATCHES
        )
        self._prefetching = iter(batches.mp_prefetch(workers, _follow_the_main_process))
        self._prefetching.start_prefetch()

    def close(self) -> None:
        """Stop the threads or processes; no batch can be read afterwards."""
        super().close()
        self._stop_prefetch()
        if self._copying is not None:
            self._copying.stop()

    def _stop_prefetch(self) -> None:
        if self._prefetching is not None:
            self._prefetching.close()
            self._prefetching = None


def _follow_the_main_process(worker_index: int, num_workers: int) -> None:
    """Leave signals to the main process, and end when it ends.

    A terminal and many clusters send their signals to every process of a run. The main process then
    needs its workers until it has saved.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    main_process = multiprocessing.parent_process()
    assert main_process is not None, "this runs in a worker process"

    def end_with_it() -> None:
        main_process.join()
        os._exit(0)  # the thread of the worker may wait for ever to pass a batch on

    threading.Thread(target=end_with_it, daemon=True).start()


def training_batches(
    dataset: DatasetConfig,
    *,
    batch_size: int,
    num_repeats: int,
    seed: int,
    process: tuple[int, int] = (0, 1),
    videos: Sequence[VideoLocation] | None = None,
) -> TrainingBatches:
    """Return an endless iterator of `Batch`, whose arrays are (b, h, w, 3) uint8 in NumPy.

    An epoch is a new permutation in which every training video occurs `num_repeats` times, or every
    id with `dataset.id_sampling`. A last batch that is not full is left out. Every host gets a
    contiguous part of each batch, b = batch_size / process_count pairs; the parts in the order of
    the hosts form the batch that a single host would get. (h, w) is `augmentation.crop_size` if
    that is set, and otherwise the size in `dataset.frame_shape`.

    Nothing is decoded before the first batch is asked for. If a video cannot be used, another one
    is drawn in its place. Once more than one video and more than `dataset.max_bad_share` of the
    videos have turned out unusable, or at the first one with `dataset.strict`, `next` raises an
    `InputError`. An error in a worker process keeps its type and message; only a traceback and
    Grain's notes are added. A video counts as soon as one of its frames cannot be decoded, although
    pairs of its other frames are still drawn. Each host counts the videos that it meets itself.

    If `dataset.num_workers` is above 0, worker processes are spawned. The program then has to parse
    absl's flags (by `absl.app.run` or `flags.FLAGS.mark_as_parsed()`) and needs a guarded main
    module.

    Args:
      dataset: where the videos are and how pairs are drawn and augmented.
      batch_size: the number of pairs in a batch of all hosts.
      num_repeats: how often an epoch passes over the videos or ids.
      seed: the seed of the order and of all draws.
      process: the number of this host, and the number of hosts.
      videos: the training videos, if they have been listed before; by default they are listed here.

    Raises:
      InputError: there are no videos, a config field does not fit the others, or there is too
        little shared memory.
    """
    videos = split_videos(dataset).train if videos is None else videos
    sampler = PairSampler(dataset, videos)
    check_batch_size(dataset, batch_size, len(sampler), num_repeats)
    num_pairs = len(sampler) * num_repeats
    _check_shared_memory(dataset, pairs_per_host := _divide(batch_size, process[1]))
    # `random_map` comes before the shuffle: so the index of an element chooses its generator, and
    # the element is the same on whichever host and in whichever worker it is drawn.
    in_bucket = [v for v in videos if isinstance(v, PreparedVideo) and is_in_bucket(v.root)]
    draw = sampler.begin if in_bucket else sampler
    elements = grain.MapDataset.range(num_pairs).random_map(draw, seed=seed)
    steps_per_epoch = num_pairs // batch_size
    epoch = elements.shuffle(seed=seed)[: steps_per_epoch * batch_size]
    return TrainingBatches(
        epoch.batch(pairs_per_host, batch_fn=_batch_function(in_bucket, dataset)).repeat(),
        steps_per_epoch=steps_per_epoch,
        bad_videos=BadVideos(sampler.num_videos, dataset.max_bad_share),
        process=process,
        readers=_readers(dataset.num_workers, bool(in_bucket)),
        copying=_copying(in_bucket, dataset),
    )


def _batch_function(
    in_bucket: Sequence[PreparedVideo], dataset: DatasetConfig
) -> Callable[[Sequence[Any]], list[DrawnPair] | DrawnPair]:
    """Return what makes a batch of pairs; in workers a list, which is stacked when it is sent."""
    take = finish if in_bucket else list
    return take if dataset.num_workers else lambda pairs: stack(take(pairs))


def _copying(videos: Sequence[PreparedVideo], dataset: DatasetConfig) -> Copying | None:
    if not videos or dataset.cache_dir is None:
        return None
    return Copying(videos, dataset.cache_gigabytes * 10**9)


def _readers(num_workers: int, in_bucket: bool) -> Readers:
    threads = 0 if num_workers else min(MAX_THREADS, os.cpu_count() or 1)
    return Readers(num_workers, max(threads, THREADS_FOR_BUCKET) if in_bucket else threads)


def _divide(batch_size: int, process_count: int) -> int:
    """Return the size of a host's part of a batch; raise an InputError unless it is whole."""
    if batch_size % process_count:
        raise InputError(
            f"config.train.batch_size is {batch_size}; expected a multiple of the"
            f" {process_count} processes"
        )
    return batch_size // process_count


def _check_shared_memory(dataset: DatasetConfig, num_pairs: int) -> None:
    """Raise an InputError if the worker processes would need more shared memory than there is.

    Without this check, the operating system would end a worker with a bus error.

    Args:
      dataset: gives the size of the frames and the number of workers.
      num_pairs: the number of pairs in this host's part of a batch.
    """
    if not dataset.num_workers or not SHARED_MEMORY.is_dir():
        return
    height, width = dataset.augmentation.crop_size or dataset.frame_shape[:2]
    num_batches = dataset.num_workers * BATCHES_IN_SHARED_MEMORY
    needed = num_batches * num_pairs * 2 * height * width * 3  # bytes
    free = shutil.disk_usage(SHARED_MEMORY).free
    if free < needed:
        raise InputError(
            f"config.dataset.num_workers is {dataset.num_workers}: their batches take"
            f" {needed / 2**20:.0f} MiB of shared memory, but {SHARED_MEMORY} has"
            f" {free / 2**20:.0f} MiB left; expected more of it (Docker's --shm-size), or fewer"
            " workers (0 reads in threads)"
        )
