"""Check that the fields of the thin-plate spline motion model fit together."""

import math
from collections.abc import Iterator

from fomm_jax.config.constants import OCCLUSION_MAPS, RESNET_STRIDE
from fomm_jax.config.frame_sizes import training_size
from fomm_jax.config.model_checks import Halvings, ModelChecks
from fomm_jax.config.schema import Config, LossWeightsConfig, ModelConfig

SECTION = "model.thin_plate"
# Scales at which the hourglass and the up blocks after it meet the sizes of the occlusion maps.
SCALES = tuple(2.0**-halvings for halvings in range(OCCLUSION_MAPS))


def _halvings(model: ModelConfig) -> dict[str, Halvings]:
    motion, generator = model.thin_plate.dense_motion, model.thin_plate.generator
    return {
        f"{SECTION}.generator.num_down_blocks": (1.0, generator.num_down_blocks),
        f"{SECTION}.dense_motion.num_blocks": (motion.scale_factor, motion.num_blocks),
    }


def _networks(config: Config) -> Iterator[str]:
    """Check the occlusion maps: each must be of the size of the features that it masks."""
    model = config.model.thin_plate
    if not model.multi_mask:
        return
    motion, depth = model.dense_motion, model.generator.num_down_blocks
    if depth != OCCLUSION_MAPS - 1:
        yield (
            f"{SECTION}.generator.num_down_blocks: expected {OCCLUSION_MAPS - 1}, since multi_mask"
            f" makes {OCCLUSION_MAPS} occlusion maps, got {depth}"
        )
    if motion.scale_factor not in SCALES:
        yield (
            f"{SECTION}.dense_motion.scale_factor: expected one of {SCALES} with multi_mask, got"
            f" {motion.scale_factor}"
        )
        return
    fewest = OCCLUSION_MAPS - round(-math.log2(motion.scale_factor))
    if motion.num_blocks < fewest:
        yield (
            f"{SECTION}.dense_motion.num_blocks: expected at least {fewest} at scale_factor"
            f" {motion.scale_factor:g} with multi_mask, got {motion.num_blocks}"
        )


def _losses(model: ModelConfig, weights: LossWeightsConfig) -> Iterator[str]:
    for name in ("generator_gan", "equivariance_jacobian"):
        if getattr(weights, name):
            yield f"train.loss_weights.{name}: expected 0, since the thin-plate model has none"
    if weights.warp_loss and not model.thin_plate.multi_mask:
        yield (
            f"train.loss_weights.warp_loss: expected 0, since config.{SECTION}.multi_mask is False"
        )


def _batch(config: Config) -> Iterator[str]:
    train = config.train
    if train.stage == "avd":
        field, pixels, network = "train_avd.batch_size", 1, "the AVD network"
    else:
        field, network = "train.batch_size", "the ResNets"
        pixels = math.prod(math.ceil(side / RESNET_STRIDE) for side in training_size(config))
    if train.batch_size * pixels == train.accumulate:
        yield (
            f"{field}: expected at least {2 * train.accumulate}, since batch normalisation in"
            f" {network} needs more than one pixel"
        )


THIN_PLATE = ModelChecks(
    sections_with_channels=("thin_plate.generator", "thin_plate.dense_motion"),
    halvings=_halvings,
    side=lambda model, pixels: iter(()),  # ResNets take frames of any size
    networks=_networks,
    losses=_losses,
    batch=_batch,
)
