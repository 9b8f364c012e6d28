"""Checkpoints of the thin-plate spline model's original become ours, and back, bit for bit."""

import numpy as np
import pytest
import thin_plate_reference as reference
from config_helpers import config_of, with_fields

from fomm_jax.errors import InputError
from fomm_jax.weights.torch.describe import describe_weights
from fomm_jax.weights.torch.from_original import load_networks, load_train_state, read_original
from fomm_jax.weights.torch.reader import read_torch_file
from fomm_jax.weights.torch.to_original import to_checkpoint
from fomm_jax.weights.torch.writer import write_torch_file
from fomm_jax.weights.train_state import make_optimizers

NETWORKS = ("inpainting_network", "dense_motion_network", "kp_detector", "avd_network")


@pytest.fixture(scope="module")
def recording():
    return reference.find("small/no_background_single_mask")


def assert_same_tensors(tensors, expected):
    """Assert that the keys and their order are the same, and the tensors bit for bit."""
    assert list(tensors) == list(expected)
    for key, tensor in expected.items():
        assert (tensors[key].dtype, tensors[key].shape) == (tensor.dtype, tensor.shape), key
        assert tensors[key].tobytes() == tensor.tobytes(), key


def check_both_ways(recording, path):
    checkpoint = recording.resumed_checkpoint()
    config, epoch = recording.config, checkpoint["epoch"]
    optimizers = make_optimizers(config, 1)
    write_torch_file(path, checkpoint)
    state = load_train_state(config, read_original(path), optimizers)
    assert state.step == 4
    path.unlink()
    write_torch_file(path, to_checkpoint(config, state, epoch))
    back = read_torch_file(path)
    assert back.keys() == checkpoint.keys()
    for name in checkpoint.keys() - {"epoch"}:
        if not name.startswith("optimizer"):
            assert_same_tensors(back[name], checkpoint[name])
            continue
        ours, theirs = back[name], checkpoint[name]
        assert ours["state"].keys() == theirs["state"].keys()
        for number, moments in theirs["state"].items():
            assert_same_tensors(ours["state"][number], moments)
        (group,), (expected,) = ours["param_groups"], theirs["param_groups"]
        for field in ("initial_lr", "betas", "eps", "weight_decay", "amsgrad", "params"):
            assert group[field] == expected[field], field


def test_converting_both_ways_keeps_every_bit(recording, tmp_path):
    check_both_ways(recording, tmp_path / "checkpoint.pth.tar")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["background_multi_mask", "before_background"])
def test_larger_checkpoints_are_converted_both_ways(name, tmp_path):
    check_both_ways(reference.find(f"small/{name}"), tmp_path / "checkpoint.pth.tar")


def test_a_file_says_which_configuration_fits_it(recording, tmp_path):
    path = tmp_path / "checkpoint.pth.tar"
    write_torch_file(path, recording.checkpoint)
    configs = {"small": recording.config, "vox": config_of("tpsmm_vox_256")}
    lines = list(describe_weights(str(path), configs | {"first-order": config_of("vox_256")}))
    assert lines[1] == "configurations that fit: small"
    for field, value in (
        ("name", "'thin-plate'"),
        ("thin_plate.num_tps", "4"),
        ("thin_plate.multi_mask", "False"),
        ("thin_plate.dense_motion.scale_factor", "0.5"),
        ("thin_plate.dense_motion.num_blocks", "4"),
        ("thin_plate.generator.num_down_blocks", "2"),
        ("thin_plate.avd_network.id_bottle_size", "16"),
    ):
        assert f"  {field} = {value}" in lines


def test_another_architecture_is_refused_by_its_field(recording):
    config = with_fields(recording.config, model__thin_plate__num_tps=3)
    with pytest.raises(InputError, match=r"thin_plate.num_tps is 3, where the checkpoint fits 4"):
        load_networks(config, recording.checkpoint)
    with pytest.raises(InputError, match=r"model.name is 'first-order', .* fits 'thin-plate'"):
        load_networks(config_of("tiny"), recording.checkpoint)


def test_networks_that_a_checkpoint_may_lack_are_new(recording):
    checkpoint = {name: recording.checkpoint[name] for name in NETWORKS[:3]}
    config = with_fields(recording.config, model__thin_plate__bg=True)
    model = load_networks(config, checkpoint)
    still = np.asarray(model.bg_predictor.encoder.last.bias[...])
    np.testing.assert_array_equal(still, [1, 0, 0, 0, 1, 0])
    assert np.std(model.avd_network.decoder.linears[0].kernel[...]) > 0
