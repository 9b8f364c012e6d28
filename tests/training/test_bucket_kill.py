"""A run in a bucket that is killed again and again ends as one that never was."""

import random
import time

import pytest
from bucket_server import variables
from small_training import saved_state
from three_number_run import EVERY
from training_runs import assert_same

from fomm_jax.buckets import list_folder, to_path
from fomm_jax.reporting.events import read_curves
from fomm_jax.weights.find_checkpoint import list_checkpoints

LONGEST = 1.5  # seconds between the first step and a kill, in which a run takes 150 steps at most


def newest(workdir):
    """Return the step of the newest whole checkpoint."""
    checkpoints = list_checkpoints(to_path(workdir) / "checkpoints")
    return int(checkpoints[-1].name) if checkpoints else 0


def is_cut_off(workdir):
    """Tell whether there is a checkpoint that is not whole."""
    folder = to_path(workdir) / "checkpoints"
    steps = [entry for entry in list_folder(folder) if entry.name.isdecimal()]
    return len(steps) > len(list_checkpoints(folder))


@pytest.mark.slow
@pytest.mark.parametrize("kills", [2, 20])
def test_killed_run_ends_like_the_undisturbed_one(bucket, bucket_server, start, tmp_path, kills):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    environment, num_steps = variables(bucket_server), 100 * (kills + 2)
    undisturbed, killed = tmp_path / "W", f"{bucket}/W"
    run = start(undisturbed, environment, num_steps)
    assert run.end()[0] == 0, run.text()
    rng = random.Random(0)
    cut_off = 0
    for _ in range(kills):
        at_start = newest(killed)
        run = start(killed, environment, num_steps)
        run.wait_for(lambda run=run: "\nstep " in run.text())
        time.sleep(rng.uniform(0, LONGEST))
        run.kill()
        assert "main.py: " not in run.text(), "killed too late"
        if at_start:
            assert f"continues at step {at_start + 1}, from {killed}" in run.text()
        cut_off += is_cut_off(killed)
        # The last checkpoint that was due, or the one before where it was yet to be written.
        done = max(read_curves(killed).get("perceptual", [0]))
        assert newest(killed) >= max(done // EVERY * EVERY - EVERY, at_start)
    assert cut_off >= kills // 4
    run = start(killed, environment, num_steps)
    assert run.end()[0] == 0, run.text()
    assert newest(killed) == num_steps
    assert_same(saved_state(to_path(killed), num_steps), saved_state(undisturbed, num_steps))
    reader = EventAccumulator(killed)
    reader.Reload()
    points = {point.step: point.value for point in reader.Scalars("perceptual")}
    assert points == read_curves(undisturbed)["perceptual"]
    assert [*points] == [*range(1, num_steps + 1)]
