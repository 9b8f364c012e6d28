"""Time how pairs are read from a bucket, before and after there is a copy, beside a disk's rate.

    python -m benchmarks.bucket_reading --disk=DIR --bucket=gs://BUCKET/DIR [--workers=0]

Both folders hold the same prepared dataset. The three ways are measured by turns, so that other
work on the machine slows all of them down alike. For a bucket that is far away, see the head of
`benchmarks/slow_proxy.py`.
"""

import argparse
import contextlib
import tempfile
import time
from collections.abc import Iterator
from statistics import median

from absl import flags
from absl import logging as absl_logging

from fomm_jax import console
from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import one_line_errors
from input_pipeline.loader import TrainingBatches, training_batches
from input_pipeline.local_copies import Copying
from input_pipeline.prepared import PreparedVideo
from input_pipeline.splits import split_videos


@contextlib.contextmanager
def reading(dataset: DatasetConfig, batch: int) -> Iterator[TrainingBatches]:
    """Yield the batches of a dataset, the first of which has come."""
    repeats = 1000  # a small dataset may have fewer videos than a batch has pairs
    with contextlib.closing(
        training_batches(dataset, batch_size=batch, num_repeats=repeats, seed=0)
    ) as batches:
        next(batches)
        yield batches


def pairs_per_second(dataset: DatasetConfig, batch: int, seconds: float) -> float:
    """Read for a while, and return the rate without the start and what was read ahead before."""
    with reading(dataset, batch) as batches:
        begun = time.perf_counter()
        while time.perf_counter() - begun < seconds / 2:
            next(batches)
        begun, pairs = time.perf_counter(), 0
        while time.perf_counter() - begun < seconds:
            next(batches)
            pairs += batch
        return pairs / (time.perf_counter() - begun)


def copy_all(dataset: DatasetConfig) -> None:
    """Copy the files of the training videos to `dataset.cache_dir`."""
    videos = [v for v in split_videos(dataset).train if isinstance(v, PreparedVideo)]
    copying = Copying(videos, dataset.cache_gigabytes * 10**9)
    copying.start()
    copying.wait()


def main() -> None:
    """Run the command that the head of this file describes."""
    parser = argparse.ArgumentParser(description="Time how pairs are read from a bucket")
    add = parser.add_argument
    add("--disk", required=True, help="a prepared dataset on a disk")
    add("--bucket", required=True, help="the same dataset in a bucket")
    add("--workers", type=int, default=0, help="processes that read; default: threads instead")
    add("--batch", type=int, default=8, help="pairs in a batch; default: %(default)s")
    add("--seconds", type=float, default=4.0, help="time of each reading; default: %(default)s")
    add("--rounds", type=int, default=3, help="readings of each; default: %(default)s")
    options = parser.parse_args()
    flags.FLAGS.mark_as_parsed()  # Grain reads some of absl's flags
    absl_logging.set_verbosity(absl_logging.ERROR)
    console.show_messages()
    with one_line_errors(), tempfile.TemporaryDirectory() as copies:
        ways = {
            "disk": DatasetConfig(root_dir=options.disk, num_workers=options.workers),
            "bucket": DatasetConfig(root_dir=options.bucket, num_workers=options.workers),
            "bucket, copied": DatasetConfig(
                root_dir=options.bucket, num_workers=options.workers, cache_dir=copies
            ),
        }
        copy_all(ways["bucket, copied"])
        rates: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(options.rounds):
            for way, dataset in ways.items():
                rates[way].append(pairs_per_second(dataset, options.batch, options.seconds))
    print("| | pairs/s | share of the disk's, median of rounds |\n| --- | --- | --- |")
    for way, numbers in rates.items():
        share = median(one / disk for one, disk in zip(numbers, rates["disk"], strict=True))
        print(f"| {way} | {median(numbers):.0f} | {share:.2f} |")


if __name__ == "__main__":
    console.hide_warnings_of_libraries()
    main()
