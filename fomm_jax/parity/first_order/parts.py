"""The parts of a first-order model's recording, and how they are compared."""

import itertools
from collections.abc import Iterator, Mapping

import numpy as np
from jax.typing import ArrayLike

from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.parity.animated_clip import AnimatedClip
from fomm_jax.parity.bounds import Bound, TrainingBounds
from fomm_jax.parity.evaluation_parts import compare_clips, compare_evaluation
from fomm_jax.parity.first_order.forward import evaluate_recording
from fomm_jax.parity.recordings import Recording
from fomm_jax.parity.results import Compared
from fomm_jax.parity.tolerances import (
    DECISIVE_RESUMED_STEPS,
    DECISIVE_STEPS,
    EVALUATION_TOLERANCE,
    FREE_STEPS,
    FULL_SIZE_TOLERANCE,
    GRADIENT_TOLERANCE,
    KEYPOINT_TOLERANCE,
    LOSS_TOLERANCE,
    SINGLE_LOSS_TOLERANCE,
    SINGLE_PREDICTION_TOLERANCE,
    STATE_TOLERANCE,
)
from fomm_jax.parity.trainer import Trainer, with_networks
from fomm_jax.parity.training_parts import (
    compare_losses,
    compare_resumed,
    compare_single_step,
    compare_trajectory,
)

TRANSFERS = {
    f"relative_{relative:d}_adapt_scale_{adapt:d}": NormalizationConfig(
        adapt_movement_scale=adapt,
        use_relative_movement=relative,
        use_relative_jacobian=relative,
    )
    for relative, adapt in itertools.product((False, True), repeat=2)
}


def compare_networks(recording: Recording) -> Iterator[Compared]:
    """Compare the outputs of all networks in evaluation mode."""

    def bound(name: str) -> Bound:
        tolerance = EVALUATION_TOLERANCE
        if recording.has_manifest:  # models at full size
            is_keypoint = name.endswith("/value")
            tolerance = KEYPOINT_TOLERANCE if is_keypoint else FULL_SIZE_TOLERANCE
        # The discriminator's feature maps may have values of any size.
        return Bound(tolerance, is_relative=name.startswith("discriminator/"))

    yield from compare_evaluation(recording, "eval", evaluate_recording(recording), bound)


def compare_first_step(recording: Recording) -> Iterator[Compared]:
    """Compare the first step in float32."""
    yield from compare_single_step(recording, _bounds(recording))


def compare_training(recording: Recording) -> Iterator[Compared]:
    """Compare the steps in float64, some of them from a recorded state if rounding decides them."""
    trainer, bounds = Trainer(recording), _bounds(recording)
    if recording.below("float64/"):
        yield from compare_trajectory(trainer, bounds)
        if recording.folder.name in FREE_STEPS:
            yield from _compare_from_recorded_state(trainer)
    if recording.below("resumed_float64/"):
        yield from compare_resumed(trainer, bounds)


def _compare_from_recorded_state(trainer: Trainer) -> Iterator[Compared]:
    recording = trainer.recording
    state, _ = trainer.step(trainer.initial, "float64/step_0")
    recorded = recording.below("float64/step_0/state_after/")
    state = with_networks(state, recorded, recording.config)
    for i in range(1, DECISIVE_STEPS):
        name = f"float64/step_{i}"
        state, step = trainer.step(state, name)
        note = " from the recorded state"
        yield from compare_losses(recording, name, step.losses, LOSS_TOLERANCE, note)


def _bounds(recording: Recording) -> TrainingBounds:
    free_steps = FREE_STEPS.get(recording.folder.name, DECISIVE_STEPS)
    return TrainingBounds(
        single_losses=SINGLE_LOSS_TOLERANCE,
        single_prediction=Bound(SINGLE_PREDICTION_TOLERANCE),
        losses=tuple(LOSS_TOLERANCE if i < free_steps else None for i in range(DECISIVE_STEPS)),
        resumed_losses=(LOSS_TOLERANCE,) * DECISIVE_RESUMED_STEPS,
        state={f"float64/step_{i}": Bound(STATE_TOLERANCE[i]) for i in STATE_TOLERANCE},
        gradients=GRADIENT_TOLERANCE,
    )


def compare_animation(recording: Recording) -> Iterator[Compared]:
    """Compare an animated clip in all four modes of transfer."""

    def arrays(clip: AnimatedClip) -> Mapping[str, tuple[ArrayLike, Bound]]:
        parts = {"prediction": clip.prediction, "kp_value": clip.transferred.value}
        if clip.transferred.jacobian is not None:
            parts["kp_jacobian"] = clip.transferred.jacobian
        return {name: (part, Bound(EVALUATION_TOLERANCE)) for name, part in parts.items()}

    yield from compare_clips(recording, np.float32, TRANSFERS, arrays)
