"""The fields of the thin-plate spline motion model: its networks and its training.

Like those of `schema.py`, the names follow the YAML files of the model's original.
"""

import dataclasses
from typing import Annotated

from fomm_jax.config.fields import (
    Milestone,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Scale,
    at_least,
    less_than,
)

Probability = Annotated[float, at_least(0), less_than(1)]


@dataclasses.dataclass(frozen=True)
class InpaintingConfig:
    """The inpainting network: down blocks, residual blocks, up blocks, with skips."""

    block_expansion: PositiveInt = 64  # channels at full size; each down block doubles them …
    max_features: PositiveInt = 512  # … up to this number
    num_down_blocks: PositiveInt = 3  # and as many up blocks; with multi_mask, it must be 3


@dataclasses.dataclass(frozen=True)
class MixingConfig:
    """The dense motion network: an hourglass whose heads mix the transformations."""

    block_expansion: PositiveInt = 64  # channels at full size; each down block doubles them …
    max_features: PositiveInt = 1024  # … up to this number
    num_blocks: PositiveInt = 5  # down blocks of the hourglass, and up blocks
    scale_factor: Scale = 0.25  # the source is shrunk by this factor first
    kp_variance: PositiveFloat = 0.01  # variance of the Gaussian that stands for a keypoint


@dataclasses.dataclass(frozen=True)
class AvdNetworkConfig:
    """The AVD network, which fits the motion of one object to the shape of another."""

    id_bottle_size: PositiveInt = 64  # numbers that describe the shape of the source
    pose_bottle_size: PositiveInt = 64  # numbers that describe the pose of a driving frame


@dataclasses.dataclass(frozen=True)
class ThinPlateConfig:
    """The networks of the thin-plate spline motion model."""

    num_tps: PositiveInt = 10  # thin-plate splines, each with five keypoints
    bg: bool = True  # the motion of the background is predicted; False: it stands still
    multi_mask: bool = True  # four occlusion maps, one for each size of features; False: one
    generator: InpaintingConfig = InpaintingConfig()
    dense_motion: MixingConfig = MixingConfig()
    avd_network: AvdNetworkConfig = AvdNetworkConfig()


@dataclasses.dataclass(frozen=True)
class ThinPlateTrainConfig:
    """What only the training of the thin-plate spline motion model has.

    In the epochs before `dropout_epoch`, each spline is left out with a probability that grows from
    dropout_startp by dropout_maxp in every dropout_inc_epoch epochs, up to dropout_maxp.
    """

    dropout_epoch: NonNegativeInt = 35
    dropout_startp: Probability = 0.0
    dropout_maxp: Probability = 0.5
    dropout_inc_epoch: PositiveInt = 10
    bg_start: NonNegativeInt = 0  # the first epoch in which the background moves


@dataclasses.dataclass(frozen=True)
class TrainAvdConfig:
    """The training of the AVD network, for a finished thin-plate spline motion model."""

    num_epochs: PositiveInt = 100
    num_repeats: PositiveInt = 150  # passes over the training videos in an epoch
    batch_size: PositiveInt = 256  # pairs in a step, over all devices and hosts
    epoch_milestones: tuple[Milestone, ...] = ()  # after these epochs the learning rate drops by 10
    lr: NonNegativeFloat = 1.0e-3
    checkpoint_freq: PositiveInt = 10  # epochs between checkpoints
    lambda_shift: NonNegativeFloat = 1.0  # weight of the loss
    random_scale: Probability = 0.25  # x scales driving points by factors from [1 - x, 1 + x]
