"""Endless batches of training pairs, with a position that can be saved.

What a batch holds is a function of the seed and its number alone: it does not depend on the
number of threads, of worker processes or of hosts.
"""

import os
from pathlib import Path
from typing import Any

import grain
import numpy as np

from fomm_jax.config import DatasetConfig
from fomm_jax.errors import InputError
from fomm_jax.types import Batch
from input_pipeline.sources import PictureCache, Video, open_video
from input_pipeline.splits import group_by_id, split_videos
from input_pipeline.transforms import augment, sample_pair

MAX_THREADS = 16
BUFFERED_BATCHES = 4  # for each thread pool or worker process


class PairSampler:
    """Draws a training pair from a video of a given number, or from one of an id's videos.

    Videos are opened when first needed and stay open, so that each is probed once.
    """

    def __init__(self, dataset: DatasetConfig) -> None:
        self._dataset = dataset
        videos = split_videos(dataset).train
        self._groups = group_by_id(videos) if dataset.id_sampling else [[v] for v in videos]
        self._opened: dict[Path, Video] = {}
        self._cache = PictureCache()

    def __len__(self) -> int:
        """The number of videos, or of ids."""
        return len(self._groups)

    def __call__(self, element: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Source and driving frame, (h, w, 3) uint8, of the video or id `element` modulo `len`."""
        group = self._groups[element % len(self._groups)]
        video = self._open(group[rng.integers(len(group))])
        frames = video.frames(sample_pair(len(video), rng))
        source, driving = augment(frames, self._dataset.augmentation, rng)
        return {"source": source, "driving": driving}

    def _open(self, path: Path) -> Video:
        if path not in self._opened:
            any_size = self._dataset.augmentation.crop_size is not None
            shape = self._dataset.frame_shape
            video = open_video(path, shape, any_size=any_size, cache=self._cache)
            if len(video) < 2:
                raise InputError(f"{path}: has one frame; training expects at least 2 in a video")
            self._opened[path] = video
        return self._opened[path]


class TrainingBatches(grain.DatasetIterator[Batch]):
    """The batches of one host from a position on, endless; made by `training_batches`.

    `steps_per_epoch` is the number of full batches in an epoch.

    The state is the number of the next batch, counted from the start of training and the same on
    every host. So it can be restored with another number of workers.
    """

    def __init__(
        self,
        parts: grain.MapDataset,
        *,
        steps_per_epoch: int,
        process_index: int,
        process_count: int,
        num_workers: int,
    ) -> None:
        super().__init__()
        self.steps_per_epoch = steps_per_epoch
        self._parts = parts
        self._process_index = process_index
        self._process_count = process_count
        self._num_workers = num_workers
        self._next_batch = 0
        self._prefetching: grain.DatasetIterator | None = None

    def __next__(self) -> Batch:
        """The next batch of this host; the first call starts the threads or processes."""
        self.start_prefetch()
        assert self._prefetching is not None
        batch = next(self._prefetching)
        self._next_batch += 1
        return Batch(**batch)

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
            num_threads=threads, prefetch_buffer_size=BUFFERED_BATCHES if threads else 0
        )
        batches = self._parts[first :: self._process_count].to_iter_dataset(options)
        workers = grain.MultiprocessingOptions(
            num_workers=self._num_workers, per_worker_buffer_size=BUFFERED_BATCHES
        )
        self._prefetching = iter(batches.mp_prefetch(workers))
        self._prefetching.start_prefetch()

    def close(self) -> None:
        """Stop the threads or processes; no batch can be had afterwards."""
        super().close()
        self._stop_prefetch()

    def _stop_prefetch(self) -> None:
        if self._prefetching is not None:
            self._prefetching.close()
            self._prefetching = None


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

    Nothing is decoded before the first batch is asked for. A video that cannot be used raises the
    `InputError` of `next`, out of a worker process too: type and message are kept, only the
    traceback and the notes that Grain adds are further text. With `dataset.num_workers` above 0
    the program needs absl's flags parsed (`absl.app.run`, or `flags.FLAGS.mark_as_parsed()`) and
    a guarded main module, since workers are spawned.

    Raises:
        InputError: where there are no videos or a field does not fit the others.
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
    # The generator of an element is chosen by its index before the shuffle, so it is the same on
    # whichever host and in whichever worker the element comes to be drawn.
    elements = grain.MapDataset.range(num_pairs).random_map(sampler, seed=seed)
    steps_per_epoch = num_pairs // batch_size
    epoch = elements.shuffle(seed=seed)[: steps_per_epoch * batch_size]
    return TrainingBatches(
        epoch.batch(batch_size // process_count).repeat(),
        steps_per_epoch=steps_per_epoch,
        process_index=process_index,
        process_count=process_count,
        num_workers=dataset.num_workers,
    )
