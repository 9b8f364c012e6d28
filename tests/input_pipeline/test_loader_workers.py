"""Worker processes of the loader: shared memory, interrupts, and memory over a long run."""

import mmap
import multiprocessing
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from numbered_videos import SIZE, read_batches

from fomm_jax.config.schema import AugmentationConfig
from fomm_jax.errors import InputError
from fomm_jax.memory import return_freed_memory

ROOT = pathlib.Path(__file__).parents[2]


def test_batches_of_workers_lie_in_shared_memory(make_batches):
    batch = next(make_batches(num_workers=1))
    for frames in (batch.source, batch.driving):
        assert isinstance(frames.base, mmap.mmap)
        assert frames.dtype == np.uint8


def test_too_little_shared_memory_is_refused(make_batches, monkeypatch):
    # Two workers have up to 6 batches each under way; a batch is 4 pairs of 2 frames.
    needed = 2 * 6 * 4 * 2 * SIZE * SIZE * 3
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=needed))
    make_batches(num_workers=2)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=needed - 1))
    make_batches()
    with pytest.raises(InputError, match=r"config\.dataset\.num_workers is 2: .* shared memory"):
        make_batches(num_workers=2)


def test_workers_survive_the_signals_of_terminals_and_clusters(make_batches):
    whole = read_batches(make_batches(), 40)
    iterator = make_batches(num_workers=1)
    first = read_batches(iterator, 1)
    (worker,) = multiprocessing.active_children()
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        os.kill(worker.pid, number)
    np.testing.assert_array_equal(np.concatenate([first, read_batches(iterator, 39)]), whole)


READER = """
import multiprocessing, sys, time
from absl import flags
from fomm_jax.config.schema import DatasetConfig
from input_pipeline.loader import training_batches

if __name__ == "__main__":
    flags.FLAGS.mark_as_parsed()
    dataset = DatasetConfig(sys.argv[1], (8, 8, 3), num_workers=1)
    batches = training_batches(dataset, batch_size=2, num_repeats=1, seed=0)
    next(batches)
    (worker,) = multiprocessing.active_children()
    print(worker.pid, flush=True)
    time.sleep(60)
"""


def test_workers_end_with_a_main_process_that_is_killed(numbered_dataset):
    assert numbered_dataset.frame_shape == (8, 8, 3)
    with subprocess.Popen(
        [sys.executable, "-c", READER, numbered_dataset.root_dir],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        worker = pathlib.Path(f"/proc/{int(process.stdout.readline())}")
        process.kill()
    begun = time.monotonic()
    while worker.exists() and "State:\tZ" not in (worker / "status").read_text(encoding="utf-8"):
        assert time.monotonic() - begun < 10
        time.sleep(0.05)


def memory_of_all_processes():
    """Return the bytes that this process and its workers hold; files' pages are left out.

    Memory that several processes share counts once.
    """
    return_freed_memory()  # what an earlier test has freed would come into use again bit by bit
    num_bytes = 0
    for pid in (os.getpid(), *[worker.pid for worker in multiprocessing.active_children()]):
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        values = dict(line.split()[:2] for line in rollup.splitlines()[1:])
        num_bytes += 1024 * (int(values["Pss_Anon:"]) + int(values["Pss_Shmem:"]))
    return num_bytes


@pytest.mark.skipif(
    not pathlib.Path("/proc/self/smaps_rollup").exists(), reason="needs Linux's /proc"
)
@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("num_batches", [600, pytest.param(10_000, marks=pytest.mark.slow)])
def test_memory_stays_flat(make_batches, num_batches, num_workers):
    # A batch takes 98 kB, so 600 of them take 59 MB.
    large = AugmentationConfig(crop_size=(64, 64))
    iterator = make_batches(augmentation=large, num_workers=num_workers)
    for _ in range(200):
        next(iterator)
    before = memory_of_all_processes()
    for _ in range(num_batches):
        next(iterator)
    assert memory_of_all_processes() - before < 4e6


def test_a_worker_process_need_not_load_jax():
    """Each worker of `prepare` imports the command, and each worker of Grain the sampler."""
    command = (
        "import sys, input_pipeline.prepare, input_pipeline.sampler; sys.exit('jax' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", command], cwd=ROOT, check=True, timeout=60)
