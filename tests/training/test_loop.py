"""The training loop: what a stop and a second start must not change, and how a run fails."""

import dataclasses
import re
import resource
import shutil

import jax
import numpy as np
import pytest
from training_runs import BRANCHES, assert_same, run, saved

from fomm_jax.errors import InputError
from fomm_jax.evaluation.reconstruction_page import is_loss
from fomm_jax.reporting.events import read_curves
from fomm_jax.training import loop as train_module
from fomm_jax.training.divergence import NotFiniteError
from fomm_jax.training.workdir_lock import only_run_in
from fomm_jax.weights.load import load_config
from fomm_jax.weights.restore import restore_state
from fomm_jax.weights.torch.to_original import to_checkpoint
from fomm_jax.weights.torch.writer import write_torch_file
from fomm_jax.weights.train_state import abstract_state, make_optimizers
from input_pipeline.loader import TrainingBatches

pytestmark = [
    # Orbax, asked for arrays without shardings, says that it takes those of the file.
    pytest.mark.filterwarnings("ignore:Sharding info not provided:UserWarning"),
]


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
    losses = {name for name in read_curves(uninterrupted) if is_loss(name)}
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


def test_training_goes_on_from_a_file_of_the_original(config, vgg, uninterrupted, tmp_path):
    """Step 2 of ours, by way of PyTorch's form: networks, moments, counts and position."""
    optimizers = make_optimizers(config, 1)
    abstract = abstract_state(config, optimizers)
    state = restore_state(uninterrupted / "checkpoints" / "2", abstract)
    write_torch_file(tmp_path / "two.pth.tar", to_checkpoint(config, state, 0))
    assert run(config, tmp_path / "W", vgg, begin_from=tmp_path / "two.pth.tar") == 2
    assert_same(saved(tmp_path / "W", 4), saved(uninterrupted, 4))


def test_fine_tuning_begins_with_the_networks_alone(config, vgg, uninterrupted, tmp_path):
    """Learning rates of 0 leave the parameters as the checkpoint has them."""
    rates = dict.fromkeys(("lr_generator", "lr_discriminator", "lr_kp_detector"), 0.0)
    settings = dataclasses.replace(config.train, init_from=str(uninterrupted), **rates)
    config = dataclasses.replace(config, train=settings)
    assert run(config, tmp_path, vgg, num_steps=2) == 2
    actual, expected = saved(tmp_path, 2), saved(uninterrupted, 4)
    params = [name for name in expected if name.startswith("['params']")]
    assert len(params) > 20
    for name in params:
        np.testing.assert_array_equal(actual[name], expected[name], err_msg=name)
    counts = [actual[name] for name in actual if "optimizers" in name and "count" in name]
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
    def without_step(mesh, config, optimizers, steps_per_epoch):
        program = make_program(mesh, config, optimizers, steps_per_epoch)
        return program._replace(
            train_step=jax.jit(lambda state, batch, key, vgg: (state, {}, batch))
        )

    make_program = train_module.make_program
    monkeypatch.setattr(train_module, "make_program", without_step)
    monkeypatch.setattr(train_module.sharding, "to_global", lambda batch, mesh: batch)
    with pytest.raises(jax.errors.JaxRuntimeError, match="Disallowed host-to-device transfer"):
        run(config, tmp_path, vgg)
