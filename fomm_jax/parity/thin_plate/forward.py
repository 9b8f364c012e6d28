"""The networks of the thin-plate spline model, with outputs named as its recordings name them."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from flax import nnx

from fomm_jax.config.schema import Config
from fomm_jax.models.build import abstract_model
from fomm_jax.models.motion_model import MotionModel, SameScene
from fomm_jax.models.thin_plate.control_points import ControlPoints
from fomm_jax.models.thin_plate.dense_motion import (
    Motions,
    difference_of_heatmaps,
    fit,
    transformations,
)
from fomm_jax.models.thin_plate.inpainting import mask_levels, warp_levels
from fomm_jax.models.thin_plate.model import ThinPlateModel
from fomm_jax.ops import geometry
from fomm_jax.ops.convolution import ONE_CPU
from fomm_jax.parity.recordings import Arrays, DType, Recording, to_nchw
from fomm_jax.types import GeneratorOutput


def evaluate_recording(recording: Recording, dtype: DType) -> Arrays:
    """Run the recorded model on the first pairs, in a precision.

    Returns:
      The outputs by their recorded names, without `eval/`.
    """
    evaluate = compile_evaluation(recording.config, recording.model(dtype))
    return evaluate(*recording.pairs(0, dtype))


def compile_evaluation(
    config: Config, model: MotionModel
) -> Callable[[np.ndarray, np.ndarray], Arrays]:
    """Compile all networks of a model as the original's reconstruction runs them.

    Args:
      config: the configuration.
      model: the model whose weights they have, in the precision of the frames.

    Returns:
      A function of source and driving frames (b, h, w, c) in [0, 1], which show the same scenes. It
      returns the outputs by their recorded names, in PyTorch's order of axes.
    """
    definition = nnx.graphdef(abstract_model(config, ONE_CPU))
    state: nnx.State = nnx.state(model)

    @jax.jit
    def run(state: nnx.State, source: jax.Array, driving: jax.Array) -> Any:
        model: ThinPlateModel = nnx.merge(definition, state)
        source_points = model.detect(source, train=False)
        driving_points = model.detect(driving, train=False)
        features = model.encode(source, train=False)
        motion = model.flow(
            source, source_points, driving_points, scene=SameScene(driving, None), train=False
        )
        generated = model.generate(source, features, motion, train=False)
        motions = Motions(source_points, driving_points, motion.background)
        real = model.encode(driving, train=False)
        levels = warp_levels(features.levels, motion), mask_levels(real.levels, motion)
        avd = model.avd_network(source_points, driving_points, train=False)
        pyramid = geometry.image_pyramid(
            driving, config.train.scales, config.compat.antialias_sigma
        )
        return generated, motions, levels, avd, pyramid

    return lambda source, driving: _by_recorded_name(config, *run(state, source, driving))


def _by_recorded_name(
    config: Config,
    generated: GeneratorOutput,
    motions: Motions,
    levels: tuple[Sequence[jax.Array], Sequence[jax.Array]],
    avd: ControlPoints,
    pyramid: Sequence[jax.Array],
) -> Arrays:
    """Name the outputs of the networks as the recordings do, and order their axes alike."""
    motion, settings = generated.dense_motion, config.model.thin_plate
    height, width = motion.deformation.shape[1:3]
    splines = fit(motions)
    heatmaps = difference_of_heatmaps(motions, height, width, settings.dense_motion.kp_variance)
    outputs = {
        "kp_source/fg_kp": motions.source.value,
        "kp_driving/fg_kp": motions.driving.value,
        "tps/theta": splines.theta,
        "tps/control_params": splines.control_params,
        "heatmap": to_nchw(heatmaps),
        "transformations": transformations(motions, height, width),
        "deformed_source": np.moveaxis(np.asarray(motion.sparse_deformed), -1, 2),
        "contribution_maps": to_nchw(motion.mask),
        "deformation": motion.deformation,
        "deformed": to_nchw(generated.deformed),
        "prediction": to_nchw(generated.prediction),
        "avd/fg_kp": avd.value,
    }
    if settings.bg:
        outputs["bg_param"] = motions.background
    warped, real = levels
    for i, occlusion_map in enumerate(motion.occlusion_maps):
        outputs[f"occlusion_map/{i}"] = to_nchw(occlusion_map)
    for i, level in enumerate(warped):
        outputs[f"warped_encoder_maps/{i}"] = to_nchw(level)
    if settings.multi_mask:  # the original fails with one mask
        for i, level in enumerate(reversed(real)):
            outputs[f"encode/{i}"] = to_nchw(level)
    for scale, level in zip(config.train.scales, pyramid, strict=True):
        outputs[f"pyramid/prediction_{scale:g}"] = to_nchw(level)
    return {name: np.asarray(array) for name, array in outputs.items()}
