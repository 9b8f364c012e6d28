"""Read the YAML files that configure the original implementation.

A key that the file leaves out has the default of the original's constructors, which is mostly the
default of `Config`; `Section.defaults` states where it is not. A field of `Config` that the
original does not know, such as the weights of the perceptual network, has the default of `Config`.
"""

import dataclasses
import difflib
import re
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from fomm_jax.config.parsing import parse, show, to_config_dict
from fomm_jax.config.strict_yaml import read_yaml
from fomm_jax.config.validation import check_bounds
from fomm_jax.errors import InputError, naming


@dataclasses.dataclass(frozen=True)
class Section:
    """A section of the YAML file."""

    name: str  # the section of `Config` that has the keys as fields
    required: tuple[str, ...] = ()  # keys that the original cannot do without
    optional: tuple[str, ...] = ()  # all other keys
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # where `Config` differs
    may_be_absent: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys of the section. The sections inside it are not among them."""
        return (*self.required, *self.optional)


# The sections by their dotted names in the file. Each stands after the one that contains it.
SECTIONS = {
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
        "dataset.augmentation", required=("degrees",), may_be_absent=True
    ),
    "dataset_params.augmentation_params.resize_param": Section(
        "dataset.augmentation",
        optional=("ratio", "interpolation"),
        defaults={"ratio": (3 / 4, 4 / 3)},
        may_be_absent=True,
    ),
    "dataset_params.augmentation_params.crop_param": Section(
        "dataset.augmentation", required=("size",), may_be_absent=True
    ),
    "dataset_params.augmentation_params.jitter_param": Section(
        "dataset.augmentation",
        optional=("brightness", "contrast", "saturation", "hue"),
        may_be_absent=True,
    ),
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
    # If one of its two optional keys is missing, the original's transform is affine.
    "train_params.transform_params": Section(
        "train.transform",
        required=("sigma_affine",),
        optional=("sigma_tps", "points_tps"),
        defaults={"sigma_tps": 0, "points_tps": 0},
    ),
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
    "visualizer_params": Section(
        "visualize", optional=("kp_size", "draw_border", "colormap"), may_be_absent=True
    ),
    # Not one of the original's sections: it is for weights that an older torch has trained.
    "compat": Section("compat", optional=("align_corners",), may_be_absent=True),
}
# Keys that have another name in `Config`, where the section would not tell what they belong to.
NAMES = {
    "degrees": "rotation_degrees",
    "ratio": "resize_ratio",
    "interpolation": "resize_interpolation",
    "size": "crop_size",
}


def read_original_yaml(path: str) -> ConfigDict:
    """Read the configuration in a YAML file of the original.

    Whether its values fit together is not checked here but by `parsing.from_config_dict`, after
    the command line has changed some of them.

    Raises:
      InputError: the file cannot be read, lacks a key that the original needs, has a key that is
        unknown or given twice, or a value of the wrong type or out of its bounds. The message names
        the key of the file.
    """
    tree = read_yaml(path, [name for name in SECTIONS if "." not in name])
    with naming(path):
        values, keys = _translate(tree)
        try:
            config = parse(values)
            check_bounds(config)
        except InputError as error:
            # The messages begin with the name of a field; the user knows the key of the file.
            field = re.split(r"[:\[]", str(error), maxsplit=1)[0]
            message = str(error).removeprefix(field)
            raise InputError(f"{keys.get(field, field)}{message}") from error
        return to_config_dict(config)


def _translate(tree: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Translate the content of a file.

    Returns:
      The values under the names of `Config`, as `parse` takes them, and the keys of the file by the
      dotted names of fields.
    """
    contents = {"": tree}  # of the sections that the file has
    _check_keys("", tree, keys=())
    values: dict[str, Any] = {}
    keys: dict[str, str] = {}
    for path, section in SECTIONS.items():
        parent, _, name = path.rpartition(".")
        content = contents.get(parent, {}).get(name)
        if content is None:
            if parent in contents and not section.may_be_absent:
                raise InputError(
                    f"{path}: missing, and a model without this section is not supported"
                )
            continue
        _check_keys(path, content, section.keys)
        for key in section.required:
            if key not in content:
                raise InputError(f"{path}.{key}: missing")
        contents[path] = content
        target = values
        for part in section.name.split("."):
            target = target.setdefault(part, {})
        for key, value in {**section.defaults, **content}.items():
            if key in section.keys:
                field = NAMES.get(key, key)
                target[field] = _range_or_square(key, value)
                keys[f"config.{section.name}.{field}"] = f"{path}.{key}"
    return values, keys


def _check_keys(path: str, content: Any, keys: tuple[str, ...]) -> None:
    """Raise an `InputError` if a section has a key that is neither one of `keys` nor a section."""
    if not isinstance(content, Mapping):
        raise InputError(f"{path or 'the file'}: expected a section with keys, got {show(content)}")
    known = [*SECTIONS, *(f"{name}.{key}" for name in SECTIONS for key in SECTIONS[name].keys)]
    for key in content:
        name = f"{path}.{key}" if path else str(key)
        if key not in keys and name not in SECTIONS:
            (nearest,) = difflib.get_close_matches(name, known, n=1, cutoff=0)
            raise InputError(f"{name}: unknown key; the nearest known one is {nearest}")


def _range_or_square(key: str, value: Any) -> Any:
    """Return (-x, x) for an angle x and (x, x) for a size x; any other value as it is."""
    if isinstance(value, int | float):
        if key == "degrees":
            return (-value, value)
        if key == "size":
            return (value, value)
    return value
