"""Files of the version before the folders (commit 8e01a1b) are read as before.

tests/data/earlier_version holds a checkpoint after step 2 of configs/tiny.py on drawn figures, a
motion that the demo model of that time recorded, and `recorded.json`: the sums of |weight| by
network, and the losses of all four steps, as that version computed them.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from flax import nnx

from fomm_jax.animation.animator import Animator
from fomm_jax.animation.motion import Motion
from fomm_jax.errors import InputError
from fomm_jax.models.build import abstract_model
from fomm_jax.models.first_order.keypoints import Keypoints
from fomm_jax.reporting.events import read_curves
from fomm_jax.weights.find_checkpoint import find_checkpoint
from fomm_jax.weights.restore import (
    restore_config,
    restore_epoch,
    restore_networks,
    restore_state,
)
from fomm_jax.weights.train_state import abstract_state, make_optimizers
from input_pipeline.figures.scenes import write_dataset

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests" / "data" / "earlier_version"
WORKDIR = FOLDER / "workdir"
RECORDED = json.loads((FOLDER / "recorded.json").read_text())


def sums(tree):
    """Sum |weight| for each network."""
    return {
        name: sum(np.abs(np.asarray(leaf, np.float64)).sum() for leaf in jax.tree.leaves(network))
        for name, network in tree.items()
    }


def test_networks_of_a_checkpoint():
    config = restore_config(find_checkpoint(WORKDIR))
    networks = restore_networks(WORKDIR, abstract_model(config))
    assert sums(nnx.state(networks)) == pytest.approx(RECORDED["sums"], rel=1e-12)
    frame = np.zeros((*config.dataset.frame_shape[:2], 3), np.uint8)
    (animated,) = Animator.from_checkpoint(WORKDIR).animate(frame, [frame])
    assert animated.shape == frame.shape


def test_state_of_a_checkpoint():
    path = find_checkpoint(WORKDIR)
    config = restore_config(path)
    optimizers = make_optimizers(config, 1)
    abstract = abstract_state(config, optimizers)
    state = restore_state(path, abstract)
    assert int(state.step) == 2
    assert restore_epoch(path) == 0
    whole = nnx.merge_state(nnx.State(state.params), nnx.State(state.statistics))
    assert sums(whole) == pytest.approx(RECORDED["sums"], rel=1e-12)
    moments = jax.tree.leaves(state.optimizers["generator"])
    assert any(np.abs(np.asarray(leaf)).max() > 0 for leaf in moments if leaf.ndim)


def test_motion_of_the_demo_model_of_that_time():
    motion = Motion.load(FOLDER / "motion.npz")
    keypoints = Keypoints(np.zeros((1, 10, 2), np.float32), np.zeros((1, 10, 2, 2), np.float32))
    motion.check_model(keypoints, "16b43aaa257a5074")
    frames = motion.frames_like(keypoints)
    assert len(frames) == len(motion) > 1
    np.testing.assert_array_equal(frames[1].value, motion.arrays["value"][1])
    np.testing.assert_array_equal(frames[1].jacobian, motion.arrays["jacobian"][1])
    with pytest.raises(InputError, match=r"another model \(16b43aaa257a5074\)"):
        Animator.demo().check_motion(motion)  # a later model, with sixteen keypoints


def test_a_model_is_known_by_the_same_digits():
    """Motions stay usable only as long as the fingerprint of a model does not change."""
    assert Animator.from_checkpoint(WORKDIR).fingerprint == "634ff3e57e6aaf0b"


@pytest.mark.slow  # compiles a whole training step in a process with one device
def test_training_goes_on_with_the_same_losses(tmp_path):
    shutil.copytree(WORKDIR, tmp_path / "workdir")
    write_dataset(tmp_path / "figures", 32, num_videos=8, num_frames=8, seed=3)
    command = [sys.executable, "main.py", "--config=configs/tiny.py", "--mode=train"]
    command += [f"--config.dataset.root_dir={tmp_path}/figures", f"--workdir={tmp_path}/workdir"]
    command += ["--config.train.num_steps=4", "--config.train.log_every=1"]
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    subprocess.run(command, check=True, cwd=ROOT, env=environment)
    curves = read_curves(tmp_path / "workdir")
    for name, losses in RECORDED["losses"].items():
        for step in (3, 4):
            assert curves[name][step] == pytest.approx(losses[str(step)], rel=1e-3), (name, step)
