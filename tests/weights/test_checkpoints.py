"""Which checkpoints are kept, how damaged ones are replaced, and what happens on a full disk."""

import resource
import shutil
import types

import jax
import numpy as np
import pytest
from orbax.checkpoint import v1 as ocp

from fomm_jax.errors import InputError
from fomm_jax.training.resume import newest_whole_state
from fomm_jax.weights.checkpoints import Checkpoints
from fomm_jax.weights.checksums import FILE, find_damage
from fomm_jax.weights.find_checkpoint import find_checkpoint
from fomm_jax.weights.restore import DamagedCheckpointError, restore_epoch, restore_state
from fomm_jax.weights.train_state import TrainState


class Position:
    """A loader that has nothing but its position."""

    def __init__(self):
        self.state = {"next_batch": 0}

    def set_state(self, state):
        self.state = state


def state_at(step):
    """Return a state of 400 kB that differs by step and cannot be compressed."""
    noise = np.random.default_rng(step).standard_normal((100, 1000), np.float32)
    weights = {"weights": jax.numpy.asarray(noise)}
    mean = {"mean": jax.numpy.full(3, step, np.float32)}
    return TrainState(jax.numpy.int32(step), {"net": weights}, {"net": mean}, {"net": mean})


def write(workdir, losses, keep=10, keep_best=0):
    """Save a checkpoint with each loss, its position in the data at twice its step.

    Returns:
      The steps of the checkpoints that are there afterwards.
    """
    with Checkpoints(workdir, keep=keep, keep_best=keep_best) as checkpoints:
        first = max(checkpoints.steps, default=0) + 1
        for step, loss in enumerate(losses, first):
            checkpoints.save(step, state_at(step), 0, {"next_batch": 2 * step}, loss)
    return sorted(int(path.name) for path in checkpoints.folder.iterdir())


def test_a_workdir_whose_name_is_not_utf_8_is_refused_before_anything_is_written(tmp_path):
    workdir = tmp_path / "M\udcfcller"
    with pytest.raises(InputError, match=r"/M.*ller: the name is not text in utf-8"):
        Checkpoints(workdir, keep=1)
    with pytest.raises(InputError, match=r"/M.*ller: the name is not text in utf-8"):
        find_checkpoint(workdir)
    assert not workdir.exists()


def assert_is(state, step):
    """Assert that a state is that of `state_at(step)`."""
    assert int(state.step) == step
    for array, expected in zip(
        jax.tree.leaves(state), jax.tree.leaves(state_at(step)), strict=True
    ):
        np.testing.assert_array_equal(array, expected)


@pytest.fixture
def abstract():
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), state_at(0))


def test_the_newest_and_the_best_are_kept(tmp_path):
    assert write(tmp_path, [0.5, 0.1, 0.9, 0.8], keep=1, keep_best=1) == [2, 4]
    # Checkpoints from before the program was started again still count.
    assert write(tmp_path, [0.3, 0.7], keep=1, keep_best=2) == [2, 5, 6]
    assert write(tmp_path, [0.05], keep=2, keep_best=0) == [6, 7]


