"""A run whose workdir is in a bucket: it is the run that it would be on a disk."""

import contextlib
import os

import jax
import numpy as np
import pytest
from orbax.checkpoint import v1 as ocp
from small_training import CountedBatches, make_program, run

from fomm_jax.buckets import to_path
from fomm_jax.reporting.events import read_curves
from fomm_jax.training import loop
from fomm_jax.training.log import TrainingLog
from fomm_jax.weights.find_checkpoint import find_checkpoint, list_checkpoints

pytestmark = pytest.mark.filterwarnings("ignore:Sharding info not provided:UserWarning")


@pytest.fixture(autouse=True)
def small_program(monkeypatch):
    monkeypatch.setattr(loop, "make_program", make_program)
    monkeypatch.setattr(TrainingLog, "write_picture", lambda log, step, outputs: None)


def saved(workdir, step):
    parts = ocp.load_checkpointables(
        os.fspath(to_path(workdir) / "checkpoints" / str(step)),
        dict.fromkeys(("params", "statistics", "optimizers", "step")),
    )
    return jax.tree.map(np.asarray, parts)


def names(folder):
    return sorted(path.name for path in to_path(folder).iterdir())


def test_a_run_in_a_bucket_equals_one_on_a_disk(bucket, tmp_path):
    assert run(tmp_path / "W") == run(f"{bucket}/a/W") == 5
    assert names(f"{bucket}/a/W/checkpoints") == names(tmp_path / "W" / "checkpoints")
    for step in (2, 4, 5):
        on_disk, in_bucket = saved(tmp_path / "W", step), saved(f"{bucket}/a/W", step)
        jax.tree.map(np.testing.assert_array_equal, on_disk, in_bucket)
    losses = [read_curves(workdir)["perceptual"] for workdir in (tmp_path / "W", f"{bucket}/a/W")]
    assert losses[0] == losses[1]
    assert "running" not in names(f"{bucket}/a/W")


class Stopping(CountedBatches):
    """Batches that end by an error."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def __next__(self):
        if self.number == self.at:
            raise RuntimeError("no more")
        return super().__next__()


@pytest.mark.slow
def test_a_run_goes_on_from_its_newest_checkpoint(bucket, tmp_path):
    for workdir in (tmp_path / "W", f"{bucket}/W"):
        with pytest.raises(RuntimeError, match="no more"):
            run(workdir, Stopping(at=3))
        assert find_checkpoint(workdir).name == "3"
        assert run(workdir) == 2
    jax.tree.map(np.testing.assert_array_equal, saved(tmp_path / "W", 5), saved(f"{bucket}/W", 5))


@pytest.mark.slow
def test_a_run_begins_from_a_checkpoint_in_a_bucket(bucket, tmp_path):
    run(f"{bucket}/W", num_steps=4)
    for workdir in (tmp_path / "W", f"{bucket}/V"):
        assert run(workdir, begin_from=f"{bucket}/W") == 1
    jax.tree.map(np.testing.assert_array_equal, saved(tmp_path / "W", 5), saved(f"{bucket}/V", 5))


def test_a_save_that_was_cut_off_is_no_checkpoint(bucket):
    run(f"{bucket}/W", num_steps=4)
    folder = to_path(f"{bucket}/W/checkpoints")
    (folder / "4" / "commit_success.txt").unlink()
    assert [path.name for path in list_checkpoints(folder)] == ["2"]
    assert find_checkpoint(f"{bucket}/W").name == "2"
    assert run(f"{bucket}/W", num_steps=4) == 2
    assert find_checkpoint(f"{bucket}/W").name == "4"


def test_a_damaged_checkpoint_is_set_aside(bucket, caplog):
    run(f"{bucket}/W", num_steps=4)
    folder = to_path(f"{bucket}/W/checkpoints")
    (data,) = (folder / "4" / "params" / "d").iterdir()
    data.write_bytes(data.read_bytes()[:-1])
    assert run(f"{bucket}/W", num_steps=4) == 2
    assert "renamed, and going on from" in caplog.text
    assert names(folder) == ["2", "4", "4.damaged"]


def test_nothing_is_left_of_a_run_that_saved_nothing(bucket):
    with pytest.raises(RuntimeError, match="no more"):
        run(f"{bucket}/W", Stopping(at=0))
    assert not to_path(f"{bucket}/W").exists()


def test_tensorboard_sees_the_whole_curve_of_a_killed_run(bucket):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for at in (3, 5, None):
        batches = CountedBatches() if at is None else Stopping(at)
        with pytest.raises(RuntimeError) if at else contextlib.nullcontext():
            run(f"{bucket}/W", batches, num_steps=7)
    reader = EventAccumulator(f"{bucket}/W")
    reader.Reload()
    points = reader.Scalars("perceptual")
    assert [point.step for point in points] == [1, 2, 3, 4, 5, 6, 7]
