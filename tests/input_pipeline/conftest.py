"""Small datasets, raw and prepared, and iterators over batches."""

import dataclasses

import numpy as np
import pytest
from absl import flags
from numbered_videos import SIZE, write_stacked
from raw_videos import SIDE, smooth_frames, write_stacked_frames

from fomm_jax.config.schema import DatasetConfig
from input_pipeline.datasets.preparation import prepare_dataset
from input_pipeline.loader import training_batches
from input_pipeline.manifest import Encoding

NUM_VIDEOS = 7  # for training


@pytest.fixture
def numbered_dataset(tmp_path):
    """Seven videos for training in `tmp_path / "train"`, called like their numbers, from 0 on."""
    for number in range(NUM_VIDEOS):
        write_stacked(tmp_path / "train" / f"{number}.png", number)
    write_stacked(tmp_path / "test" / "9.png", 9)
    return DatasetConfig(root_dir=str(tmp_path), frame_shape=(SIZE, SIZE, 3))


@pytest.fixture
def make_batches(numbered_dataset):
    """A function that makes iterators over batches, which are closed after the test.

    Its further keywords replace fields of the dataset's config.
    """
    iterators = []

    def make(seed=0, batch_size=4, num_repeats=3, process=(0, 1), **changes):
        iterator = training_batches(
            dataclasses.replace(numbered_dataset, **changes),
            batch_size=batch_size,
            num_repeats=num_repeats,
            seed=seed,
            process=process,
        )
        iterators.append(iterator)
        return iterator

    flags.FLAGS.mark_as_parsed()
    yield make
    for iterator in iterators:
        iterator.close()


@pytest.fixture(scope="package")
def raw(tmp_path_factory):
    """A folder of raw videos: 19 usable ones for training, more than a shard holds, 2 for testing.

    They are pictures of frames side by side. Two further files cannot be used.
    """
    folder = tmp_path_factory.mktemp("raw")
    rng = np.random.default_rng(0)
    for number in range(21):
        part = "test" if number < 2 else "train"
        frames = rng.integers(0, 256, size=(3 + number % 4, SIDE, SIDE, 3), dtype=np.uint8)
        write_stacked_frames(folder / part / f"id{number % 5}#{number:02d}.png", frames)
    (folder / "train" / "broken.png").write_bytes(b"no picture")
    write_stacked_frames(folder / "train" / "short.png", smooth_frames(1))
    return folder


@pytest.fixture(scope="package")
def prepared_png(raw, tmp_path_factory):
    """The folder of the dataset that is prepared from `raw`, in PNG."""
    output = tmp_path_factory.mktemp("prepared")
    return prepare_dataset("video_folder", raw, output, Encoding(SIDE, SIDE), num_workers=2)
