"""Random flips and colour jitter of a batch, on the device.

Each pair draws its own values, which both of its frames share. The jitter is that of torchvision's
`ColorJitter` (as documented for 0.12 to 0.28) and of the original, which calls the same functions
of torchvision:

- With an extent x, brightness, contrast and saturation each have a factor that is uniform on
  [max(0, 1 - x), 1 + x], and hue has a shift that is uniform on [-x, x] turns, x at most 0.5. All
  are drawn independently, and an extent of 0 leaves the adjustment out.
- Brightness blends with black, contrast with the frame's mean grey, saturation with the frame's
  grey version (ITU-R 601 weights): factor · frame + (1 - factor) · other, clipped to [0, 1]. Hue is
  rotated in HSV.
- The order of the adjustments is random; all orders are equally likely.

The precision differs. Everything here is floating point. Pillow, which torchvision calls, rounds
each grey and the mean grey to whole steps of 255, truncates each blend to whole steps, and rotates
hues of 8 bits by whole steps.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fomm_jax.config.schema import AugmentationConfig
from fomm_jax.types import Batch

GREY_WEIGHTS = (0.299, 0.587, 0.114)  # ITU-R 601, as Pillow's mode L

Adjustment = Callable[[jax.Array, jax.Array], jax.Array]  # (picture, factor) -> picture


@jax.named_scope("augmentation")
def augment(
    key: jax.Array, batch: Batch, config: AugmentationConfig
) -> tuple[Float[Array, "b h w c"], Float[Array, "b h w c"]]:
    """Convert source and driving frames to [0, 1], and flip and jitter them.

    A pair is swapped in time with probability 1/2; a pair that is not swapped is mirrored with
    probability 1/2, as in the original. The dtype is JAX's default float.
    """
    dtype = jnp.zeros(()).dtype
    pairs = jnp.stack([batch.source, batch.driving], axis=1).astype(dtype) / 255
    keys = jax.random.split(key, len(pairs))
    pairs = jax.vmap(lambda key, pair: _augment_pair(key, pair, config))(keys, pairs)
    return pairs[:, 0], pairs[:, 1]


def _augment_pair(key: jax.Array, pair: jax.Array, config: AugmentationConfig) -> jax.Array:
    """Augment one pair (2, h, w, c)."""
    time_key, mirror_key, jitter_key = jax.random.split(key, 3)
    swapped = jax.random.bernoulli(time_key) & config.time_flip
    mirrored = ~swapped & jax.random.bernoulli(mirror_key) & config.horizontal_flip
    pair = jnp.where(swapped, pair[::-1], pair)
    pair = jnp.where(mirrored, pair[:, :, ::-1], pair)
    return jitter(jitter_key, pair, config)


def jitter(
    key: jax.Array, pictures: Float[Array, "*n h w 3"], config: AugmentationConfig
) -> Float[Array, "*n h w 3"]:
    """Adjust the colours of pictures in [0, 1], of all alike, in an order drawn at random."""
    active: list[tuple[Adjustment, float, float]] = [
        (adjust, max(0.0, 1 - extent), 1 + extent)
        for adjust, extent in (
            (adjust_brightness, config.brightness),
            (adjust_contrast, config.contrast),
            (adjust_saturation, config.saturation),
        )
        if extent > 0
    ]
    if config.hue > 0:
        active.append((adjust_hue, -config.hue, config.hue))
    if not active:
        return pictures
    order_key, *factor_keys = jax.random.split(key, len(active) + 1)
    factors = [
        jax.random.uniform(factor_key, (), pictures.dtype, low, high)
        for factor_key, (_, low, high) in zip(factor_keys, active, strict=True)
    ]
    branches = [
        lambda pictures, adjust=adjust, factor=factor: adjust(pictures, factor)
        for (adjust, _, _), factor in zip(active, factors, strict=True)
    ]
    for index in jax.random.permutation(order_key, len(active)):
        pictures = jax.lax.switch(index, branches, pictures)
    return pictures


def _grey(pictures: jax.Array) -> jax.Array:
    """Compute the luma (..., h, w, 1) of pictures (..., h, w, 3)."""
    weights = jnp.asarray(GREY_WEIGHTS, pictures.dtype)
    return jnp.einsum("...c,c->...", pictures, weights, precision="highest")[..., None]


def _blend(pictures: jax.Array, other: jax.Array, factor: jax.Array) -> jax.Array:
    return jnp.clip(factor * pictures + (1 - factor) * other, 0, 1)


def adjust_brightness(
    pictures: Float[Array, "*n h w 3"], factor: Float[Array, ""]
) -> Float[Array, "*n h w 3"]:
    """Multiply pictures in [0, 1] by the factor, and clip them."""
    return _blend(pictures, jnp.zeros_like(pictures), factor)


def adjust_contrast(
    pictures: Float[Array, "*n h w 3"], factor: Float[Array, ""]
) -> Float[Array, "*n h w 3"]:
    """Move pictures in [0, 1] towards their own mean grey (factor 0) or away from it."""
    return _blend(pictures, _grey(pictures).mean(axis=(-3, -2), keepdims=True), factor)


def adjust_saturation(
    pictures: Float[Array, "*n h w 3"], factor: Float[Array, ""]
) -> Float[Array, "*n h w 3"]:
    """Move pictures in [0, 1] towards grey (factor 0) or away from it."""
    return _blend(pictures, _grey(pictures), factor)


def adjust_hue(
    pictures: Float[Array, "*n h w 3"], shift: Float[Array, ""]
) -> Float[Array, "*n h w 3"]:
    """Rotate the hues of pictures in [0, 1] by `shift` turns, in HSV."""
    red, green, blue = pictures[..., 0], pictures[..., 1], pictures[..., 2]
    value = pictures.max(axis=-1)
    chroma = value - pictures.min(axis=-1)
    safe = jnp.where(chroma > 0, chroma, 1)
    sextant = jnp.where(
        value == red,
        (green - blue) / safe,
        jnp.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    turned = sextant + 6 * shift

    def channel(offset: float) -> jax.Array:
        # HSV to RGB without branches: a channel falls from `value` by chroma times a trapezoid.
        position = (offset + turned) % 6
        return value - chroma * jnp.clip(jnp.minimum(position, 4 - position), 0, 1)

    return jnp.stack([channel(5.0), channel(3.0), channel(1.0)], axis=-1)
