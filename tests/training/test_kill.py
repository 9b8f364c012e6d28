"""A run that is ended and killed again and again ends as one that never was."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from commands import SHALLOW_MODEL
from orbax.checkpoint import v1 as ocp

from fomm_jax.reporting.events import read_curves
from fomm_jax.training.signals import HOW_TO_GO_ON
from input_pipeline.figures.scenes import write_dataset

# Orbax, asked for arrays without shardings, says that it takes those of the file.
pytestmark = pytest.mark.filterwarnings("ignore:Sharding info not provided:UserWarning")

ROOT = Path(__file__).parents[2]
EVERY = 30  # steps between checkpoints, which take longer than to write one
WAIT = 240  # seconds for anything


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The folder for the compiled programs of all runs."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="module")
def start(tmp_path_factory, compiled):
    """Start `main.py` on drawn figures; its programs are compiled once."""
    data = tmp_path_factory.mktemp("figures") / "data"
    write_dataset(data, size=32, num_videos=10, num_frames=4, seed=0)
    one_device = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=1"
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": one_device}

    def begin(workdir, num_steps):
        command = [sys.executable, "main.py", "--config=configs/tiny.py", *SHALLOW_MODEL]
        command += ["--mode=train"]
        command += [f"--workdir={workdir}", f"--config.dataset.root_dir={data}"]
        command += [f"--config.train.num_steps={num_steps}"]
        command += [f"--config.train.checkpoint_every={EVERY}"]
        command += ["--config.train.visualize_every=1000", f"--compilation_cache={compiled}"]
        # Half of a start's time would be the perceptual network's.
        command += ["--config.train.loss_weights.perceptual=(0,0,0,0,0)"]
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
        )

    return begin


def finish(process, status=0):
    _, errors = process.communicate(timeout=WAIT)
    assert process.returncode == status, errors[-3000:]
    return errors.splitlines()


def steps_done(workdir):
    """Return the last step that a run has written the scalars of."""
    return max(read_curves(workdir).get("gen_gan", [0]))


def newest(workdir):
    """Return the step of the newest finished checkpoint."""
    names = [path.name for path in (workdir / "checkpoints").glob("*")]
    return max((int(name) for name in names if name.isdecimal()), default=0)


def is_saving(workdir):
    return any((workdir / "checkpoints").glob("*tmp*"))


def wait_until(reached, process):
    begun = time.monotonic()
    while not reached():
        assert process.poll() is None, process.communicate()[1][-3000:]
        assert time.monotonic() - begun < WAIT
        time.sleep(0.002)


def saved(workdir, step):
    branches = ocp.load_checkpointables(
        workdir / "checkpoints" / str(step),
        dict.fromkeys(("params", "statistics", "optimizers", "step")),
    )
    return {
        jax.tree_util.keystr(path): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(branches)
    }


def terminate(process, workdir):
    """End a run by SIGTERM after a few steps."""
    wait_until(lambda: steps_done(workdir) >= 2, process)
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    last = finish(process, 143)[-1]
    assert time.monotonic() - begun < 30  # what Kubernetes, say, gives
    step = newest(workdir)
    assert step == steps_done(workdir)
    assert last == (
        f"main.py: ended by SIGTERM after step {step}; the same command goes on from"
        f" {workdir / 'checkpoints' / str(step)}"
    )
    assert "running" not in os.listdir(workdir)


def test_a_signal_while_programs_compile_ends_the_run_at_once(start, tmp_path):
    process = start(tmp_path / "W", EVERY)
    lines = []
    while not lines or not lines[-1].startswith("compiling (a minute or so; kept in "):
        lines.append(process.stderr.readline())
        assert lines[-1], lines
    time.sleep(1)
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    (last,) = finish(process, 143)
    assert time.monotonic() - begun < 2
    assert last == f"main.py: ended by SIGTERM; {HOW_TO_GO_ON}"
    assert not (tmp_path / "W").exists()
    assert lines[0].startswith("8 videos to train on and 2 to test with, in ")
    assert lines[1] == f"steps 1 to {EVERY} (an epoch has 4), 2 pairs each, on 1 device (cpu)\n"
    assert lines[2] == "starts anew\n"


@pytest.mark.slow
@pytest.mark.parametrize("kills", [2, 20])
def test_killed_run_ends_like_the_undisturbed_one(start, compiled, tmp_path, kills):
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    num_steps = EVERY * (kills + 3)  # a killed run gets on by one interval at most
    finish(start(undisturbed, num_steps))
    terminate(start(killed, num_steps), killed)
    rng = random.Random(0)
    during_a_save = 0
    for number in range(kills):
        event_files = len([*killed.glob("events.*")])
        process = start(killed, num_steps)
        wait_until(lambda known=event_files: len([*killed.glob("events.*")]) > known, process)
        at_start = newest(killed)
        if number % 2:
            wait_until(lambda: is_saving(killed), process)
        else:
            goal = at_start + rng.randint(1, EVERY)
            wait_until(lambda goal=goal: steps_done(killed) >= goal, process)
        time.sleep(rng.uniform(0, 0.1))
        assert process.poll() is None, "killed too late"
        process.kill()
        process.communicate()
        during_a_save += is_saving(killed)
        # The last checkpoint that was due, or the one before where it was yet to be written.
        due = steps_done(killed) // EVERY * EVERY
        assert newest(killed) >= max(due - EVERY, at_start)
    assert during_a_save >= kills // 4
    finish(start(killed, num_steps))
    expected, actual = saved(undisturbed, num_steps), saved(killed, num_steps)
    assert expected.keys() == actual.keys()
    assert len(expected) > 100
    for name, array in expected.items():
        np.testing.assert_array_equal(actual[name], array, err_msg=name, strict=True)
    assert any("train_step" in path.name for path in compiled.iterdir())
