"""The training loop: what a stop and a second start must not change, and how a run fails."""

import contextlib
import dataclasses
import re
import resource
import shutil

import jax
import numpy as np
import pytest
from narrow_vgg import narrow_vgg
from orbax.checkpoint import v1 as ocp

from configs import tiny
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.errors import InputError
from fomm_jax.evaluation.reconstruction_page import NOT_LOSSES
from fomm_jax.reporting.events import read_curves
from fomm_jax.training import loop as train_module
from fomm_jax.training import program
from fomm_jax.training.divergence import NotFiniteError
from fomm_jax.training.loop import train
from fomm_jax.training.program import Program
from fomm_jax.training.step import make_train_step
from fomm_jax.training.workdir_lock import only_run_in
from fomm_jax.types import Batch
from fomm_jax.weights.checkpoints import restore_state
from fomm_jax.weights.load import load_config
from fomm_jax.weights.torch.names import to_checkpoint
from fomm_jax.weights.torch.writer import write_torch_file
from fomm_jax.weights.train_state import initial_state, make_optimizers
from input_pipeline.figures.scenes import write_dataset
from input_pipeline.loader import TrainingBatches, training_batches

pytestmark = [
    # Orbax, asked for arrays without shardings, says that it takes those of the file.
    pytest.mark.filterwarnings("ignore:Sharding info not provided:UserWarning"),
]

BRANCHES = ("params", "statistics", "optimizers", "step")


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """The tiny model on drawn figures: an epoch has 2 steps, and a checkpoint follows every 2."""
    data = tmp_path_factory.mktemp("figures") / "data"
    write_dataset(data, size=32, num_videos=10, num_frames=5, seed=0)
    values = tiny.get_config()
    values.dataset.root_dir = str(data)
    values.train.update(batch_size=8, num_repeats=2, num_steps=4, epoch_milestones=(1,))
    return from_config_dict(values)


@pytest.fixture(scope="module")
def vgg():
    return jax.tree.map(np.float32, narrow_vgg())


def run(config, workdir, vgg, num_steps=4, begin_from=None, **changes):
    """Train up to a step; the number of steps that it took."""
    settings = dataclasses.replace(config.train, num_steps=num_steps, **changes)
    config = dataclasses.replace(config, train=settings)
    with contextlib.closing(
        training_batches(
            config.dataset,
            batch_size=settings.batch_size,
            num_repeats=settings.num_repeats,
            seed=settings.seed,
        )
    ) as batches:
        return train(config, workdir, batches, batches.steps_per_epoch, vgg, begin_from)


def saved(workdir, step):
    """The arrays of a checkpoint, by their names."""
    folder = workdir / "checkpoints" / str(step)
    branches = ocp.load_checkpointables(folder, dict.fromkeys(BRANCHES))
    return {
        jax.tree_util.keystr(path): np.asarray(leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(branches)
    }


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name], err_msg=name, strict=True)


@pytest.fixture(scope="module")
def uninterrupted(config, vgg, tmp_path_factory):
    """A workdir after 4 steps in one go."""
    workdir = tmp_path_factory.mktemp("uninterrupted")
    run(config, workdir, vgg)
    return workdir


def test_every_part_of_the_state_is_trained(uninterrupted):
    before, after = saved(uninterrupted, 2), saved(uninterrupted, 4)
    assert {name.split("'")[1] for name in after} == set(BRANCHES)
    same = {name for name in after if np.array_equal(before[name], after[name])}
    # The biases before a normalisation have no gradient but rounding, and a vector of one number
    # is of unit length from the start; all else has moved.
    assert not {name for name in same if "bias" not in name and after[name].size > 1}


def test_checkpoints_carry_the_configuration(config, uninterrupted):
    assert load_config(uninterrupted) == config


def test_losses_can_be_told_from_what_else_is_written(uninterrupted):
    losses = {name for name in read_curves(uninterrupted) if name not in NOT_LOSSES}
    assert losses == {
        "perceptual",
        "gen_gan",
        "disc_gan",
        "feature_matching",
        "equivariance_value",
        "equivariance_jacobian",
    }


def test_second_start_goes_on_as_if_there_had_been_no_stop(config, vgg, uninterrupted, tmp_path):
    run(config, tmp_path, vgg, num_steps=2)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["2"]
    run(config, tmp_path, vgg)
    assert_same(saved(tmp_path, 4), saved(uninterrupted, 4))


