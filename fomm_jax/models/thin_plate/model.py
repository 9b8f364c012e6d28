"""The thin-plate spline motion model (Zhao and Zhang, CVPR 2022)."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from fomm_jax.config.schema import Config, LossWeightsConfig, NormalizationConfig
from fomm_jax.config.thin_plate import ThinPlateTrainConfig
from fomm_jax.errors import InputError
from fomm_jax.models.layers import Numerics
from fomm_jax.models.motion_model import MotionModel, ParameterGroup, Reproduction, SameScene
from fomm_jax.models.thin_plate import losses
from fomm_jax.models.thin_plate.avd import AvdNetwork, draw_scales
from fomm_jax.models.thin_plate.background import BackgroundPredictor, identities
from fomm_jax.models.thin_plate.control_points import ControlPoints
from fomm_jax.models.thin_plate.dense_motion import (
    BackgroundedMotion,
    DenseMotionNetwork,
    Dropout,
    Motions,
)
from fomm_jax.models.thin_plate.inpainting import InpaintingNetwork, SourceFeatures, warp
from fomm_jax.models.thin_plate.keypoint_detector import KeypointDetector
from fomm_jax.ops.convolution import Convolutions
from fomm_jax.ops.thin_plate import sample_transform
from fomm_jax.ops.thin_plate_splines import EuclideanTransform
from fomm_jax.types import DenseMotion

WEIGHT_DECAY = 1e-4  # the original's value
LARGEST_GRADIENT = 10.0  # the original's limit for all networks but the inpainting network


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class StepDraws:
    """What a step of training draws at random, and what its epoch decides."""

    transform: EuclideanTransform
    dropout: Dropout
    background_begun: Bool[Array, " b"]  # whether the background moves; the same for all


class ThinPlateModel(MotionModel):
    """Keypoint detector, background predictor, dense motion, inpainting and AVD network."""

    DETECTOR = "kp_detector"
    SEES_SCENE = True

    def __init__(
        self,
        config: Config,
        convolutions: Convolutions,
        *,
        batch_norm_groups: int,
        with_discriminator: bool,
        rngs: nnx.Rngs,
    ):
        """Build the networks. The model is trained without a discriminator."""
        del with_discriminator
        model = config.model
        full_precision = Numerics(
            convolutions,
            batch_norm_groups=batch_norm_groups,
            antialias_sigma=config.compat.antialias_sigma,
        )
        numerics = dataclasses.replace(full_precision, normalization="instance")
        if model.compute_dtype == "bfloat16":
            numerics = dataclasses.replace(numerics, dtype=jnp.bfloat16)
        self.kp_detector = KeypointDetector(model, full_precision, rngs=rngs)
        self.dense_motion_network = DenseMotionNetwork(model, numerics, rngs=rngs)
        self.inpainting_network = InpaintingNetwork(model, numerics, rngs=rngs)
        self.bg_predictor: BackgroundPredictor | None = nnx.data(None)
        if model.thin_plate.bg:
            self.bg_predictor = BackgroundPredictor(model.num_channels, full_precision, rngs=rngs)
        self.avd_network = AvdNetwork(model, rngs=rngs)
        self.discriminator = nnx.data(None)

    def detect(self, frames: Float[Array, "b *passes h w c"], *, train: bool) -> ControlPoints:
        """Detect the control points of frames, in one pass or several."""
        return self.kp_detector(frames, train=train)

    def flow(
        self,
        source: Float[Array, "#b h w c"],
        source_motion: ControlPoints,
        driving_motion: ControlPoints,
        *,
        scene: SameScene | None = None,
        train: bool,
    ) -> BackgroundedMotion:
        """Compute the dense motion from driving frames to sources.

        The background is predicted from frames of the same scene; in an animation it stands still.
        """
        background = identities(driving_motion.value.shape[0], driving_motion.value.dtype)
        draws: StepDraws | None = scene.perturbation if scene else None
        if scene and self.bg_predictor is not None:
            sources = jnp.broadcast_to(source, scene.driving.shape)
            begun = draws.background_begun[0] if draws else None
            background = self.bg_predictor(sources, scene.driving, train=train, begun=begun)
        motions = Motions(source_motion, driving_motion, background)
        dropout = draws.dropout if draws else None
        return self.dense_motion_network(source, motions, dropout=dropout, train=train)

    def encode(self, source: Float[Array, "b h w c"], *, train: bool) -> SourceFeatures:
        """Compute the inpainting network's features of sources."""
        return self.inpainting_network.encode(source, train=train)

    def decode(
        self, features: SourceFeatures, dense_motion: DenseMotion, *, train: bool
    ) -> Float[Array, "b h w c"]:
        """Warp the features, hide what the sources do not show, and paint frames in [0, 1]."""
        return self.inpainting_network.decode(features, dense_motion, train=train)

    def warp(
        self, source: Float[Array, "#b h w c"], dense_motion: DenseMotion
    ) -> Float[Array, "b h w c"]:
        """Warp source pictures by the deformation alone."""
        return warp(source, dense_motion)

    @classmethod
    def sample_perturbation(
        cls, key: Array, batch: int, dtype: jnp.dtype, config: Config, epoch: Int[Array, ""]
    ) -> StepDraws | Float[Array, "b 2"]:
        """Draw the transform of the equivariance loss, and the transformations that take part.

        In the stage `avd`, draw the factors by which driving points are scaled in x and y.
        """
        if config.train.stage == "avd":
            return draw_scales(key, batch, dtype, config.train_avd.random_scale)
        transform_key, dropout_key = jax.random.split(key)
        settings = config.train.transform
        drawn = sample_transform(
            transform_key,
            batch,
            dtype,
            sigma_affine=settings.sigma_affine,
            sigma_tps=settings.sigma_tps,
            points_tps=settings.points_tps,
        )
        schedule, splines = config.train.thin_plate, config.model.thin_plate.num_tps
        dropped = dropout_probability(schedule, epoch)
        kept = jax.random.bernoulli(dropout_key, 1 - dropped, (batch, splines))
        return StepDraws(
            transform=EuclideanTransform(drawn.theta, drawn.control_params),
            dropout=Dropout(
                kept=jnp.concatenate([jnp.ones((batch, 1), dtype), kept.astype(dtype)], axis=1),
                active=jnp.broadcast_to(epoch < schedule.dropout_epoch, (batch,)),
            ),
            background_begun=jnp.broadcast_to(epoch >= schedule.bg_start, (batch,)),
        )

    def perturb_driving(
        self, driving: Float[Array, "b h w c"], perturbation: StepDraws, weights: LossWeightsConfig
    ) -> Float[Array, "b h w c"] | None:
        """Transform the driving frames for the equivariance loss."""
        if not weights.equivariance_value:
            return None
        return perturbation.transform.warp_frame(driving, align_corners=True)

    def losses(
        self, reproduction: Reproduction, perturbation: StepDraws, weights: LossWeightsConfig
    ) -> dict[str, Float[Array, ""]]:
        """Compute the losses of equivariance, of warped features, and of the background."""
        terms = {}
        motion = reproduction.generated.dense_motion
        assert isinstance(motion, BackgroundedMotion), "`flow` returned it"
        if weights.equivariance_value:
            loss = losses.equivariance(
                reproduction.driving_motion, reproduction.perturbed_motion, perturbation.transform
            )
            terms["equivariance_value"] = weights.equivariance_value * loss
        if weights.warp_loss:
            real = self.encode(reproduction.driving, train=True)
            loss = losses.warped_features(reproduction.features, real, motion)
            terms["warp_loss"] = weights.warp_loss * loss
        if weights.bg and self.bg_predictor is not None:
            back = self.bg_predictor(
                reproduction.driving,
                reproduction.source,
                train=True,
                begun=perturbation.background_begun[0],
            )
            terms["bg"] = weights.bg * losses.background_consistency(motion.background, back)
        return terms

    def finishing_losses(
        self,
        source: Float[Array, "b h w c"],
        driving: Float[Array, "b h w c"],
        perturbation: Float[Array, "b 2"],
        config: Config,
    ) -> dict[str, Float[Array, ""]]:
        """Compute the loss of the AVD network: it has to undo the scaling of driving points."""
        frames = jnp.stack([source, driving], axis=1)
        points = self.detect(frames, train=config.compat.avd_batch_statistics).value
        loss = losses.recovered_shape(
            self.avd_network, ControlPoints(points[:, 0]), ControlPoints(points[:, 1]), perturbation
        )
        return {"rec_kp": config.train_avd.lambda_shift * loss}

    @classmethod
    def parameter_groups(cls, config: Config) -> dict[str, ParameterGroup]:
        """Return how each network is trained. The AVD network has a stage of its own."""
        if config.train.stage == "avd":
            return {
                "avd_network": ParameterGroup(config.train_avd.lr, config.train.max_gradient_norm)
            }
        rate, schedule = config.train.lr_generator, config.train.thin_plate
        unlimited = ParameterGroup(rate, config.train.max_gradient_norm, WEIGHT_DECAY)
        limited = dataclasses.replace(unlimited, largest_gradient=LARGEST_GRADIENT)
        groups = {
            "inpainting_network": unlimited,
            "dense_motion_network": limited,
            "kp_detector": limited,
        }
        if config.model.thin_plate.bg:
            groups["bg_predictor"] = dataclasses.replace(limited, first_epoch=schedule.bg_start)
        return groups

    @classmethod
    def transfer(
        cls,
        source: ControlPoints,
        driving: ControlPoints,
        initial: ControlPoints,
        scale: Float[Array, ""],
        config: NormalizationConfig,
    ) -> ControlPoints:
        """Return the driving points, or those of the source moved as they have moved."""
        if not config.use_relative_movement:
            return driving
        return ControlPoints(scale * (driving.value - initial.value) + source.value)

    def check_can_retarget(self) -> None:
        """Raise an `InputError` if the AVD network is new: no training of it has begun."""
        if not self.avd_network.is_trained():
            raise InputError(
                "motion_transfer: expected relative or absolute, since the AVD network of this"
                " model was not trained"
            )

    def retarget(self, source: ControlPoints, driving: ControlPoints) -> ControlPoints:
        """Give a source's object the poses of driving frames by the AVD network."""
        return self.avd_network(source, driving, train=False)

    @classmethod
    def points(cls, motion: ControlPoints) -> Float[Any, "*b k 2"]:
        """Return the control points; without a batch for those of one frame."""
        return motion.value


def dropout_probability(schedule: ThinPlateTrainConfig, epoch: Int[Array, ""]) -> Float[Array, ""]:
    """Return the probability that a spline takes no part, in an epoch with dropout."""
    progress = epoch.astype(jnp.float32) / schedule.dropout_inc_epoch
    grown = progress * schedule.dropout_maxp + schedule.dropout_startp
    return jnp.minimum(grown, schedule.dropout_maxp)
