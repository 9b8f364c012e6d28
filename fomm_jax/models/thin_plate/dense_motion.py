"""The dense motion network: from thin-plate splines and a background to one motion field."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float

from fomm_jax.config.constants import HEAD_KERNEL, OCCLUSION_MAPS
from fomm_jax.config.schema import ModelConfig
from fomm_jax.models.layers import Hourglass, Numerics, UpBlock, convolution
from fomm_jax.models.thin_plate.background import transform_grid
from fomm_jax.models.thin_plate.control_points import POINTS_OF_SPLINE, ControlPoints
from fomm_jax.ops import geometry
from fomm_jax.ops.thin_plate_splines import Splines, fit_splines
from fomm_jax.types import DenseMotion

DROPOUT_EPSILON = 1e-6  # in the sum of the shares that remain after dropout; the original's value


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class BackgroundedMotion(DenseMotion):
    """A dense motion with the motion of the background in it."""

    background: Float[Array, "b 3 3"]  # from homogeneous driving coordinates to the source's


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Dropout:
    """Which transformations take part in a step of training."""

    kept: Float[Array, "b maps"]  # 1 or 0; the first, the background, is always kept
    active: Bool[Array, " b"]  # False, the same for all, is training without dropout


class Motions(NamedTuple):
    """What moves from sources to driving frames, before the network mixes it."""

    source: ControlPoints
    driving: ControlPoints
    background: Float[Array, "b 3 3"]


class DenseMotionNetwork(nnx.Module):
    """Mixes the transformations by contribution maps and predicts what the source hides.

    Occlusion maps are from coarse to fine: four, of which each is twice as large as the one before
    and the last has the frame's size, or one of the hourglass's size.
    """

    def __init__(self, config: ModelConfig, numerics: Numerics, *, rngs: nnx.Rngs):
        model = config.thin_plate
        settings = model.dense_motion
        self.scale_factor = settings.scale_factor
        self.antialias_sigma = numerics.antialias_sigma
        self.kp_variance = settings.kp_variance
        self.hourglass = Hourglass(
            config.num_channels * (model.num_tps + 1) + model.num_tps * POINTS_OF_SPLINE + 1,
            settings.block_expansion,
            settings.num_blocks,
            settings.max_features,
            numerics,
            rngs=rngs,
        )
        widths = self.hourglass.out_features
        self.maps = _head(widths[-1], model.num_tps + 1, numerics, rngs=rngs)
        doublings = round(1 / settings.scale_factor).bit_length() - 1 if model.multi_mask else 0
        finer = [widths[-1] // 2**i for i in range(doublings + 1)]
        self.up = nnx.List(
            UpBlock(finer[i], finer[i + 1], numerics, rngs=rngs) for i in range(doublings)
        )
        # The last so many outputs of the hourglass give the first occlusion maps.
        self.coarse_maps = OCCLUSION_MAPS - doublings if model.multi_mask else 1
        masked = [*widths[len(widths) - self.coarse_maps :], *finer[1:]]
        self.occlusion = nnx.List(_head(width, 1, numerics, rngs=rngs) for width in masked)

    @jax.named_scope("dense_motion")
    def __call__(
        self,
        source_frame: Float[Array, "#b h w c"],
        motions: Motions,
        *,
        dropout: Dropout | None,
        train: bool,
    ) -> BackgroundedMotion:
        """Compute the motion from driving frames to sources.

        Args:
          source_frame: the sources in [0, 1]; a single one serves every driving frame.
          motions: the control points and the motion of the background.
          dropout: which transformations take part; None is all of them.
          train: handed on to the normalisation, which does not depend on it.
        """
        frame = geometry.antialias_downsample(source_frame, self.scale_factor, self.antialias_sigma)
        _, height, width, _ = frame.shape
        heatmaps = difference_of_heatmaps(motions, height, width, self.kp_variance)
        grids = transformations(motions, height, width)
        deformed = _deform(frame, grids)
        pictures = jnp.moveaxis(deformed, 1, 3).reshape(*heatmaps.shape[:3], -1)
        inputs = jnp.concatenate([heatmaps, pictures], axis=-1)
        outputs = self.hourglass.pyramid(inputs, train=train)
        mask = mix(self.maps(outputs[-1]), dropout)
        return BackgroundedMotion(
            sparse_deformed=deformed,
            mask=mask,
            deformation=jnp.sum(jnp.moveaxis(mask, 3, 1)[..., None] * grids, axis=1),
            occlusion_maps=self._occlusion_maps(outputs, train=train),
            background=motions.background,
        )

    def _occlusion_maps(
        self, outputs: tuple[jax.Array, ...], *, train: bool
    ) -> tuple[jax.Array, ...]:
        """Predict the occlusion maps, from coarse to fine, from the hourglass's outputs."""
        features = list(outputs[len(outputs) - self.coarse_maps :])
        out = outputs[-1]
        for block in self.up:
            out = block(out, train=train)
            features.append(out)
        return tuple(
            jax.nn.sigmoid(head(geometry.at_full_precision(level)))
            for head, level in zip(self.occlusion, features, strict=True)
        )


