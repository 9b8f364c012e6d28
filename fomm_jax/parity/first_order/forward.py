"""Our networks in evaluation mode, with outputs that have the names and axes of the recordings."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from flax import nnx

from fomm_jax.config.schema import Config
from fomm_jax.models.build import abstract_model
from fomm_jax.models.discriminator import DiscriminatorOutput
from fomm_jax.models.first_order.keypoints import Keypoints
from fomm_jax.models.motion_model import MotionModel
from fomm_jax.ops import geometry
from fomm_jax.ops.convolution import ONE_CPU
from fomm_jax.parity.recordings import Arrays, Recording, to_nchw
from fomm_jax.types import GeneratorOutput


def evaluate_recording(recording: Recording) -> Arrays:
    """Run the recorded model on the first pairs, in float32.

    Returns:
      The outputs by their recorded names, without `eval/`.
    """
    source, driving = recording.pairs(0, np.float32)
    return compile_evaluation(recording.config, recording.model(np.float32))(source, driving)


def compile_evaluation(
    config: Config, model: MotionModel
) -> Callable[[np.ndarray, np.ndarray], Arrays]:
    """Compile all networks of a model, with the forms of convolution for one CPU.

    Args:
      config: the configuration, which also says how the networks compute (`config.compat`).
      model: the model whose weights they have.

    Returns:
      A function of source and driving frames (b, h, w, c) in [0, 1]. It returns the outputs of all
      networks by their recorded names, in PyTorch's order of axes.
    """
    definition, state = nnx.graphdef(abstract_model(config, ONE_CPU)), nnx.state(model)

    @jax.jit
    def run(state: nnx.State, source: jax.Array, driving: jax.Array) -> Any:
        model: MotionModel = nnx.merge(definition, state)
        assert model.discriminator is not None, "every checkpoint of the original has one"
        source_motion = model.detect(source, train=False)
        driving_motion = model.detect(driving, train=False)
        features = model.encode(source, train=False)
        dense_motion = model.flow(source, source_motion, driving_motion, train=False)
        generated = model.generate(source, features, dense_motion, train=False)
        points = model.points(driving_motion)
        discriminated = model.discriminator(driving, points, train=False)
        pyramid = geometry.image_pyramid(
            driving, config.train.scales, config.compat.antialias_sigma
        )
        return source_motion, driving_motion, generated, discriminated, pyramid

    return lambda source, driving: _by_recorded_name(config, *run(state, source, driving))


def _by_recorded_name(
    config: Config,
    source_keypoints: Keypoints,
    driving_keypoints: Keypoints,
    generated: GeneratorOutput,
    discriminated: Sequence[DiscriminatorOutput],
    pyramid: Sequence[jax.Array],
) -> Arrays:
    """Name the outputs of the networks as the recordings do, and order their axes alike."""
    motion = generated.dense_motion
    outputs = {
        "kp_source/value": source_keypoints.value,
        "kp_driving/value": driving_keypoints.value,
        "mask": to_nchw(motion.mask),
        "sparse_deformed": np.moveaxis(np.asarray(motion.sparse_deformed), -1, 2),
        "deformation": motion.deformation,
        "deformed": to_nchw(generated.deformed),
        "prediction": to_nchw(generated.prediction),
    }
    if config.model.estimate_jacobian:
        outputs["kp_source/jacobian"] = source_keypoints.jacobian
        outputs["kp_driving/jacobian"] = driving_keypoints.jacobian
    if config.model.generator.estimate_occlusion_map:
        (occlusion_map,) = motion.occlusion_maps
        outputs["occlusion_map"] = to_nchw(occlusion_map)
    for scale, level in zip(config.train.scales, pyramid, strict=True):
        outputs[f"pyramid/prediction_{scale:g}"] = to_nchw(level)
    for scale, output in zip(config.model.discriminator.scales, discriminated, strict=True):
        outputs[f"discriminator/prediction_map_{scale:g}"] = to_nchw(output.prediction_map)
        for i, feature_map in enumerate(output.feature_maps):
            outputs[f"discriminator/feature_maps_{scale:g}/{i}"] = to_nchw(feature_map)
    return {name: np.asarray(array) for name, array in outputs.items()}
