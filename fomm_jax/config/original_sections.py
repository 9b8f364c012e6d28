"""The sections of the originals' YAML files, and the fields of `Config` that their keys set.

A key that a file leaves out has the default of the original's constructors, which is mostly the
default of `Config`; `Section.defaults` states where it is not.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Section:
    """A section of a YAML file."""

    name: str  # the section of `Config` that has the keys as fields
    required: tuple[str, ...] = ()  # keys that the original cannot do without
    optional: tuple[str, ...] = ()  # all other keys
    # Fields by the keys that have another name, or whose field is in another section.
    fields: Mapping[str, str] = dataclasses.field(default_factory=dict)
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # where `Config` differs
    ignored: tuple[str, ...] = ()  # keys that change nothing that a model computes
    may_be_absent: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys of the section. The sections inside it are not among them."""
        return (*self.required, *self.optional, *self.ignored)

    def field(self, key: str) -> str:
        """Return the dotted name of the field that a key sets."""
        return self.fields.get(key, f"{self.name}.{key}")


Sections = Mapping[str, Section]  # by their dotted names in the file, each after the one around it

_DATASET = {
    "dataset_params": Section(
        "dataset",
        required=("root_dir",),
        optional=("frame_shape", "id_sampling", "random_seed", "pairs_list"),
    ),
    "dataset_params.augmentation_params": Section("dataset.augmentation", may_be_absent=True),
    "dataset_params.augmentation_params.flip_param": Section(
        "dataset.augmentation", optional=("time_flip", "horizontal_flip"), may_be_absent=True
    ),
    "dataset_params.augmentation_params.rotation_param": Section(
        "dataset.augmentation",
        required=("degrees",),
        fields={"degrees": "dataset.augmentation.rotation_degrees"},
        may_be_absent=True,
    ),
    "dataset_params.augmentation_params.resize_param": Section(
        "dataset.augmentation",
        optional=("ratio", "interpolation"),
        fields={
            "ratio": "dataset.augmentation.resize_ratio",
            "interpolation": "dataset.augmentation.resize_interpolation",
        },
        defaults={"ratio": (3 / 4, 4 / 3)},
        may_be_absent=True,
    ),
    "dataset_params.augmentation_params.crop_param": Section(
        "dataset.augmentation",
        required=("size",),
        fields={"size": "dataset.augmentation.crop_size"},
        may_be_absent=True,
    ),
    "dataset_params.augmentation_params.jitter_param": Section(
        "dataset.augmentation",
        optional=("brightness", "contrast", "saturation", "hue"),
        may_be_absent=True,
    ),
}
_TRANSFORM_AND_PICTURES = {
    # If one of its two optional keys is missing, the first-order original's transform is affine.
    "train_params.transform_params": Section(
        "train.transform",
        required=("sigma_affine",),
        optional=("sigma_tps", "points_tps"),
        defaults={"sigma_tps": 0, "points_tps": 0},
    ),
    "visualizer_params": Section(
        "visualize", optional=("kp_size", "draw_border", "colormap"), may_be_absent=True
    ),
}

