"""What the log of training tells beside the losses, and when it warns."""

import jax.numpy as jnp
import numpy as np
import pytest

from fomm_jax.config.schema import VisualizeConfig
from fomm_jax.reporting.events import read_curves
from fomm_jax.training import log as training_log
from fomm_jax.training.log import COLLAPSED_SPREAD, TrainingLog
from fomm_jax.training.step.train_step import keypoint_spread
from fomm_jax.training.time_spent import TimeSpent


def open_log(workdir, **options):
    return TrainingLog(
        workdir,
        steps=range(1, 101),
        batch_size=6,
        visualize=VisualizeConfig(),
        **{"spent": TimeSpent()} | options,
    )


def test_costs_of_a_step_are_means_since_the_last_scalars(tmp_path, monkeypatch):
    clock = [50.0]
    monkeypatch.setattr(training_log.time, "monotonic", lambda: clock[0])
    spent = TimeSpent()
    with open_log(tmp_path, skipped_batches=3, spent=spent) as log:
        for step, (wait, work) in enumerate([(1.0, 2.0), (3.0, 4.0), (0.5, 1.5)], 1):
            with spent.on("input"):
                clock[0] += wait
            clock[0] += work
            log.add({"loss": float(step)}, float(step))
            if step > 1:
                log.write_scalars(step)
    curves = read_curves(tmp_path)
    assert curves["seconds_per_step"] == {2: 5.0, 3: 2.0}
    assert curves["input_wait"] == {2: 2.0, 3: 0.5}
    assert curves["pairs_per_second"] == pytest.approx({2: 1.2, 3: 3.0})
    # 4 of 10 seconds, then 4.5 of 12.
    assert curves["share_of_time/input"] == pytest.approx({2: 0.4, 3: 0.375})
    assert curves["share_of_time/steps"] == pytest.approx({2: 0.6, 3: 0.625})
    assert curves["loss"] == {2: 1.5, 3: 3.0}
    assert curves["skipped_batches"] == {2: 3.0, 3: 3.0}
    # This process, which has imported JAX, and has no hundred gigabytes.
    assert all(0.1 < memory < 100 for memory in curves["memory"].values())


def test_collapse_of_the_keypoints_is_told_once(tmp_path, capsys):
    with open_log(tmp_path) as log:
        for step, spread in enumerate([0.1, 1.01 * COLLAPSED_SPREAD, 0.011, 0.012], 1):
            log.add({"keypoint_spread": spread}, 1.0)
            log.write_scalars(step)
    told = [line for line in capsys.readouterr().err.splitlines() if "collapsed" in line]
    assert len(told) == 1
    assert told[0].startswith("warning: step 3: the keypoints have collapsed")
    assert "0.0110 of the frame's side" in told[0]


def test_one_keypoint_cannot_collapse(tmp_path, capsys):
    with open_log(tmp_path) as log:
        log.add({"perceptual": 1.0}, 1.0)
        log.write_scalars(1)
    assert "collapsed" not in capsys.readouterr().err


def test_spread_is_the_deviation_as_a_share_of_the_frame():
    corners = np.array([[-1, -1], [1, 1]], np.float32)  # 1 from their mean, along each side
    inner = np.array([[0.2, -0.5], [0.6, -0.5]], np.float32)  # 0.2 along x, 0 along y
    spread = keypoint_spread(jnp.asarray(np.stack([corners, inner])))
    assert float(spread) == pytest.approx((0.5 + np.sqrt(0.2**2 / 2) / 2) / 2, rel=1e-6)
