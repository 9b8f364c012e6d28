"""The first-order motion model (Siarohin et al., NeurIPS 2019)."""

import dataclasses
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from fomm_jax.config.schema import Config, LossWeightsConfig, NormalizationConfig
from fomm_jax.models.discriminator import MultiScaleDiscriminator
from fomm_jax.models.first_order.generator import Generator
from fomm_jax.models.first_order.keypoint_detector import KeypointDetector
from fomm_jax.models.first_order.keypoints import Keypoints
from fomm_jax.models.layers import Numerics
from fomm_jax.models.motion_model import (
    MotionModel,
    ParameterGroup,
    Reproduction,
    SameScene,
)
from fomm_jax.ops import geometry
from fomm_jax.ops.convolution import Convolutions
from fomm_jax.ops.thin_plate import ThinPlateTransform, sample_transform
from fomm_jax.types import DenseMotion


class FirstOrderModel(MotionModel):
    """Keypoint detector, generator (with the dense motion network) and discriminator."""

    DETECTOR = "kp_detector"

    def __init__(
        self,
        config: Config,
        convolutions: Convolutions,
        *,
        batch_norm_groups: int,
        with_discriminator: bool,
        rngs: nnx.Rngs,
    ):
        """Build keypoint detector, generator and discriminator."""
        model, compat = config.model, config.compat
        full_precision = Numerics(
            convolutions,
            batch_norm_groups=batch_norm_groups,
            antialias_sigma=compat.antialias_sigma,
        )
        in_bfloat16 = model.compute_dtype == "bfloat16"
        numerics = (
            dataclasses.replace(full_precision, dtype=jnp.bfloat16)
            if in_bfloat16
            else full_precision
        )
        self.align_corners = compat.align_corners
        # The keypoint detector stays in float32: it is small, and in bfloat16 its gradients would
        # be off by a sixth (docs/reproduction.md).
        self.kp_detector = KeypointDetector(model, full_precision, rngs=rngs)
        self.generator = Generator(model, numerics, align_corners=compat.align_corners, rngs=rngs)
        self.discriminator = nnx.data(None)
        if with_discriminator:
            self.discriminator = MultiScaleDiscriminator(model, numerics, rngs=rngs)

    def detect(self, frames: Float[Array, "b *passes h w c"], *, train: bool) -> Keypoints:
        """Detect the keypoints of frames, in one pass or several."""
        return self.kp_detector(frames, train=train)

    def flow(
        self,
        source: Float[Array, "#b h w c"],
        source_motion: Keypoints,
        driving_motion: Keypoints,
        *,
        scene: SameScene | None = None,
        train: bool,
    ) -> DenseMotion:
        """Compute the dense motion from driving frames to sources, by the keypoints alone."""
        del scene
        network = self.generator.dense_motion_network
        return network(source, source_motion, driving_motion, train=train)

    def encode(
        self, source: Float[Array, "b h w c"], *, train: bool
    ) -> Float[Array, "b _ _ features"]:
        """Compute the generator's features of sources."""
        return self.generator.encode(source, train=train)

    def decode(
        self, features: Float[Array, "#b _ _ features"], dense_motion: DenseMotion, *, train: bool
    ) -> Float[Array, "b h w c"]:
        """Warp the features, hide what the sources do not show, and generate frames in [0, 1]."""
        return self.generator.decode(features, dense_motion, train=train)

    def warp(
        self, source: Float[Array, "#b h w c"], dense_motion: DenseMotion
    ) -> Float[Array, "b h w c"]:
        """Warp source pictures by the deformation alone."""
        return self.generator.warp(source, dense_motion)

    @classmethod
    def sample_perturbation(
        cls, key: Array, batch: int, dtype: jnp.dtype, config: Config, epoch: Int[Array, ""]
    ) -> ThinPlateTransform:
        """Draw the thin-plate transforms of the equivariance losses, alike in every epoch."""
        del epoch
        transform = config.train.transform
        return sample_transform(
            key,
            batch,
            dtype,
            sigma_affine=transform.sigma_affine,
            sigma_tps=transform.sigma_tps,
            points_tps=transform.points_tps,
        )

    def perturb_driving(
        self,
        driving: Float[Array, "b h w c"],
        perturbation: ThinPlateTransform,
        weights: LossWeightsConfig,
    ) -> Float[Array, "b h w c"] | None:
        """Transform the driving frames for the equivariance losses."""
        if not (weights.equivariance_value or weights.equivariance_jacobian):
            return None
        return perturbation.warp_frame(driving, align_corners=self.align_corners)

    def losses(
        self,
        reproduction: Reproduction,
        perturbation: ThinPlateTransform,
        weights: LossWeightsConfig,
    ) -> dict[str, Float[Array, ""]]:
        """Compute the equivariance losses of values and jacobians (eqs. 11 and 13)."""
        driving_motion = reproduction.driving_motion
        perturbed_motion = reproduction.perturbed_motion
        terms = {}
        if weights.equivariance_value:
            loss = value_equivariance(driving_motion, perturbed_motion, perturbation)
            terms["equivariance_value"] = weights.equivariance_value * loss
        if weights.equivariance_jacobian:
            loss = jacobian_equivariance(driving_motion, perturbed_motion, perturbation)
            terms["equivariance_jacobian"] = weights.equivariance_jacobian * loss
        return terms

    @classmethod
    def parameter_groups(cls, config: Config) -> dict[str, ParameterGroup]:
        """Return the learning rate of each network; the limit of gradients is the same for all."""
        train = config.train
        rates = {
            "kp_detector": train.lr_kp_detector,
            "generator": train.lr_generator,
            "discriminator": train.lr_discriminator,
        }
        return {name: ParameterGroup(rate, train.max_gradient_norm) for name, rate in rates.items()}

    @classmethod
    def transfer(
        cls,
        source: Keypoints,
        driving: Keypoints,
        initial: Keypoints,
        scale: Float[Array, ""],
        config: NormalizationConfig,
    ) -> Keypoints:
        """Transfer driving keypoints to the source (section 3.4, "relative motion transfer").

        Relative movement adds to the source's keypoints what the driving ones moved since the
        initial frame, times the scale; relative jacobians are J_driving J_initial⁻¹ J_source.
        """
        if not config.use_relative_movement:
            return driving
        value = scale * (driving.value - initial.value) + source.value
        jacobian = driving.jacobian
        if (
            config.use_relative_jacobian
            and jacobian is not None
            and initial.jacobian is not None
            and source.jacobian is not None
        ):
            change = geometry.multiply_2x2(jacobian, geometry.invert_2x2(initial.jacobian))
            jacobian = geometry.multiply_2x2(change, source.jacobian)
        return Keypoints(value, jacobian)

    @classmethod
    def points(cls, motion: Keypoints) -> Float[Any, "*b k 2"]:
        """Return the positions of the keypoints; without a batch for those of one frame."""
        return motion.value


def value_equivariance(
    driving: Keypoints, transformed: Keypoints, transform: ThinPlateTransform
) -> Float[Array, ""]:
    """Compute mean |p(frame) - T(p(T(frame)))| (eq. 11)."""
    warped = transform.warp_coordinates(transformed.value)
    return jnp.mean(jnp.abs(driving.value - warped))


def jacobian_equivariance(
    driving: Keypoints, transformed: Keypoints, transform: ThinPlateTransform
) -> Float[Array, ""]:
    """Compute mean |1 - J(frame)⁻¹ T'(p) J(T(frame))| at the transformed keypoints p (eq. 13).

    The validation of the configuration makes sure that the keypoints have jacobians.
    """
    assert driving.jacobian is not None
    assert transformed.jacobian is not None
    warped = geometry.multiply_2x2(transform.jacobian(transformed.value), transformed.jacobian)
    product = geometry.multiply_2x2(geometry.invert_2x2(driving.jacobian), warped)
    return jnp.mean(jnp.abs(jnp.eye(2, dtype=product.dtype)[None, None] - product))
