"""Check that the fields of the thin-plate spline motion model fit together.

Each function yields messages that begin with the name of a field, as in `validation.py`.
"""

import math
from collections.abc import Iterator

from fomm_jax.config.constants import OCCLUSION_MAPS, RESNET_STRIDE
from fomm_jax.config.schema import LossWeightsConfig, TrainConfig
from fomm_jax.config.thin_plate import ThinPlateConfig

SECTION = "model.thin_plate"
# Scales at which the hourglass and the up blocks after it meet the sizes of the occlusion maps.
SCALES = tuple(2.0**-halvings for halvings in range(OCCLUSION_MAPS))


def thin_plate_networks(model: ThinPlateConfig) -> Iterator[str]:
    """Check the occlusion maps: each must be of the size of the features that it masks."""
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


def thin_plate_losses(model: ThinPlateConfig, weights: LossWeightsConfig) -> Iterator[str]:
    """Check that only those losses have a weight that the model has."""
    for name in ("generator_gan", "equivariance_jacobian"):
        if getattr(weights, name):
            yield f"train.loss_weights.{name}: expected 0, since the thin-plate model has none"
    if weights.warp_loss and not model.multi_mask:
        yield (
            f"train.loss_weights.warp_loss: expected 0, since config.{SECTION}.multi_mask is False"
        )


def thin_plate_batch(train: TrainConfig, size: tuple[int, int]) -> Iterator[str]:
    """Check that each part of a batch leaves batch normalisation more than one pixel.

    Args:
      train: the course of training.
      size: (height, width) of the frames.
    """
    if train.stage == "avd":
        field, pixels, network = "train_avd.batch_size", 1, "the AVD network"
    else:
        field, network = "train.batch_size", "the ResNets"
        pixels = math.prod(math.ceil(side / RESNET_STRIDE) for side in size)
    if train.batch_size * pixels == train.accumulate:
        yield (
            f"{field}: expected at least {2 * train.accumulate}, since batch normalisation in"
            f" {network} needs more than one pixel"
        )
