"""Weights that are NaN or infinite are refused by the names of tensor and file."""

import dataclasses

import jax
import numpy as np
import pytest
import reference
from flax import nnx

from fomm_jax.errors import InputError
from fomm_jax.files import read_npz
from fomm_jax.weights.checkpoints import Checkpoints
from fomm_jax.weights.finite import check_finite, check_finite_tree
from fomm_jax.weights.load import load_pretrained, load_state
from fomm_jax.weights.save import save_weights
from fomm_jax.weights.torch.convert import convert_from_torch, convert_to_torch
from fomm_jax.weights.torch.from_original import load_networks, load_train_state
from fomm_jax.weights.torch.to_original import to_checkpoint
from fomm_jax.weights.torch.writer import write_torch_file
from fomm_jax.weights.train_state import make_optimizers
from fomm_jax.weights.vgg import from_torch_state, load_vgg

RECORDING = reference.Recording(reference.IN_REPOSITORY / "tiny_adversarial")
CONFIG = RECORDING.config
OPTIMIZERS = make_optimizers(CONFIG, 1)
KERNEL = "dense_motion_network.hourglass.encoder.down_blocks.0.conv.weight"


def with_value(value, network="generator", key=KERNEL):
    """Return the recorded checkpoint with one number of a tensor replaced."""
    state = dict(RECORDING.checkpoint[network])
    state[key] = np.array(state[key])
    state[key].flat[-1] = value
    return dict(RECORDING.checkpoint) | {network: state}


@pytest.fixture(scope="module")
def state():
    """A state of training whose generator has one infinite weight."""
    state = load_train_state(CONFIG, RECORDING.checkpoint, OPTIMIZERS)
    bias = state.params["generator"]["final"]["bias"]
    bias.set_value(bias.get_value().at[0].set(np.inf))
    return state


def test_the_first_arrays_are_named_and_the_others_counted():
    nan = np.full(2, np.nan, np.float32)
    check_finite({"a": np.ones(3), "b": np.array(7), "c": jax.numpy.zeros((2, 2))})
    with pytest.raises(InputError, match=r"NaN or infinite ones in n\.b$"):
        check_finite_tree({"n": {"a": np.ones(3), "b": -np.inf * np.ones(1)}})
    with pytest.raises(InputError, match=r" in 0, 1, 2 and 2 more tensors$"):
        check_finite_tree([nan, nan, jax.numpy.asarray(nan), nan, nan])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("network", "key"),
    [
        ("generator", KERNEL),
        ("kp_detector", "predictor.encoder.down_blocks.0.norm.running_var"),
        ("discriminator", "discs.0-5.conv.bias"),
    ],
)
def test_tensors_of_the_original_are_named(network, key, value):
    with pytest.raises(InputError, match=rf" in {network}\.{key}$"):
        load_networks(CONFIG, with_value(value, network, key))


def test_a_number_too_large_for_float32_is_named():
    checkpoint = with_value(0)
    checkpoint["generator"][KERNEL] = checkpoint["generator"][KERNEL].astype(np.float64)
    checkpoint["generator"][KERNEL].flat[0] = 1e300
    with pytest.raises(InputError, match=rf" in generator\.{KERNEL}$"):
        load_networks(CONFIG, checkpoint)


def test_moments_are_named():
    state = load_train_state(CONFIG, RECORDING.checkpoint, OPTIMIZERS)
    checkpoint = to_checkpoint(CONFIG, state, 0)
    adam = checkpoint["optimizer_kp_detector"]
    keys = [key for key in checkpoint["kp_detector"] if key.endswith(("weight", "bias"))]
    adam["state"] = {
        number: {
            "step": np.float32(1),
            "exp_avg": checkpoint["kp_detector"][keys[number]],
            "exp_avg_sq": np.full_like(checkpoint["kp_detector"][keys[number]], np.nan),
        }
        for number in adam["param_groups"][0]["params"]
    }
    with pytest.raises(
        InputError, match=r"^optimizer_kp_detector: expected finite.* in exp_avg_sq of "
    ):
        load_train_state(CONFIG, checkpoint, OPTIMIZERS)


