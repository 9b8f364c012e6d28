"""The training loop: what a stop and a second start must not change, and how a run fails."""

import contextlib
import dataclasses
import re
import shutil

import jax
import numpy as np
import pytest
from orbax.checkpoint import v1 as ocp

from configs import tiny
from fomm_jax.checkpoints import restore_state
from fomm_jax.config_dict import from_config_dict
from fomm_jax.errors import InputError
from fomm_jax.event_files import read_curves
from fomm_jax.perceptual_weights import load_vgg
from fomm_jax.reconstruction_page import NO_LOSSES
from fomm_jax.torch_file_writer import write_torch_file
from fomm_jax.torch_weights import to_checkpoint
from fomm_jax.train import NotFiniteError, train
from fomm_jax.train_state import initial_state, make_optimizers
from input_pipeline.figures import write_dataset
from input_pipeline.loader import TrainingBatches, training_batches

# Orbax, asked for arrays without shardings, says that it takes those of the file.
pytestmark = pytest.mark.filterwarnings("ignore:Sharding info not provided:UserWarning")

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
def vgg(config):
    return load_vgg(config.perceptual)


def run(config, workdir, vgg, num_steps=4, begin_from=None):
    """Train up to a step; the number of steps that it took."""
    settings = dataclasses.replace(config.train, num_steps=num_steps)
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


def test_losses_can_be_told_from_what_else_is_written(uninterrupted):
    losses = {name for name in read_curves(uninterrupted) if name not in NO_LOSSES}
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
    optimizers = make_optimizers(config.train, 1)
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
