"""Check that the fields of the first-order model fit together."""

from collections.abc import Iterator

from fomm_jax.config.constants import HEAD_KERNEL
from fomm_jax.config.frame_sizes import shrunk, training_size
from fomm_jax.config.model_checks import Halvings, ModelChecks
from fomm_jax.config.schema import Config, LossWeightsConfig, ModelConfig


def _halvings(model: ModelConfig) -> dict[str, Halvings]:
    detector, generator, motion = model.kp_detector, model.generator, model.generator.dense_motion
    return {
        "model.kp_detector.num_blocks": (detector.scale_factor, detector.num_blocks),
        "model.generator.num_down_blocks": (1.0, generator.num_down_blocks),
        "model.generator.dense_motion.num_blocks": (motion.scale_factor, motion.num_blocks),
    }


def _side(model: ModelConfig, pixels: int) -> Iterator[str]:
    """Check that the keypoint detector's heatmap has a size."""
    detector = model.kp_detector
    heatmap = shrunk(pixels, detector.scale_factor) + 2 * detector.pad - HEAD_KERNEL + 1
    if heatmap < 2:
        yield (
            f"{pixels} leaves a heatmap of {max(heatmap, 0)}, expected at least"
            " 2 (config.model.kp_detector.scale_factor and pad)"
        )


def _networks(config: Config) -> Iterator[str]:
    normalization, num_kp = config.animate.normalization, config.model.num_kp
    if normalization.adapt_movement_scale and num_kp < 3:
        yield (
            "animate.normalization.adapt_movement_scale: the hull of the keypoints needs 3 of them,"
            f" and config.model.num_kp is {num_kp}"
        )
    if normalization.use_avd:
        yield (
            "animate.normalization.use_avd: expected False, since the first-order model has no AVD"
            " network"
        )


def _losses(model: ModelConfig, weights: LossWeightsConfig) -> Iterator[str]:
    if weights.equivariance_jacobian > 0 and not model.estimate_jacobian:
        yield (
            "train.loss_weights.equivariance_jacobian: expected 0, since"
            " config.model.estimate_jacobian is False"
        )
    for name in ("warp_loss", "bg"):
        if getattr(weights, name):
            yield f"train.loss_weights.{name}: expected 0, since the first-order model has none"


def _batch(config: Config) -> Iterator[str]:
    train = config.train
    if train.stage != "motion":
        yield "train.stage: expected 'motion', since the first-order model has no AVD network"
    for blocks, (scale, times) in _halvings(config.model).items():
        height, width = (shrunk(pixels, scale) >> times for pixels in training_size(config))
        if train.batch_size * height * width == train.accumulate:
            yield (
                f"train.batch_size: expected at least {2 * train.accumulate}, since batch"
                f" normalisation needs more than the one pixel that is left after config.{blocks}"
            )


FIRST_ORDER = ModelChecks(
    sections_with_channels=("kp_detector", "generator", "generator.dense_motion"),
    halvings=_halvings,
    side=_side,
    networks=_networks,
    losses=_losses,
    batch=_batch,
)
