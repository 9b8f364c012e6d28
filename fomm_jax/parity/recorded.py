"""Compare our networks, our training and our animation with a recording of the original."""

import math
import pathlib
from collections.abc import Callable, Iterator, Mapping

import jax
import numpy as np

from fomm_jax.animation.compiled_model import CompiledModel
from fomm_jax.buckets import AnyPath
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.errors import InputError
from fomm_jax.ops.convolution import ONE_CPU
from fomm_jax.parity.animated_clip import animate_clip
from fomm_jax.parity.forward import evaluate_recording
from fomm_jax.parity.recordings import Arrays, Recording, to_nhwc
from fomm_jax.parity.results import (
    ComparedArray,
    ComparedFrames,
    ComparedLosses,
    Comparison,
    compare_arrays,
)
from fomm_jax.parity.tolerances import (
    DECISIVE_RESUMED_STEPS,
    DECISIVE_STEPS,
    EVALUATION_TOLERANCE,
    FREE_STEPS,
    FULL_SIZE_TOLERANCE,
    KEYPOINT_TOLERANCE,
    LOSS_TOLERANCE,
    SINGLE_LOSS_TOLERANCE,
    SINGLE_PREDICTION_TOLERANCE,
    STATE_TOLERANCE,
)
from fomm_jax.parity.trainer import Step, Trainer, with_networks
from fomm_jax.weights.train_state import TrainState

Compared = ComparedArray | ComparedFrames | ComparedLosses


def compare_recording(folder: pathlib.Path, checkpoint: "AnyPath | None") -> Comparison:
    """Compare with everything in a recording: evaluation, training steps, animation.

    Args:
      folder: the folder of the recording.
      checkpoint: the original's checkpoint file, for a recording without one of its own.

    Raises:
      InputError: a file is missing, damaged or of another architecture.
    """
    has_own = (folder / "checkpoint.pth.tar").is_file()
    if checkpoint is not None and has_own:
        raise InputError(f"checkpoint: expected none, because {folder} has one of its own")
    if checkpoint is None and not has_own:
        raise InputError(
            f"checkpoint: expected a file, because {folder} has no checkpoint.pth.tar;"
            " seeded_weights.py beside the recordings writes one"
        )
    recording = Recording(folder, checkpoint)
    # (beginning of the arrays' names, whether in float64, function that compares them)
    parts: tuple[tuple[str, bool, Callable[[Recording], Iterator[Compared]]], ...] = (
        ("eval/", False, _compare_evaluation),
        ("float32/", False, _compare_single_step),
        ("float64/", True, _compare_trajectory),
        ("resumed_float64/", True, _compare_resumed),
        ("relative_", False, _compare_animation),
    )
    recorded_parts = [part for part in parts if recording.below(part[0])]
    if not recorded_parts:
        raise InputError(
            f"{folder / 'arrays.npz'}: has nothing to compare; expected arrays whose names begin"
            f" with {', '.join(prefix for prefix, _, _ in parts)}"
        )
    results: list[Compared] = []
    for _, in_float64, compare in recorded_parts:
        with jax.enable_x64(in_float64):
            results += compare(recording)
    return Comparison(
        arrays=[result for result in results if isinstance(result, ComparedArray)],
        frames=[result for result in results if isinstance(result, ComparedFrames)],
        losses=[result for result in results if isinstance(result, ComparedLosses)],
    )


def _compare_evaluation(recording: Recording) -> Iterator[Compared]:
    """Compare the outputs of all networks in evaluation mode."""
    outputs = evaluate_recording(recording)
    at_full_size = (recording.folder / "manifest.json").is_file()
    if not at_full_size:  # at full size, only a part of the outputs was recorded
        for name in outputs:
            recording.array(f"eval/{name}")
    recorded = recording.below("eval/")
    for name, expected in recorded.items():
        if name not in outputs:
            raise InputError(
                f"{recording.folder}: eval/{name} is not an output of the networks in config.yaml"
            )
        tolerance = EVALUATION_TOLERANCE
        if at_full_size:
            is_keypoint = name.endswith("/value")
            tolerance = KEYPOINT_TOLERANCE if is_keypoint else FULL_SIZE_TOLERANCE
        # The discriminator's feature maps may have values of any size.
        is_relative = name.startswith("discriminator/")
        yield compare_arrays(
            f"eval/{name}", outputs[name], expected, tolerance, is_relative=is_relative
        )
    if "prediction" in recorded:
        yield _compare_frames(recording, "eval/prediction", outputs["prediction"])


def _compare_single_step(recording: Recording) -> Iterator[Compared]:
    """Compare the first step in float32.

    The gradients have no tolerance: in float32, rounding moves pixels across the kinks of
    rectifiers, warps and absolute values.
    """
    trainer, name = Trainer(recording), "float32/step_0"
    _, step = trainer.step(trainer.initial, name)
    yield from _compare_losses(recording, name, step.losses, SINGLE_LOSS_TOLERANCE)
    pictures = {
        "prediction": (step.prediction, SINGLE_PREDICTION_TOLERANCE),
        "transformed_frame": (step.transformed_frame, EVALUATION_TOLERANCE),
    }
    for key, (picture, tolerance) in pictures.items():
        yield compare_arrays(f"{name}/{key}", picture, recording.array(f"{name}/{key}"), tolerance)
    recorded = recording.below(f"{name}/grads/")
    yield from _compare_networks(f"{name}/grads", step.gradients, recorded, None)
    yield _compare_frames(recording, f"{name}/prediction", step.prediction)