def test_a_file_of_the_original_is_named_and_nothing_is_written(tmp_path):
    path = tmp_path / "nan_kernel.pth.tar"
    write_torch_file(path, with_value(np.nan))
    message = rf"^{path}: expected finite weights, .* in generator\.{KERNEL}$"
    with pytest.raises(InputError, match=message):
        load_pretrained(path, CONFIG)
    with pytest.raises(InputError, match=message):
        convert_from_torch(CONFIG, str(path), str(tmp_path / "W"))
    assert not (tmp_path / "W").exists()


def test_a_weight_file_of_ours_is_named(tmp_path):
    model = load_networks(CONFIG, RECORDING.checkpoint)
    for _, variable in nnx.to_flat_state(nnx.state(model.kp_detector, nnx.Param)):
        variable.set_value(variable.get_value() * np.float32(np.nan))
    save_weights(tmp_path / "model.npz", model, CONFIG)
    with pytest.raises(InputError, match=r"model\.npz: .* in kp_detector\..*more tensors$"):
        load_pretrained(tmp_path / "model.npz", CONFIG)


def test_a_checkpoint_of_ours_is_named(tmp_path, state):
    with Checkpoints(tmp_path, keep=1, config=CONFIG) as checkpoints:
        checkpoints.save(0, state, epoch=0)
    message = rf"^{tmp_path}/checkpoints/0: .* in (params\.)?generator\.final\.bias$"
    with pytest.raises(InputError, match=message):
        load_pretrained(tmp_path, CONFIG)
    abstract = jax.eval_shape(lambda: state)
    with pytest.raises(InputError, match=message):
        load_state(tmp_path, CONFIG, OPTIMIZERS, abstract, None)
    with pytest.raises(InputError, match=message):
        convert_to_torch(CONFIG, str(tmp_path), str(tmp_path / "model.pth.tar"))
    assert not (tmp_path / "model.pth.tar").exists()


def test_weights_of_the_perceptual_network_are_named():
    random = load_vgg(dataclasses.replace(CONFIG.perceptual, network="vgg16", weights="random"))
    state, index = {}, 0
    for name, (kernel, bias) in random.items():
        index += name.endswith("_1") and index > 0
        state[f"features.{index}.weight"] = kernel.transpose(3, 2, 0, 1)
        state[f"features.{index}.bias"] = bias
        index += 2
    from_torch_state("vgg16", state)
    state[7] = np.zeros(3)
    from_torch_state("vgg16", state)  # a key that is no text is ignored
    state["features.2.bias"] = np.full(64, 1e300)  # infinite in float32
    with pytest.raises(InputError, match=r"expected finite weights, .* in features\.2\.bias$"):
        from_torch_state("vgg16", state)


def test_numbers_of_a_weight_file_that_are_too_large_for_float32_or_no_numbers(tmp_path):
    model = load_networks(CONFIG, RECORDING.checkpoint)
    save_weights(tmp_path / "model.npz", model, CONFIG)
    arrays = read_npz(tmp_path / "model.npz")
    name = next(name for name, array in arrays.items() if array.ndim == 4)
    large = np.full(arrays[name].shape, 1e300)
    for array, message in (
        (large, rf"model\.npz: expected finite weights, .* in {name}$"),
        (
            np.full(large.shape, "1"),
            rf": {name} has the type <U1; expected real numbers$",
        ),
        (large * 1j, "has the type complex128; expected real numbers$"),
    ):
        np.savez(tmp_path / "model.npz", **arrays | {name: array})
        with pytest.raises(InputError, match=message):
            load_pretrained(tmp_path / "model.npz", CONFIG)
    np.savez(tmp_path / "model.npz", **arrays | {name: arrays[name].astype(np.float64)})
    for a, b in zip(
        jax.tree.leaves(nnx.state(load_pretrained(tmp_path / "model.npz", CONFIG).generator)),
        jax.tree.leaves(nnx.state(model.generator)),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