def test_training_in_a_new_workdir_begins_from_a_checkpoint(config, vgg, uninterrupted, tmp_path):
    begin = uninterrupted / "checkpoints" / "2"
    assert run(config, tmp_path, vgg, begin_from=begin) == 2
    assert_same(saved(tmp_path, 4), saved(uninterrupted, 4))
    with pytest.raises(InputError, match=r"has a checkpoint .* begin from"):
        run(config, tmp_path, vgg, begin_from=begin)


def test_training_goes_on_from_a_file_of_the_original(config, vgg, uninterrupted, tmp_path):
    """Step 2 of ours, by way of PyTorch's form: networks, moments, counts and position."""
    optimizers = make_optimizers(config, 1)
    abstract = jax.eval_shape(lambda: initial_state(config, optimizers, jax.random.key(0)))
    state = restore_state(uninterrupted / "checkpoints" / "2", abstract)
    write_torch_file(tmp_path / "two.pth.tar", to_checkpoint(config, state, 0))
    assert run(config, tmp_path / "W", vgg, begin_from=tmp_path / "two.pth.tar") == 2
    assert_same(saved(tmp_path / "W", 4), saved(uninterrupted, 4))


def test_fine_tuning_begins_with_the_networks_alone(config, vgg, uninterrupted, tmp_path):
    """With learning rates of 0, the parameters stay those of the checkpoint."""
    rates = dict.fromkeys(("lr_generator", "lr_discriminator", "lr_kp_detector"), 0.0)
    settings = dataclasses.replace(config.train, init_from=str(uninterrupted), **rates)
    config = dataclasses.replace(config, train=settings)
    assert run(config, tmp_path, vgg, num_steps=2) == 2
    found, expected = saved(tmp_path, 2), saved(uninterrupted, 4)
    params = [name for name in expected if name.startswith("['params']")]
    assert len(params) > 20
    for name in params:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    counts = [found[name] for name in found if "optimizers" in name and "count" in name]
    assert set(map(int, counts)) == {2}


def test_finished_run_does_nothing(config, vgg, uninterrupted):
    before = saved(uninterrupted, 4)
    assert run(config, uninterrupted, vgg) == 0
    names = sorted(path.name for path in (uninterrupted / "checkpoints").iterdir())
    assert names == ["2", "4"]
    assert_same(saved(uninterrupted, 4), before)


def test_breakdown_leaves_the_last_checkpoint_whole(
    config, vgg, uninterrupted, tmp_path, monkeypatch
):
    read = TrainingBatches.__next__

    def third_is_unreadable(batches):
        if batches.get_state()["next_batch"] == 2:
            raise OSError("the disk is gone")
        return read(batches)

    monkeypatch.setattr(TrainingBatches, "__next__", third_is_unreadable)
    with pytest.raises(OSError, match="the disk is gone"):
        run(config, tmp_path, vgg)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["2"]
    assert_same(saved(tmp_path, 2), saved(uninterrupted, 2))


def test_loss_that_is_not_a_number_names_step_term_and_last_checkpoint(
    config, vgg, uninterrupted, tmp_path
):
    folder = tmp_path / "checkpoints"
    shutil.copytree(uninterrupted / "checkpoints" / "2", folder / "2")
    broken = vgg | {"conv5_1": tuple(np.full_like(array, np.nan) for array in vgg["conv5_1"])}
    with pytest.raises(NotFiniteError) as caught:
        run(config, tmp_path, broken)
    assert str(caught.value) == (
        f"step 3: perceptual is nan; the last good checkpoint: {folder / '2'}"
    )
    assert [path.name for path in folder.iterdir()] == ["2"]


def test_batch_that_the_devices_cannot_share_is_refused(config, vgg, tmp_path):
    assert jax.device_count() == 8
    settings = dataclasses.replace(config.train, batch_size=4)
    with pytest.raises(InputError, match=re.escape("config.train.batch_size is 4")):
        run(dataclasses.replace(config, train=settings), tmp_path, vgg)
    assert not list(tmp_path.iterdir())


def test_damaged_checkpoint_gives_way_and_the_run_ends_the_same(
    config, vgg, uninterrupted, tmp_path, capsys
):
    folder = tmp_path / "checkpoints"
    shutil.copytree(uninterrupted / "checkpoints", folder)
    largest = max((folder / "4").rglob("*"), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-100])
    assert run(config, tmp_path, vgg) == 2
    assert f"{folder / '4'}: is damaged ({largest.relative_to(folder / '4')} has" in (
        line := capsys.readouterr().err.splitlines()[0]
    )
    assert line.endswith(f"renamed, and going on from {folder / '2'}")
    assert_same(saved(tmp_path, 4), saved(uninterrupted, 4))


