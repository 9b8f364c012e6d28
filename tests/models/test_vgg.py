"""The perceptual network's layers against PyTorch's."""

import jax.numpy as jnp
import numpy as np
import pytest

from fomm_jax.config.constants import VGG_LAYERS
from fomm_jax.models.vgg import vgg_features

RANDOM = np.random.default_rng(0)


def draw_weights(network="vgg19", width=4):
    """Draw the layers of a VGG with few channels."""
    weights, channels = {}, 3
    for name, _ in VGG_LAYERS[network]:
        kernel = RANDOM.normal(0, np.sqrt(2 / (9 * channels)), (3, 3, channels, width))
        bias = RANDOM.normal(0, 0.1, width)
        weights[name] = jnp.asarray(kernel, jnp.float32), jnp.asarray(bias, jnp.float32)
        channels = width
    return weights


def draw_pictures(*shape):
    return jnp.asarray(RANDOM.uniform(size=shape), jnp.float32)


@pytest.mark.parametrize(
    ("network", "taps"),
    [
        # relu1_1 … relu5_1 among torchvision's `features`
        ("vgg16", (1, 6, 11, 18, 25)),
        ("vgg19", (1, 6, 11, 20, 29)),
    ],
)
def test_features_are_torchs(network, taps):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    weights, pictures = draw_weights(network), draw_pictures(2, 36, 40, 3)
    mean, deviation = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
    x = torch.tensor(np.array(pictures)).permute(0, 3, 1, 2)
    x = (x - mean[:, None, None]) / deviation[:, None, None]
    layers = []  # as torchvision lays them out
    for name, (kernel, bias) in weights.items():
        if name.endswith("_1") and layers:
            layers.append(torch.nn.MaxPool2d(2))
        convolution = torch.nn.Conv2d(kernel.shape[2], kernel.shape[3], 3, padding=1)
        convolution.weight.data = torch.tensor(np.array(kernel).transpose(3, 2, 0, 1))
        convolution.bias.data = torch.tensor(np.array(bias))
        layers += [convolution, torch.nn.ReLU()]
    expected = []
    with torch.no_grad():
        for index, layer in enumerate(layers):
            x = layer(x)
            if index in taps:
                expected.append(x.permute(0, 2, 3, 1).numpy())
    actual = vgg_features(weights, pictures)
    for ours, theirs in zip(actual, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_features_halve_and_leave_out_odd_borders():
    shapes = [tap.shape[1:3] for tap in vgg_features(draw_weights(), draw_pictures(1, 35, 50, 3))]
    assert shapes == [(35, 50), (17, 25), (8, 12), (4, 6), (2, 3)]


def test_pictures_are_normalised_by_imagenets_statistics():
    """A first kernel that hands a channel through shows what reaches it."""
    weights = draw_weights(width=3)
    identity = np.zeros((3, 3, 3, 3), np.float32)
    identity[1, 1] = np.eye(3)
    weights["conv1_1"] = jnp.asarray(identity), jnp.full(3, 5.0)  # above the rectifier's kink
    picture = jnp.broadcast_to(
        jnp.asarray([0.485, 0.456 + 0.224, 0.0])[None, None, None], (1, 16, 16, 3)
    )
    first = vgg_features(weights, picture)[0]
    np.testing.assert_allclose(first[0, 8, 8] - 5, [0, 1, -0.406 / 0.225], rtol=0, atol=1e-5)
