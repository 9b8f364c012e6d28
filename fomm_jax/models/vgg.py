"""The perceptual network: features of VGG16 or VGG19 (Simonyan and Zisserman, 2015)."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from fomm_jax.config.constants import PERCEPTUAL_TAPS
from fomm_jax.models.layers import Numerics
from fomm_jax.ops.geometry import fold_columns

# Statistics of ImageNet's pictures in [0, 1], as torchvision states them; float32 in the original.
IMAGENET_MEAN = np.asarray([0.485, 0.456, 0.406], np.float32)
IMAGENET_DEVIATION = np.asarray([0.229, 0.224, 0.225], np.float32)

# Kernel (height, width, in, out) and bias (out,) by layer, in the order of the layers.
VggWeights = Mapping[str, tuple[jax.Array | np.ndarray, jax.Array | np.ndarray]]


@jax.named_scope("perceptual")
def vgg_features(
    weights: VggWeights, pictures: Float[Array, "b h w 3"], numerics: Numerics | None = None
) -> tuple[Float[Array, "b _ _ _"], ...]:
    """Compute the activations relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1.

    Args:
      weights: the convolutions conv1_1 … conv5_1, as `weights.vgg.load_vgg` returns them. Their
        names make the architecture: a block begins where the first number rises.
      pictures: pictures in [0, 1].
      numerics: how the convolutions are computed; by default in the dtype of the pictures.

    Returns:
      Five arrays (b, h / 2^i, w / 2^i, c).
    """
    numerics = numerics or Numerics()
    dtype = numerics.dtype or pictures.dtype
    mean, deviation = (
        jnp.asarray(constant, pictures.dtype)[None, None, None]
        for constant in (IMAGENET_MEAN, IMAGENET_DEVIATION)
    )
    x = ((pictures - mean) / deviation).astype(dtype)
    taps = []
    for name, (kernel, bias) in weights.items():
        if name.endswith("_1") and name != "conv1_1":
            x = _max_pool(x)
        x = numerics.convolutions.plain(x, jnp.asarray(kernel, dtype), ((1, 1), (1, 1)))
        x = _rectify(x, jnp.asarray(bias, dtype))
        if name in PERCEPTUAL_TAPS:
            taps.append(x)
    return tuple(taps)


def _rectify(x: Float[Array, "b h w c"], bias: Float[Array, " c"]) -> Float[Array, "b h w c"]:
    """Add the bias and rectify, two columns side by side.

    The 64 channels of the first block would fill half of a TPU's vector unit. Its convolutions take
    and make columns side by side as well, so none of them reorders the pictures.
    """
    columns = 2 if x.shape[2] % 2 == 0 else 1
    folded = fold_columns(x, columns)
    return jax.nn.relu(folded + jnp.tile(bias, columns)[None, None, None]).reshape(x.shape)


def _max_pool(x: Float[Array, "b h w c"]) -> Float[Array, "b h//2 w//2 c"]:
    """Take the largest of 2×2 pixels. An odd last row or column is left out.

    Among equal pixels the gradient goes to the first one of the first row, as in torch.
    """
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    # XLA's reductions over small axes are slow on CPU; comparisons are not.
    left, right = jnp.split(fold_columns(x[:, :height, :width], 2), 2, axis=3)
    of_rows = jnp.where(left >= right, left, right)
    above, below = of_rows[:, ::2], of_rows[:, 1::2]
    return jnp.where(above >= below, above, below)
