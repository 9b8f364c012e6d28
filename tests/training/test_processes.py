"""Training in two processes of four devices each is the training of one device."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from bucket_server import free_port
from commands import SHALLOW_MODEL
from small_training import saved_state
from three_number_run import Run

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.weights.load import load_config
from fomm_jax.weights.restore import restore_state
from fomm_jax.weights.train_state import abstract_state, make_optimizers
from input_pipeline.figures.scenes import write_dataset
from input_pipeline.loader import training_batches

ROOT = Path(__file__).parents[2]


def start(workdir, data, num_steps, devices, *options):
    """Start a process of `main.py` that trains in float64."""
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "JAX_ENABLE_X64": "1",
        "XLA_FLAGS": f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={devices}",
    }
    command = [sys.executable, "main.py", "--config=configs/tiny.py", *SHALLOW_MODEL]
    command += ["--mode=train"]
    command += [f"--workdir={workdir}", f"--config.dataset.root_dir={data}"]
    command += [f"--config.train.num_steps={num_steps}", "--config.train.batch_size=8"]
    # The perceptual network, which takes long to compile, is part of `test_devices`.
    command += ["--config.train.loss_weights.perceptual=(0,0,0,0,0)"]
    return subprocess.Popen(
        [*command, "--config.train.num_repeats=4", *options],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(*processes):
    """Wait for all, and return what the first one printed."""
    outputs = [process.communicate(timeout=300) for process in processes]
    for process, (_, errors) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, errors[-3000:]
    assert not any("Trained" in printed for printed, _ in outputs[1:]), "the first speaks for all"
    return outputs[0][0]


def checkpoint(workdir, step):
    """Arrays of a checkpoint by name."""
    config = load_config(workdir)
    optimizers = make_optimizers(config, 1)
    abstract = abstract_state(config, optimizers)
    state = restore_state(workdir / "checkpoints" / str(step), abstract)
    return {
        jax.tree_util.keystr(path): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(state)
    }


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes") / "data"
    write_dataset(folder, size=32, num_videos=10, num_frames=4, seed=0)
    return folder


@pytest.mark.slow
def test_two_processes_and_one_device_agree_and_go_on_from_each_other(data, tmp_path, x64):
    alone, several = tmp_path / "alone", tmp_path / "several"
    single = start(alone, data, 2, 1)
    port = free_port()
    pair = [
        start(
            several,
            data,
            1,
            4,
            "--config.train.fsdp=2",
            "--distributed",
            f"--coordinator=127.0.0.1:{port}",
            "--num_processes=2",
            f"--process_id={number}",
        )
        for number in range(2)
    ]
    finish(single)
    assert "Trained 1 steps" in finish(*pair)
    assert len([*several.glob("events*")]) == 1
    # The second step, from the checkpoint of two processes, on the two devices of one.
    assert "Trained 1 steps" in finish(start(several, data, 2, 2))
    expected, actual = checkpoint(alone, 2), checkpoint(several, 2)
    assert expected.keys() == actual.keys()
    assert len(expected) > 100
    for name, array in expected.items():
        # Kernels are kept in float32, whatever they are computed in.
        np.testing.assert_allclose(actual[name], array, rtol=1e-6, atol=1e-7, err_msg=name)


def test_two_processes_train_and_save_together(data, tmp_path):
    """Three numbers take the place of the networks, so that this takes seconds."""
    together = "--distributed", f"--coordinator=127.0.0.1:{free_port()}", "--num_processes=2"
    pair = [
        Run(data, tmp_path / "W", {}, 3, *together, f"--process_id={number}") for number in range(2)
    ]
    for run in pair:
        assert run.end()[0] == 0, run.text()
    dataset = DatasetConfig(root_dir=str(data), frame_shape=(32, 32, 3))
    with contextlib.closing(
        training_batches(dataset, batch_size=2, num_repeats=1, seed=0)
    ) as batches:
        total = sum(np.mean(next(batches).source, dtype=np.float64) for _ in range(3))
    state = saved_state(tmp_path / "W", 3)
    np.testing.assert_allclose(state[".params['net']['sum']"], [total] * 3, rtol=1e-6)


def test_processes_that_cannot_meet_end_in_one_line(data, tmp_path):
    process = start(tmp_path, data, 1, 1, "--distributed", "--coordinator=127.0.0.1:1")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "--distributed: the processes do not find each other" in errors.splitlines()[-1]
