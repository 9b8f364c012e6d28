"""Configurations of the original, from its YAML files.

Where a section says nothing, the default of the original's constructor holds, not that of `Config`.
What the original has no key for, such as the weights of the perceptual network, is as in `Config`.
"""

import dataclasses
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from ml_collections import ConfigDict

from fomm_jax.config.parsing import parse, to_config_dict
from fomm_jax.errors import InputError
from fomm_jax.files import reading


@dataclasses.dataclass(frozen=True)
class Section:
    """A section of the YAML file."""

    name: str  # of the section of `Config` that takes its keys
    needed: tuple[str, ...] = ()  # keys that the original cannot do without
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # of the other keys
    may_be_absent: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys of the section, without the sections in it."""
        return (*self.needed, *self.defaults)


# By their dotted names; a section stands after the one that it is in.
SECTIONS = {
    "dataset_params": Section(
        "dataset",
        ("root_dir",),
        {"frame_shape": (256, 256, 3), "id_sampling": False, "random_seed": 0, "pairs_list": None},
    ),
    "dataset_params.augmentation_params": Section("dataset.augmentation", may_be_absent=True),
    "dataset_params.augmentation_params.flip_param": Section(
        "dataset.augmentation",
        defaults={"time_flip": False, "horizontal_flip": False},
        may_be_absent=True,
    ),
    "dataset_params.augmentation_params.rotation_param": Section(
        "dataset.augmentation", ("degrees",), may_be_absent=True
    ),
    "dataset_params.augmentation_params.resize_param": Section(
        "dataset.augmentation",
        defaults={"ratio": (3 / 4, 4 / 3), "interpolation": "nearest"},
        may_be_absent=True,
    ),
    "dataset_params.augmentation_params.crop_param": Section(
        "dataset.augmentation", ("size",), may_be_absent=True
    ),
    "dataset_params.augmentation_params.jitter_param": Section(
        "dataset.augmentation",
        defaults={"brightness": 0, "contrast": 0, "saturation": 0, "hue": 0},
        may_be_absent=True,
    ),
    "model_params": Section("model"),
    "model_params.common_params": Section(
        "model", ("num_kp", "num_channels"), {"estimate_jacobian": False}
    ),
    "model_params.kp_detector_params": Section(
        "model.kp_detector",
        ("temperature", "block_expansion", "max_features", "num_blocks"),
        {"scale_factor": 1, "single_jacobian_map": False, "pad": 0},
    ),
    "model_params.generator_params": Section(
        "model.generator",
        ("block_expansion", "max_features", "num_down_blocks", "num_bottleneck_blocks"),
        {"estimate_occlusion_map": False},
    ),
    # The original also has a generator without dense motion, which moves nothing.
    "model_params.generator_params.dense_motion_params": Section(
        "model.generator.dense_motion",
        ("block_expansion", "max_features", "num_blocks"),
        {"scale_factor": 1, "kp_variance": 0.01},
    ),
    "model_params.discriminator_params": Section(
        "model.discriminator",
        ("scales",),
        {
            "block_expansion": 64,
            "max_features": 512,
            "num_blocks": 4,
            "sn": False,
            "use_kp": False,
            "kp_variance": 0.01,
        },
    ),
    "train_params": Section(
        "train",
        (
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
    # Without one of its last two keys the original's transform is affine.
    "train_params.transform_params": Section(
        "train.transform", ("sigma_affine",), {"sigma_tps": 0, "points_tps": 0}
    ),
    "train_params.loss_weights": Section(
        "train.loss_weights",
        (
            "generator_gan",
            "discriminator_gan",
            "feature_matching",
            "perceptual",
            "equivariance_value",
            "equivariance_jacobian",
        ),
    ),
    "reconstruction_params": Section("reconstruct", ("num_videos", "format"), may_be_absent=True),
    "animate_params": Section("animate", ("num_pairs", "format"), may_be_absent=True),
    "animate_params.normalization_params": Section(
        "animate.normalization",
        defaults={
            "adapt_movement_scale": False,
            "use_relative_movement": False,
            "use_relative_jacobian": False,
        },
    ),
    "visualizer_params": Section(
        "visualize",
        defaults={"kp_size": 5, "draw_border": False, "colormap": "gist_rainbow"},
        may_be_absent=True,
    ),
    # Not the original's: for weights that an older torch has trained.
    "compat": Section("compat", defaults={"align_corners": False}, may_be_absent=True),
}
# Keys that have another name in `Config`, where it is not plain from the section what they are of.
NAMES = {
    "degrees": "rotation_degrees",
    "ratio": "resize_ratio",
    "interpolation": "resize_interpolation",
    "size": "crop_size",
}


def read_original_yaml(path: str) -> ConfigDict:
    """The configuration in a YAML file of the original.

    Raises:
      InputError: when the file cannot be read, lacks what the original needs, or has an unknown
        key or a value of the wrong type. Whether the values can work is asked later, when those
        of the command line are in.
    """
    try:
        with reading(path):
            tree = yaml.safe_load(Path(path).read_bytes())
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that does not exist
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    try:
        return to_config_dict(parse(_translate(tree)))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _translate(tree: Any) -> dict[str, Any]:
    """The file's content by the names of `Config`, for `parse`."""
    found = {"": tree}
    _refuse_unknown_keys("", tree, keys=())
    values: dict[str, Any] = {}
    for path, section in SECTIONS.items():
        parent, _, name = path.rpartition(".")
        content = found.get(parent, {}).get(name)
        if content is None:
            if parent in found and not section.may_be_absent:
                raise InputError(
                    f"{path}: missing, and a model without this section is not supported"
                )
            continue
        _refuse_unknown_keys(path, content, section.keys)
        for key in section.needed:
            if key not in content:
                raise InputError(f"{path}.{key}: missing")
        found[path] = content
        target = values
        for part in section.name.split("."):
            target = target.setdefault(part, {})
        for key in section.keys:
            value = content[key] if key in content else section.defaults[key]
            target[NAMES.get(key, key)] = _range_or_square(key, value)
    return values


def _refuse_unknown_keys(path: str, content: Any, keys: tuple[str, ...]) -> None:
    if not isinstance(content, Mapping):
        raise InputError(f"{path or 'the file'}: expected a section with keys, got {content!r:.60}")
    known = [*SECTIONS, *(f"{name}.{key}" for name in SECTIONS for key in SECTIONS[name].keys)]
    for key in content:
        name = f"{path}.{key}" if path else str(key)
        if key not in keys and name not in SECTIONS:
            (nearest,) = difflib.get_close_matches(name, known, n=1, cutoff=0)
            raise InputError(f"{name}: unknown key; the nearest known one is {nearest}")


def _range_or_square(key: str, value: Any) -> Any:
    """An angle x stands for (-x, x), a size for a square; everything else for itself."""
    if isinstance(value, int | float):
        if key == "degrees":
            return (-value, value)
        if key == "size":
            return (value, value)
    return value
