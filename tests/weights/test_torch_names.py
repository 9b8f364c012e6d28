"""Variables of ours get the names and layouts of the original's tensors."""

import numpy as np
import pytest
import reference
from config_helpers import config_of, with_fields
from flax import nnx

from fomm_jax.models.build import abstract_model
from fomm_jax.weights.torch.first_order import torch_key
from fomm_jax.weights.torch.names import (
    ANTIALIAS_KERNEL,
    from_torch_layout,
    to_torch_layout,
    variable_keys,
)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("predictor.down_blocks.0.conv.kernel", "predictor.encoder.down_blocks.0.conv.weight"),
        ("predictor.up_blocks.1.norm.scale", "predictor.decoder.up_blocks.1.norm.weight"),
        (
            "dense_motion_network.hourglass.up_blocks.0.norm.var",
            "dense_motion_network.hourglass.decoder.up_blocks.0.norm.running_var",
        ),
        ("down_blocks.1.norm.mean", "down_blocks.1.norm.running_mean"),  # in the generator itself
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
    network = "discriminator" if path.startswith("discs") else "generator"
    config = with_fields(config_of("tiny"), model__discriminator__scales=(1.0, 0.5))
    assert torch_key(network, tuple(path.split(".")), config) == key


def test_layouts_are_inverse_and_move_the_right_axes():
    kernel = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)  # height, width, in, out
    torch_kernel = to_torch_layout(kernel)
    assert torch_kernel[4, 3, 1, 2] == kernel[1, 2, 3, 4]
    np.testing.assert_array_equal(from_torch_layout(torch_kernel), kernel)


def test_every_variable_of_the_recorded_models_has_a_key_of_its_own():
    for recording in reference.all_recordings():
        state = nnx.state(abstract_model(recording.config))
        keys = [row[1:] for row in variable_keys(state, recording.config)]
        assert len(set(keys)) == len(keys)
        assert {key for name, key in keys if name == "generator"} == {
            key for key in recording.checkpoint["generator"] if not ANTIALIAS_KERNEL.search(key)
        }