FIRST_ORDER: Sections = {
    **_DATASET,
    "model_params": Section("model"),
    "model_params.common_params": Section(
        "model",
        required=("num_kp", "num_channels"),
        optional=("estimate_jacobian",),
        defaults={"estimate_jacobian": False},
    ),
    "model_params.kp_detector_params": Section(
        "model.kp_detector",
        required=("temperature", "block_expansion", "max_features", "num_blocks"),
        optional=("scale_factor", "single_jacobian_map", "pad"),
    ),
    "model_params.generator_params": Section(
        "model.generator",
        required=("block_expansion", "max_features", "num_down_blocks", "num_bottleneck_blocks"),
        optional=("estimate_occlusion_map",),
    ),
    # The original also has a generator without dense motion, which cannot animate anything.
    "model_params.generator_params.dense_motion_params": Section(
        "model.generator.dense_motion",
        required=("block_expansion", "max_features", "num_blocks"),
        optional=("scale_factor", "kp_variance"),
    ),
    "model_params.discriminator_params": Section(
        "model.discriminator",
        required=("scales",),
        optional=("block_expansion", "max_features", "num_blocks", "sn", "use_kp", "kp_variance"),
    ),
    "train_params": Section(
        "train",
        required=(
            "num_epochs",
            "num_repeats",
            "epoch_milestones",
            "lr_generator",
            "lr_discriminator",
            "lr_kp_detector",
            "batch_size",
            "scales",
            "checkpoint_freq",
        ),
    ),
    **_TRANSFORM_AND_PICTURES,
    "train_params.loss_weights": Section(
        "train.loss_weights",
        required=(
            "generator_gan",
            "discriminator_gan",
            "feature_matching",
            "perceptual",
            "equivariance_value",
            "equivariance_jacobian",
        ),
    ),
    "reconstruction_params": Section(
        "reconstruct", required=("num_videos", "format"), may_be_absent=True
    ),
    "animate_params": Section("animate", required=("num_pairs", "format"), may_be_absent=True),
    "animate_params.normalization_params": Section(
        "animate.normalization",
        optional=("adapt_movement_scale", "use_relative_movement", "use_relative_jacobian"),
        defaults={"use_relative_movement": False, "use_relative_jacobian": False},
    ),
    # Not one of the original's sections: it is for weights that an older torch, or a copy of the
    # original, has trained.
    "compat": Section("compat", optional=("align_corners", "antialias_sigma"), may_be_absent=True),
}

_MODEL, _TRAIN = "model.thin_plate", "train.thin_plate"
_SCHEDULE = ("dropout_epoch", "dropout_maxp", "dropout_startp", "dropout_inc_epoch", "bg_start")
THIN_PLATE: Sections = {
    **_DATASET,
    # The original's relative motion always adapts the scale.
    "model_params": Section(
        "model",
        fields={"adapt_movement_scale": "animate.normalization.adapt_movement_scale"},
        defaults={"name": "thin-plate", "adapt_movement_scale": True},
    ),
    "model_params.common_params": Section(
        _MODEL,
        required=("num_tps", "num_channels", "bg", "multi_mask"),
        fields={"num_channels": "model.num_channels"},
    ),
    "model_params.generator_params": Section(
        f"{_MODEL}.generator", required=("block_expansion", "max_features", "num_down_blocks")
    ),
    "model_params.dense_motion_params": Section(
        f"{_MODEL}.dense_motion",
        required=("block_expansion", "max_features", "num_blocks"),
        optional=("scale_factor", "kp_variance"),
    ),
    "model_params.avd_network_params": Section(
        f"{_MODEL}.avd_network", optional=("id_bottle_size", "pose_bottle_size")
    ),
    "train_params": Section(
        "train",
        required=(
            "num_epochs",
            "num_repeats",
            "epoch_milestones",
            "lr_generator",
            "batch_size",
            "scales",
            "checkpoint_freq",
            *_SCHEDULE,
        ),
        fields={key: f"{_TRAIN}.{key}" for key in _SCHEDULE},
        ignored=("dataloader_workers",),
    ),
    **_TRANSFORM_AND_PICTURES,
    "train_params.loss_weights": Section(
        "train.loss_weights",
        required=("perceptual", "equivariance_value", "warp_loss", "bg"),
        defaults={"equivariance_jacobian": 0},
    ),
    "train_avd_params": Section(
        "train_avd",
        required=(
            "num_epochs",
            "num_repeats",
            "epoch_milestones",
            "batch_size",
            "checkpoint_freq",
            "lr",
            "lambda_shift",
            "random_scale",
        ),
        ignored=("dataloader_workers", "lambda_affine"),
        may_be_absent=True,
    ),
}
