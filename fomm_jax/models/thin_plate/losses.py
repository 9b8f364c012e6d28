"""The losses of the thin-plate spline motion model beyond the perceptual one."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from fomm_jax.models.thin_plate.avd import AvdNetwork
from fomm_jax.models.thin_plate.control_points import ControlPoints
from fomm_jax.models.thin_plate.inpainting import SourceFeatures, mask_levels, warp_levels
from fomm_jax.ops import geometry
from fomm_jax.ops.thin_plate_splines import EuclideanTransform
from fomm_jax.types import DenseMotion


def equivariance(
    driving: ControlPoints, transformed: ControlPoints, transform: EuclideanTransform
) -> Float[Array, ""]:
    """Compute mean |p(frame) - T(p(T(frame)))|."""
    warped = transform.warp_coordinates(transformed.value)
    return jnp.mean(jnp.abs(driving.value - warped))


def warped_features(
    source: SourceFeatures, driving: SourceFeatures, motion: DenseMotion
) -> Float[Array, ""]:
    """Compute Σ over sizes of mean |features of the driving frame - warped features of the source|.

    Both are masked by the occlusion maps. The loss trains the deformation alone: features and
    occlusion maps are constants to it.
    """
    constant = jax.lax.stop_gradient
    masks = DenseMotion(
        sparse_deformed=motion.sparse_deformed,
        mask=motion.mask,
        deformation=motion.deformation,
        occlusion_maps=constant(motion.occlusion_maps),
    )
    warped = warp_levels(constant(source.levels), masks)
    real = constant(mask_levels(driving.levels, masks))
    distances = [
        jnp.mean(jnp.abs(geometry.at_full_precision(a) - geometry.at_full_precision(b)))
        for a, b in zip(warped, real, strict=True)
    ]
    return jnp.sum(jnp.stack(distances))


def background_consistency(
    there: Float[Array, "b 3 3"], back: Float[Array, "b 3 3"]
) -> Float[Array, ""]:
    """Compute mean |1 - M M'| for the motion of the background there and back."""
    product = jnp.sum(there[..., None] * back[:, None], axis=-2)
    return jnp.mean(jnp.abs(jnp.eye(3, dtype=product.dtype)[None] - product))


def recovered_shape(
    network: AvdNetwork,
    source: ControlPoints,
    driving: ControlPoints,
    scales: Float[Array, "b 2"],
) -> Float[Array, ""]:
    """Compute mean |p - AVD(source, scaled p)| for the points p of driving frames.

    Scaled about the centre of the frame, the points are those of an object of another shape.
    """
    scaled = ControlPoints(driving.value * scales[:, None])
    recovered = network(source, scaled, train=True)
    return jnp.mean(jnp.abs(driving.value - recovered.value))