def test_every_kind_of_damage_is_detected(tmp_path, abstract):
    write(tmp_path, [0.5])
    whole = tmp_path / "checkpoints" / "1"
    assert_is(restore_state(whole, abstract), 1)
    files = [path.relative_to(whole) for path in sorted(whole.rglob("*")) if path.is_file()]
    needed = [
        name
        for name in files
        if name.parts[0] in ("params", "statistics", "optimizers", "step", "_CHECKPOINT_METADATA")
    ]
    assert len(needed) > 20
    damaged = tmp_path / "damaged"
    for name in needed:
        for kind in ("gone", "cut", "changed"):
            shutil.copytree(whole, damaged)
            content = bytearray((damaged / name).read_bytes())
            content[len(content) // 2] ^= 16
            if kind == "gone":
                (damaged / name).unlink()
            else:
                (damaged / name).write_bytes(content if kind == "changed" else content[:-1])
            with pytest.raises(DamagedCheckpointError, match=f"damaged: is damaged .{name}"):
                restore_state(damaged, abstract)
            shutil.rmtree(damaged)


def test_a_checkpoint_without_checksums_is_read(tmp_path, abstract):
    """An older version wrote it, or its writer was killed at the last moment."""
    write(tmp_path, [0.5])
    (tmp_path / "checkpoints" / "1" / FILE).unlink()
    position = Position()
    assert_is(restore_state(tmp_path / "checkpoints" / "1", abstract, position), 1)
    assert position.state == {"next_batch": 2}


def test_training_goes_back_to_the_checkpoint_before_damaged_ones(tmp_path, abstract, capsys):
    write(tmp_path, [0.5] * 4)
    folder = tmp_path / "checkpoints"
    (folder / "4" / "step" / "manifest.ocdbt").unlink()
    (folder / "4" / "metrics" / "metrics").write_bytes(b"{")
    (folder / "3" / FILE).write_text("{")
    position = Position()
    with Checkpoints(tmp_path, keep=2) as checkpoints:
        assert_is(newest_whole_state(checkpoints, abstract, position), 2)
        assert checkpoints.steps == [1, 2]
        checkpoints.save(3, state_at(3), 0)
    assert position.state == {"next_batch": 4}
    four, three = capsys.readouterr().err.splitlines()
    assert four == (
        f"warning: {folder / '4'}: is damaged (step/manifest.ocdbt: No such file or directory);"
        f" renamed, and going on from {folder / '2'}"
    )
    assert three.startswith(f"warning: {folder / '3'}: is damaged ({FILE} is no JSON)")
    assert {path.name for path in folder.iterdir()} == {"2", "3", "3.damaged", "4.damaged"}
    assert_is(restore_state(find_checkpoint(tmp_path), abstract), 3)


def test_a_renamed_checkpoint_is_refused(tmp_path, abstract):
    write(tmp_path, [0.5] * 4)
    folder = tmp_path / "checkpoints"
    (folder / "4").rename(folder / "7")
    with (
        Checkpoints(tmp_path, keep=10) as checkpoints,
        pytest.raises(InputError, match=r"checkpoints/7: holds the state after step 4; expected"),
    ):
        newest_whole_state(checkpoints, abstract, Position())
    assert {path.name for path in folder.iterdir()} == {"1", "2", "3", "7"}


def test_a_checkpoint_that_is_not_finite_is_refused(tmp_path, abstract):
    """Restoring an older one would hide what went wrong."""
    write(tmp_path, [0.5])
    state = state_at(2)
    state.params["net"]["weights"] = state.params["net"]["weights"].at[3, 4].set(np.nan)
    with Checkpoints(tmp_path, keep=2) as checkpoints:
        checkpoints.save(2, state, 0)
        checkpoints.wait()
        with pytest.raises(InputError, match=r"checkpoints/2: expected finite .*net\.weights$"):
            newest_whole_state(checkpoints, abstract, Position())


def test_a_folder_that_stayed_empty_is_removed(tmp_path):
    with Checkpoints(tmp_path, keep=1) as checkpoints:
        assert checkpoints.folder.is_dir()
    assert not list(tmp_path.iterdir())


def test_nothing_is_renamed_if_no_checkpoint_is_whole(tmp_path, abstract):
    write(tmp_path, [0.5, 0.5])
    folder = tmp_path / "checkpoints"
    for step in "12":
        shutil.rmtree(folder / step / "params")
    with (
        Checkpoints(tmp_path, keep=2) as checkpoints,
        pytest.raises(InputError, match=r"/2: is damaged .params/.* no checkpoint before it"),
    ):
        newest_whole_state(checkpoints, abstract, Position())
    assert {path.name for path in folder.iterdir()} == {"1", "2"}


@pytest.mark.parametrize("last", [False, True])
def test_a_full_disk_leaves_the_earlier_checkpoints(tmp_path, abstract, last):
    """The system refuses to write files of more than 4 kB here."""
    write(tmp_path, [0.5])
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    losses = [0.5] if last else [0.5, 0.5, 0.5]  # the error comes at the end, or from the next save
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        with pytest.raises(InputError) as caught:
            write(tmp_path, losses)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    folder = tmp_path / "checkpoints"
    assert str(caught.value) == f"{folder}: cannot be written (File too large)"
    assert find_checkpoint(tmp_path) == folder / "1"
    assert_is(restore_state(folder / "1", abstract), 1)
    # The next start removes the unfinished checkpoint.
    assert write(tmp_path, [0.5], keep=5) == [1, 2]


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "checkpoints").write_text("in the way")
    with pytest.raises(InputError, match="checkpoints: cannot be written"):
        Checkpoints(tmp_path, keep=1)


@pytest.mark.parametrize("metadata", [None, {}, {"epoch": 3}])
def test_the_epoch_may_be_missing(tmp_path, monkeypatch, metadata):
    entry = types.SimpleNamespace(custom_metadata=metadata)
    monkeypatch.setattr(ocp, "checkpointables_metadata", lambda _: entry)
    assert restore_epoch(tmp_path) == (metadata or {}).get("epoch", 0)


@pytest.mark.parametrize("content", ["[]", "3", '{"params/a": 3}', '{"params/a": [3]}'])
def test_a_list_of_checksums_that_is_none_is_damage(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    assert find_damage(tmp_path, ["params"]) == "checksums.json is damaged"