def difference_of_heatmaps(
    motions: Motions, height: int, width: int, variance: float
) -> Float[Array, "b {height} {width} maps"]:
    """Show what moved by Gaussians around control points, after zeros for the background."""
    driving, source = (
        geometry.gaussian_heatmaps(points.value, height, width, variance)
        for points in (motions.driving, motions.source)
    )
    moved = driving - source
    return jnp.concatenate([jnp.zeros_like(moved[..., :1]), moved], axis=-1)


def fit(motions: Motions) -> Splines:
    """Fit the splines that take the driving control points to those of the sources."""
    driving, source = (
        points.value.reshape(points.value.shape[0], -1, POINTS_OF_SPLINE, 2)
        for points in (motions.driving, motions.source)
    )
    return fit_splines(driving, source)


def transformations(
    motions: Motions, height: int, width: int
) -> Float[Array, "b maps {height} {width} 2"]:
    """Compute where in the source each transformation takes each pixel, the background first."""
    background = transform_grid(motions.background, height, width)
    return jnp.concatenate([background[:, None], fit(motions).warp_grid(height, width)], axis=1)


def mix(logits: Float[Array, "b h w maps"], dropout: Dropout | None) -> Float[Array, "b h w maps"]:
    """Compute the contribution maps: a softmax, or that of the transformations that are kept.

    With dropout the shares sum to a little less than 1, and a gradient flows through the maximum
    that is taken off for safety: both as in the original.
    """
    shares = jax.nn.softmax(logits, axis=-1)
    if dropout is None:
        return shares
    shifted = jnp.exp(logits - jnp.max(logits, axis=-1, keepdims=True))
    kept = shifted * dropout.kept[:, None, None].astype(logits.dtype)
    dropped = kept / (jnp.sum(kept, axis=-1, keepdims=True) + DROPOUT_EPSILON)
    return jnp.where(dropout.active[:, None, None, None], dropped, shares)


def _deform(
    frames: Float[Array, "#b h w c"], grids: Float[Array, "b maps h w 2"]
) -> Float[Array, "b maps h w c"]:
    """Warp sources by each of the transformations, of which each gets a copy of the source."""
    batch, count = grids.shape[:2]
    copies = jnp.broadcast_to(frames[:, None], (batch, count, *frames.shape[1:]))
    deformed = geometry.grid_sample(
        copies.reshape(-1, *frames.shape[1:]),
        grids.reshape(-1, *grids.shape[2:]),
        align_corners=True,
    )
    return deformed.reshape(batch, count, *deformed.shape[1:])


def _head(in_features: int, out_features: int, numerics: Numerics, *, rngs: nnx.Rngs) -> nnx.Conv:
    """Make a 7×7 convolution in full precision."""
    padding = HEAD_KERNEL // 2
    return convolution(
        in_features, out_features, HEAD_KERNEL, padding, numerics.for_heads, rngs=rngs
    )
