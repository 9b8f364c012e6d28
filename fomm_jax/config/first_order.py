"""The fields that set the networks of the first-order model."""

import dataclasses

from fomm_jax.config.fields import NonNegativeInt, PositiveFloat, PositiveInt, Scale


@dataclasses.dataclass(frozen=True)
class KeypointDetectorConfig:
    """The keypoint detector: an hourglass with a heatmap head and a jacobian head."""

    block_expansion: PositiveInt = 32  # channels at full size; each down block doubles them …
    max_features: PositiveInt = 1024  # … up to this number
    num_blocks: PositiveInt = 5  # down blocks of the hourglass, and up blocks
    temperature: PositiveFloat = 0.1  # temperature of the softmax that makes the heatmap
    scale_factor: Scale = 1.0  # the frame is shrunk by this factor first
    single_jacobian_map: bool = False  # all keypoints share one map of jacobians
    pad: NonNegativeInt = 0  # zero padding of the heads' 7x7 convolutions


@dataclasses.dataclass(frozen=True)
class DenseMotionConfig:
    """The dense motion network: an hourglass with a mask head and an occlusion head."""

    block_expansion: PositiveInt = 64  # channels at full size; each down block doubles them …
    max_features: PositiveInt = 1024  # … up to this number
    num_blocks: PositiveInt = 5  # down blocks of the hourglass, and up blocks
    scale_factor: Scale = 1.0  # the source is shrunk by this factor first
    kp_variance: PositiveFloat = 0.01  # variance of the Gaussian that stands for a keypoint


@dataclasses.dataclass(frozen=True)
class GeneratorConfig:
    """The generator, in the style of Johnson et al.: down blocks, residual blocks, up blocks."""

    block_expansion: PositiveInt = 64  # channels at full size; each down block doubles them …
    max_features: PositiveInt = 512  # … up to this number
    num_down_blocks: NonNegativeInt = 2  # and as many up blocks
    num_bottleneck_blocks: NonNegativeInt = 6  # residual blocks
    estimate_occlusion_map: bool = False  # mask features of what the source does not show
    dense_motion: DenseMotionConfig = DenseMotionConfig()


@dataclasses.dataclass(frozen=True)
class DiscriminatorConfig:
    """The discriminator: one network for each scale, which judges patches of a picture."""

    scales: tuple[Scale, ...] = (1.0,)  # a selection of train.scales
    # Block i, counted from 0, has block_expansion · 2^(i+1) channels, but at most max_features.
    block_expansion: PositiveInt = 64
    max_features: PositiveInt = 512
    num_blocks: PositiveInt = 4
    sn: bool = False  # spectral norm on every convolution
    use_kp: bool = False  # heatmaps of the driving keypoints are further input channels
    kp_variance: PositiveFloat = 0.01  # variance of the Gaussians in these heatmaps