def _compare_trajectory(recording: Recording) -> Iterator[Compared]:
    """Compare all recorded steps in float64, of which the first ones have tolerances."""
    free_steps = FREE_STEPS.get(recording.folder.name, DECISIVE_STEPS)
    trainer = Trainer(recording)
    after_first = None
    steps = _train(trainer, trainer.initial, "float64", DECISIVE_STEPS)
    for i, (name, step, state) in enumerate(steps):
        after_first = after_first or state
        tolerance = LOSS_TOLERANCE if i < free_steps else None
        yield from _compare_losses(recording, name, step.losses, tolerance)
        recorded = recording.below(f"{name}/state_after/")
        yield from _compare_networks(
            f"{name}/state_after", step.state_after, recorded, STATE_TOLERANCE.get(i)
        )
    if free_steps == DECISIVE_STEPS or after_first is None:
        return
    recorded = recording.below("float64/step_0/state_after/")
    state = with_networks(after_first, recorded, recording.config)
    note = " from the recorded state"
    for i in range(1, DECISIVE_STEPS):
        name = f"float64/step_{i}"
        state, step = trainer.step(state, name)
        yield from _compare_losses(recording, name, step.losses, LOSS_TOLERANCE, note)


def _compare_resumed(recording: Recording) -> Iterator[Compared]:
    """Compare the steps in float64 that continue from a checkpoint with optimisers."""
    trainer = Trainer(recording)
    steps = _train(trainer, trainer.resumed, "resumed_float64", DECISIVE_RESUMED_STEPS)
    for i, (name, step, _) in enumerate(steps):
        tolerance = LOSS_TOLERANCE if i < DECISIVE_RESUMED_STEPS else None
        yield from _compare_losses(recording, name, step.losses, tolerance)


def _compare_animation(recording: Recording) -> Iterator[Compared]:
    """Compare an animated clip in all four modes of transfer; its pictures are (t, h, w, c)."""
    model = CompiledModel(recording.model(np.float32), recording.config, ONE_CPU)
    source, driving = recording.array("source")[None], recording.array("driving")
    for relative in (False, True):
        for adapt in (False, True):
            config = NormalizationConfig(
                adapt_movement_scale=adapt,
                use_relative_movement=relative,
                use_relative_jacobian=relative,
            )
            prefix = f"relative_{relative:d}_adapt_scale_{adapt:d}"
            clip = animate_clip(model, source, driving, config)
            arrays = {"prediction": clip.prediction, "kp_value": clip.transferred.value}
            if clip.transferred.jacobian is not None:
                arrays["kp_jacobian"] = clip.transferred.jacobian
            for key, array in arrays.items():
                name = f"{prefix}/{key}"
                expected = recording.array(name)
                yield compare_arrays(name, np.asarray(array), expected, EVALUATION_TOLERANCE)
            yield ComparedFrames(
                f"{prefix}/prediction",
                source=source.repeat(len(driving), axis=0),
                driving=driving,
                original=recording.array(f"{prefix}/prediction"),
                ours=clip.prediction,
                is_clip=True,
            )


def _train(
    trainer: Trainer, state: TrainState, run: str, at_least: int
) -> Iterator[tuple[str, Step, TrainState]]:
    """Train through the recorded steps of a run.

    Args:
      trainer: the training of the recording.
      state: the state before the run.
      run: the name of the run, such as `float64`.
      at_least: the number of steps that must be recorded; a missing one is an InputError.

    Yields:
      The name of each step, its results, and the state after it.
    """
    recorded = {name.split("/")[0] for name in trainer.recording.below(f"{run}/")}
    for i in range(max(at_least, len(recorded))):
        name = f"{run}/step_{i}"
        state, step = trainer.step(state, name)
        yield name, step, state


def _compare_frames(recording: Recording, name: str, prediction: np.ndarray) -> ComparedFrames:
    """Pair a prediction (b, c, h, w) from the first pairs with the recorded one."""
    source, driving = recording.pairs(0, np.float32)
    original = to_nhwc(recording.array(name))
    return ComparedFrames(name, source, driving, original, to_nhwc(prediction))


def _compare_losses(
    recording: Recording,
    step_name: str,
    losses: Mapping[str, float],
    tolerance: float | None,
    note: str = "",
) -> Iterator[Compared]:
    """Compare each loss of a step, and all of them together.

    Args:
      recording: the recording to compare with.
      step_name: the name of the step, such as `float64/step_0`.
      losses: the losses of this project.
      tolerance: the largest allowed relative difference. None if the losses are only shown.
      note: an addition to the names, which tells several runs over the same steps apart.
    """
    prefix = f"{step_name}/losses"
    names = dict.fromkeys((*recording.below(f"{prefix}/"), *losses))
    expected = {name: recording.array(f"{prefix}/{name}") for name in names}
    rows = [
        compare_arrays(
            f"{prefix}/{name}{note}",
            np.asarray(losses.get(name, math.nan)),
            expected[name],
            tolerance,
            is_relative=True,
        )
        for name in names
    ]
    yield from rows
    run, _, number = step_name.partition("/step_")
    yield ComparedLosses(
        f"{run}{note}",
        int(number),
        original=float(sum(expected.values())),
        ours=sum(losses.values()),
        difference=max(row.relative for row in rows),
        tolerance=tolerance,
    )


def _compare_networks(
    name: str, arrays: Arrays, recorded: Arrays, tolerance: float | None
) -> Iterator[ComparedArray]:
    """Compare the tensors of each network, and yield the one with the largest difference."""
    for network in dict.fromkeys(key.split("/")[0] for key in recorded):
        rows = [
            compare_arrays(f"{name}/{network} ({key})", arrays[key], expected, tolerance)
            for key, expected in recorded.items()
            if key.startswith(f"{network}/")
        ]
        if rows:
            yield max(rows, key=lambda row: row.absolute)
