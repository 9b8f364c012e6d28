"""Runs of the thin-plate spline model: what each stage trains, and what a stop must not change."""

import dataclasses

import jax
import numpy as np
import pytest
from training_runs import assert_same, run, saved

from fomm_jax.config.avd_stage import avd_stage
from fomm_jax.training.profiling import profile_step
from fomm_jax.weights.restore import restore_config, restore_state
from fomm_jax.weights.torch.convert import convert_to_torch
from fomm_jax.weights.torch.from_original import load_train_state, read_original
from fomm_jax.weights.torch.to_original import to_checkpoint
from fomm_jax.weights.train_state import abstract_state, make_optimizers

pytestmark = [
    pytest.mark.slow,  # the model has two ResNet-18
    # Orbax, asked for arrays without shardings, says that it takes those of the file.
    pytest.mark.filterwarnings("ignore:Sharding info not provided:UserWarning"),
]


OF_MODEL = ("inpainting_network", "dense_motion_network", "kp_detector", "bg_predictor")


def names_of(arrays, part, network):
    return [name for name in arrays if name.startswith(f"['{part}']['{network}']")]


def changed(before, after, part, network):
    """Tell whether arrays of a network have changed: all of them, some or none."""
    names = names_of(before, part, network)
    assert names
    equal = [np.array_equal(before[name], after[name]) for name in names]
    return "none" if all(equal) else "some" if any(equal) else "all"


@pytest.fixture(scope="module")
def model_run(thin_plate_config, vgg, tmp_path_factory):
    """A workdir of the whole model after 4 steps; the background begins with the third one."""
    workdir = tmp_path_factory.mktemp("model")
    run(thin_plate_config, workdir, vgg)
    return workdir


def test_each_network_is_trained_from_its_epoch_on(model_run):
    two, four = saved(model_run, 2), saved(model_run, 4)
    for network in OF_MODEL:
        assert changed(two, four, "params", network) != "none", network
    assert changed(two, four, "params", "avd_network") == "none"
    # In a new predictor the last layer alone has a gradient, but all weights decay.
    of_optimizer = names_of(two, "optimizers", "bg_predictor")
    counts = [int(two[name]) for name in of_optimizer if "count" in name]
    assert sorted(counts) == [0, 2]  # Adam waits; the schedule of the learning rate counts on
    still = names_of(two, "statistics", "bg_predictor")
    assert all(int(two[name]) == 0 for name in still if "num_batches_tracked" in name)
    assert all(int(four[name]) == 4 for name in still if "num_batches_tracked" in name)


def test_second_start_goes_on_as_if_there_had_been_no_stop(
    thin_plate_config, vgg, model_run, tmp_path
):
    run(thin_plate_config, tmp_path, vgg, num_steps=2)
    run(thin_plate_config, tmp_path, vgg)
    averages = "averages", "averaged_statistics"
    assert_same(saved(tmp_path, 4, *averages), saved(model_run, 4, *averages))


def test_the_step_can_be_profiled(thin_plate_config, tmp_path):
    profile = profile_step(thin_plate_config, tmp_path)
    assert {"kp_detector", "bg_predictor", "dense_motion", "inpainting"} <= profile.parts.keys()
    assert sum(profile.parts.values()) > 0


@pytest.fixture(scope="module")
def avd_run(thin_plate_config, tmp_path_factory):
    """The configuration and workdir of the stage `avd` after 4 steps, for a random model."""
    config = avd_stage(thin_plate_config, finished_model="")
    course = {"num_steps": 4, "checkpoint_every": 2, "ema_decay": 0.0}
    config = dataclasses.replace(config, train=dataclasses.replace(config.train, **course))
    workdir = tmp_path_factory.mktemp("avd")
    assert run(config, workdir, vgg={}) == 4
    return config, workdir


def test_the_avd_network_alone_is_trained(avd_run):
    config, workdir = avd_run
    two, four = saved(workdir, 2), saved(workdir, 4)
    for part in ("params", "statistics"):
        for network in OF_MODEL:
            if names_of(two, part, network):
                assert changed(two, four, part, network) == "none", network
        assert changed(two, four, part, "avd_network") != "none"
    assert {name.split("'")[3] for name in two if name.startswith("['optimizers']")} == {
        "avd_network"
    }
    assert not (workdir / "pictures").exists()
    assert restore_config(workdir / "checkpoints" / "4") == config


def test_a_second_start_of_the_avd_network_goes_on(avd_run, tmp_path):
    config, workdir = avd_run
    run(config, tmp_path, {}, num_steps=2)
    run(config, tmp_path, {})
    assert_same(saved(tmp_path, 4), saved(workdir, 4))


def test_the_avd_optimiser_becomes_the_originals_and_back(thin_plate_config, avd_run, tmp_path):
    config, workdir = avd_run
    optimizers = make_optimizers(config, 2)
    state = restore_state(workdir / "checkpoints" / "4", abstract_state(config, optimizers))
    checkpoint = to_checkpoint(config, state, epoch=2)
    assert [name for name in checkpoint if "optimizer" in name] == ["optimizer_avd"]
    (group,) = checkpoint["optimizer_avd"]["param_groups"]
    assert (group["initial_lr"], group["weight_decay"]) == (1e-3, 0)
    convert_to_torch(thin_plate_config, str(workdir), str(tmp_path / "avd.pth.tar"))
    written = read_original(tmp_path / "avd.pth.tar")
    jax.tree.map(
        np.testing.assert_array_equal, written["optimizer_avd"], checkpoint["optimizer_avd"]
    )
    back = load_train_state(config, written, optimizers)
    for ours, theirs in zip(jax.tree.leaves(back), jax.tree.leaves(state), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # A training of the model has no use for this optimiser.
    motion = dataclasses.replace(config, train=dataclasses.replace(config.train, stage="motion"))
    of_model = load_train_state(motion, checkpoint, make_optimizers(motion, 2))
    assert int(of_model.step) == 0


def test_a_finished_model_gets_its_avd_network(thin_plate_config, model_run, tmp_path):
    """The averages of the finished model are what its AVD network is trained for."""
    config = avd_stage(thin_plate_config, finished_model=str(model_run))
    run(config, tmp_path, {}, num_steps=1)
    model, after = saved(model_run, 4, "averages"), saved(tmp_path, 1)
    for network in OF_MODEL:
        for name in names_of(model, "averages", network):
            array = after[name.replace("averages", "params", 1)]
            np.testing.assert_array_equal(array, model[name], err_msg=name)
