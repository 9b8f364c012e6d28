"""Names and layouts of the original's checkpoints."""

import re

import jax
import numpy as np
import pytest
import reference
from flax import nnx

from fomm_jax.errors import InputError
from fomm_jax.torch_weights import (
    NOT_LEARNED,
    from_torch_layout,
    load_networks,
    to_torch_layout,
    torch_key,
    variable_keys,
)

ADVERSARIAL = reference.Recording(reference.IN_REPOSITORY / "tiny_adversarial")


def changed(network, **changes):
    """The adversarial checkpoint with one network's keys changed; None removes a key."""
    state = dict(ADVERSARIAL.checkpoint[network]) | changes
    state = {key: array for key, array in state.items() if array is not None}
    return dict(ADVERSARIAL.checkpoint) | {network: state}


def test_every_array_lands_under_its_key():
    networks = load_networks(ADVERSARIAL.config, ADVERSARIAL.checkpoint)
    found = reference.by_torch_key(nnx.state(networks), ADVERSARIAL.config)
    expected = {
        f"{network}/{key}": array
        for network in reference.NETWORKS
        for key, array in ADVERSARIAL.checkpoint[network].items()
        if not NOT_LEARNED.search(key)
    }
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array, err_msg=key)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("predictor.down_blocks.0.conv.kernel", "predictor.encoder.down_blocks.0.conv.weight"),
        ("predictor.up_blocks.1.norm.scale", "predictor.decoder.up_blocks.1.norm.weight"),
        (
            "dense_motion_network.hourglass.up_blocks.0.norm.var",
            "dense_motion_network.hourglass.decoder.up_blocks.0.norm.running_var",
        ),
        ("down_blocks.1.norm.mean", "down_blocks.1.norm.running_mean"),  # of the generator itself
        ("bottleneck.4.conv2.bias", "bottleneck.r4.conv2.bias"),
        ("bottleneck.0.norm1.bias", "bottleneck.r0.norm1.bias"),
        ("discs.0.conv.conv.kernel", "discs.1.conv.weight_orig"),
        ("discs.1.down_blocks.2.conv.left", "discs.0-5.down_blocks.2.conv.weight_u"),
        ("discs.1.down_blocks.2.conv.right", "discs.0-5.down_blocks.2.conv.weight_v"),
        ("discs.0.down_blocks.2.conv.conv.bias", "discs.1.down_blocks.2.conv.bias"),
        ("discs.0.down_blocks.2.norm.scale", "discs.1.down_blocks.2.norm.weight"),
    ],
)
def test_paths_become_keys(path, key):
    assert torch_key(tuple(path.split(".")), (1.0, 0.5)) == key


def test_layouts_are_inverse_and_move_the_right_axes():
    kernel = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)  # height, width, in, out
    torch_kernel = to_torch_layout(kernel)
    assert torch_kernel[4, 3, 1, 2] == kernel[1, 2, 3, 4]
    np.testing.assert_array_equal(from_torch_layout(torch_kernel), kernel)


def test_a_missing_key_is_named():
    checkpoint = changed("generator", **{"final.weight": None})
    message = "generator: the checkpoint has no final.weight, which the config asks for"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        load_networks(ADVERSARIAL.config, checkpoint)


def test_keys_that_are_left_over_are_named():
    checkpoint = changed("kp_detector", extra=np.zeros(3), further=np.zeros(3))
    with pytest.raises(InputError, match=r"kp_detector\.extra, kp_detector\.further$"):
        load_networks(ADVERSARIAL.config, checkpoint)


def test_a_wrong_shape_is_named_with_both():
    weight = ADVERSARIAL.checkpoint["generator"]["final.weight"]
    checkpoint = changed("generator", **{"final.weight": weight[:, :-1]})
    with pytest.raises(
        InputError, match=r"^generator\.final\.weight: .*\(7, 7, 3, 3\).*\(7, 7, 4, 3\)$"
    ):
        load_networks(ADVERSARIAL.config, checkpoint)


def test_another_architecture_is_refused():
    other = reference.Recording(reference.IN_REPOSITORY / "tiny_zero_order")
    with pytest.raises(InputError):
        load_networks(ADVERSARIAL.config, other.checkpoint)


def test_constants_and_counters_are_not_asked_for():
    checkpoint = {
        network: {key: array for key, array in state.items() if not NOT_LEARNED.search(key)}
        for network, state in ADVERSARIAL.checkpoint.items()
        if network in reference.NETWORKS
    }
    assert any(len(checkpoint[name]) < len(ADVERSARIAL.checkpoint[name]) for name in checkpoint)
    load_networks(ADVERSARIAL.config, checkpoint)


def test_every_recorded_model_has_one_key_a_variable():
    for recording in reference.recordings():
        networks = nnx.eval_shape(
            lambda recording=recording: reference.Networks(
                recording.config.model, recording.config.compat, rngs=nnx.Rngs(0)
            )
        )
        keys = [row[1:] for row in variable_keys(nnx.state(networks), recording.config)]
        assert len(set(keys)) == len(keys)
        assert {key for name, key in keys if name == "generator"} == {
            key for key in recording.checkpoint["generator"] if not NOT_LEARNED.search(key)
        }


def test_weights_keep_their_precision(x64):
    networks = ADVERSARIAL.networks(np.float64)
    assert {leaf.dtype for leaf in jax.tree.leaves(nnx.state(networks))} == {np.dtype(np.float64)}