def test_full_disk_ends_the_run_in_one_line(config, vgg, uninterrupted, tmp_path, monkeypatch):
    """From the third batch on, the system lets files grow to 64 kB."""
    read, before = TrainingBatches.__next__, resource.getrlimit(resource.RLIMIT_FSIZE)

    def full_at_the_third(batches):
        if batches.get_state()["next_batch"] == 2:
            settled = tmp_path / "checkpoints" / "2" / "checksums.json"
            while not settled.is_file():
                pass
            resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, before[1]))
        return read(batches)

    monkeypatch.setattr(TrainingBatches, "__next__", full_at_the_third)
    try:
        with pytest.raises(InputError) as caught:
            run(config, tmp_path, vgg, visualize_every=100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    folder = tmp_path / "checkpoints"
    assert str(caught.value) == f"{folder}: cannot be written (File too large)"
    assert_same(saved(tmp_path, 2), saved(uninterrupted, 2))


def test_second_run_in_a_workdir_is_refused(config, vgg, tmp_path):
    with only_run_in(tmp_path), pytest.raises(InputError, match="another run is at work here"):
        run(config, tmp_path, vgg)
    assert not list(tmp_path.iterdir())


def test_a_batch_that_was_not_sent_on_purpose_is_refused(config, vgg, tmp_path, monkeypatch):
    def without_step(mesh, config, optimizers):
        initialise, _ = make_program(mesh, config, optimizers)
        return Program(initialise, jax.jit(lambda state, batch, key, vgg: (state, {}, batch)))

    make_program = train_module.make_program
    monkeypatch.setattr(train_module, "make_program", without_step)
    monkeypatch.setattr(train_module.sharding, "to_global", lambda batch, mesh: batch)
    with pytest.raises(jax.errors.JaxRuntimeError, match="Disallowed host-to-device transfer"):
        run(config, tmp_path, vgg)


@pytest.fixture
def diverging(monkeypatch):
    """Training in which a black batch gives gradients, and parameters, that are not numbers."""

    def make(config, optimizers, convolutions):
        step = make_train_step(config, optimizers, convolutions)

        def spoiled(state, batch, key, vgg):
            state, scalars, outputs = step(state, batch, key, vgg)
            factor = jax.numpy.where(batch.source.max() == 0, np.float32(np.nan), np.float32(1))
            params = jax.tree.map(lambda array: array * factor, state.params)
            norm = {"gradient_norm": scalars["gradient_norm"] * factor}
            return dataclasses.replace(state, params=params), scalars | norm, outputs

        return spoiled

    monkeypatch.setattr(program, "make_train_step", make)
    read = TrainingBatches.__next__

    def these_black(numbers):
        def next_batch(batches):
            number = batches.get_state()["next_batch"]
            batch = read(batches)
            black = np.zeros_like(batch.source)
            return Batch(black, black) if number in numbers else batch

        monkeypatch.setattr(TrainingBatches, "__next__", next_batch)

    def without(numbers):
        def next_batch(batches):
            while batches.get_state()["next_batch"] in numbers:
                read(batches)
            return read(batches)

        monkeypatch.setattr(TrainingBatches, "__next__", next_batch)

    return these_black, without


def test_bad_batches_are_skipped_as_if_they_had_not_been(config, vgg, tmp_path, diverging, capsys):
    """One before there is a checkpoint, and one after the first."""
    these_black, without = diverging
    these_black({0, 3})
    assert run(config, tmp_path / "black", vgg, on_divergence="skip", max_skips=2) == 4
    told = [line for line in capsys.readouterr().err.splitlines() if "without the batch" in line]
    assert told[0].startswith(
        "warning: step 1: gradient_norm is nan; the last good checkpoint: none"
    )
    assert "(1 of at most 2)" in told[0]
    assert told[1].startswith("warning: step 3: gradient_norm is nan")
    assert f"{tmp_path}/black/checkpoints/2; going back" in told[1]
    assert len(told) == 2
    without({0, 3})
    assert run(config, tmp_path / "without", vgg) == 4
    assert_same(saved(tmp_path / "black", 4), saved(tmp_path / "without", 4))
    curves, expected = (read_curves(tmp_path / name) for name in ("black", "without"))
    assert curves["perceptual"] == expected["perceptual"]
    assert curves["skipped_batches"] == {1: 1, 2: 1, 3: 2, 4: 2}


def test_skips_are_limited(config, vgg, tmp_path, diverging):
    these_black, _ = diverging
    these_black({1, 2, 3, 4})
    with pytest.raises(NotFiniteError, match=r"^step 2: gradient_norm is nan"):
        run(config, tmp_path, vgg, on_divergence="skip", max_skips=2)
    assert not [*(tmp_path / "checkpoints").iterdir()]
