"""The parts of a thin-plate spline model's recording, and how they are compared."""

from collections.abc import Iterator, Mapping

import numpy as np
from jax.typing import ArrayLike

from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.parity.animated_clip import AnimatedClip
from fomm_jax.parity.bounds import Bound
from fomm_jax.parity.evaluation_parts import compare_clips, compare_evaluation
from fomm_jax.parity.recordings import DType, Recording
from fomm_jax.parity.results import Compared
from fomm_jax.parity.thin_plate.forward import evaluate_recording
from fomm_jax.parity.thin_plate.recording import AvdRecording
from fomm_jax.parity.thin_plate.tolerances import (
    AVD_TRAINING,
    FLOAT32,
    FLOAT32_FILM,
    FLOAT64,
    FULL_SIZE,
    TRAINING,
    bound_at_full_size,
    bound_in_float32,
)
from fomm_jax.parity.trainer import Trainer
from fomm_jax.parity.training_parts import compare_resumed, compare_single_step, compare_trajectory

# The original's names of the modes of its demo.
TRANSFERS = {
    "standard": NormalizationConfig(use_relative_movement=False, use_relative_jacobian=False),
    "relative": NormalizationConfig(adapt_movement_scale=True),
    "avd": NormalizationConfig(use_avd=True),
}


def compare_networks(recording: Recording) -> Iterator[Compared]:
    """Compare the outputs of all networks in evaluation mode, in float32."""
    at_full_size = recording.config.dataset.frame_shape[0] >= FULL_SIZE
    bound = bound_at_full_size if at_full_size else bound_in_float32
    outputs = evaluate_recording(recording, np.float32)
    yield from compare_evaluation(recording, "eval", outputs, bound)


def compare_networks_in_float64(recording: Recording) -> Iterator[Compared]:
    """Compare the same outputs in float64."""
    outputs = evaluate_recording(recording, np.float64)
    bound = Bound(FLOAT64, is_relative=True)
    yield from compare_evaluation(recording, "eval_float64", outputs, lambda name: bound)


def compare_first_step(recording: Recording) -> Iterator[Compared]:
    """Compare the first step in float32."""
    yield from compare_single_step(recording, TRAINING)


def compare_training(recording: Recording) -> Iterator[Compared]:
    """Compare the steps in float64: from the start, and from a checkpoint with optimisers."""
    trainer = Trainer(recording)
    if recording.below("float64/"):
        yield from compare_trajectory(trainer, TRAINING)
    if recording.below("resumed_float64/"):
        yield from compare_resumed(trainer, TRAINING)


def compare_avd_training(recording: Recording) -> Iterator[Compared]:
    """Compare the training of the AVD network in float64, from the pictures on."""
    of_avd = AvdRecording(recording.folder, recording.checkpoint_file)
    yield from compare_trajectory(Trainer(of_avd), AVD_TRAINING, "avd_float64")


def compare_animation(recording: Recording) -> Iterator[Compared]:
    """Compare an animated clip in the three modes of transfer, in float32."""
    yield from _compare_clips(recording, np.float32, FLOAT32_FILM)


def compare_animation_in_float64(recording: Recording) -> Iterator[Compared]:
    """Animate the clip in float64, which is as far from the recording as that is from itself."""
    yield from _compare_clips(recording, np.float64, Bound(FLOAT32["prediction"], is_relative=True))


def _compare_clips(recording: Recording, dtype: DType, bound: Bound) -> Iterator[Compared]:
    def arrays(clip: AnimatedClip) -> Mapping[str, tuple[ArrayLike, Bound]]:
        points = Bound(FLOAT32["kp_driving"], is_relative=True)
        return {
            "prediction": (clip.prediction, bound),
            "fg_kp": (clip.transferred.value, points),
        }

    yield from compare_clips(recording, dtype, TRANSFERS, arrays)
