"""Compare our training with the steps that a recording has."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from fomm_jax.parity.bounds import Bound, TrainingBounds
from fomm_jax.parity.evaluation_parts import compare_frames, compare_within
from fomm_jax.parity.recordings import Arrays, Recording, recorded_form
from fomm_jax.parity.results import Compared, ComparedArray, ComparedLosses, compare_arrays
from fomm_jax.parity.tolerances import EVALUATION_TOLERANCE
from fomm_jax.parity.trainer import Step, Trainer
from fomm_jax.weights.train_state import TrainState

# A gradient that is 0 except for rounding, such as that of a bias before a normalisation, is at
# most this share of the largest gradient in the same network.
ZERO_GRADIENT = 1e-10


def compare_single_step(recording: Recording, bounds: TrainingBounds) -> Iterator[Compared]:
    """Compare the first step in float32.

    The gradients have no tolerance: in float32, rounding moves pixels across the kinks of
    rectifiers, warps and absolute values.
    """
    trainer, name = Trainer(recording), "float32/step_0"
    _, step = trainer.step(trainer.initial, name)
    yield from compare_losses(recording, name, step.losses, bounds.single_losses)
    pictures = f"{name}/prediction", f"{name}/transformed_frame"
    expected = recording.array(pictures[0])
    yield compare_within(
        pictures[0], step.pictures["prediction"], expected, bounds.single_prediction
    )
    if pictures[1] in recording.arrays:
        bound, expected = Bound(EVALUATION_TOLERANCE), recording.array(pictures[1])
        yield compare_within(pictures[1], step.pictures["transformed_frame"], expected, bound)
    recorded = recording.below(f"{name}/grads/")
    yield from _compare_networks(f"{name}/grads", step.gradients, recorded, Bound(None))
    yield compare_frames(recording, f"{name}/prediction", step.pictures["prediction"])


def compare_trajectory(
    trainer: Trainer, bounds: TrainingBounds, run: str = "float64"
) -> Iterator[Compared]:
    """Compare all recorded steps of a run in float64, of which the first ones have tolerances."""
    recording = trainer.recording
    for i, (name, step) in enumerate(_train(trainer, trainer.initial, run)):
        yield from _compare_step(recording, name, step, _at(bounds.losses, i), bounds)
        if i == 0:
            yield from _compare_gradients(recording, name, step, bounds.gradients)


def compare_resumed(trainer: Trainer, bounds: TrainingBounds) -> Iterator[Compared]:
    """Compare the steps in float64 that continue from a checkpoint with optimisers."""
    recording, tolerances = trainer.recording, bounds.resumed_losses
    for i, (name, step) in enumerate(_train(trainer, trainer.resumed, "resumed_float64")):
        yield from _compare_step(recording, name, step, _at(tolerances, i), bounds)


def _at(tolerances: Sequence[float | None], step: int) -> float | None:
    """Return the tolerance of a step; None after those that decide."""
    return tolerances[step] if step < len(tolerances) else None


def _train(trainer: Trainer, state: TrainState, run: str) -> Iterator[tuple[str, Step]]:
    """Train through the recorded steps of a run.

    Args:
      trainer: the training of the recording.
      state: the state before the run.
      run: the name of the run, such as `float64`.

    Yields:
      The name of each step, and its results.
    """
    names = {name.split("/")[0] for name in trainer.recording.below(f"{run}/")}
    for i in range(sum(name.startswith("step_") for name in names)):
        name = f"{run}/step_{i}"
        state, step = trainer.step(state, name)
        yield name, step


def _compare_step(
    recording: Recording, name: str, step: Step, tolerance: float | None, bounds: TrainingBounds
) -> Iterator[Compared]:
    """Compare the losses of a step, and the networks after it where they were recorded."""
    yield from compare_losses(recording, name, step.losses, tolerance)
    recorded = recording.below(f"{name}/state_after/")
    bound = bounds.state.get(name, Bound(None))
    yield from _compare_networks(f"{name}/state_after", step.state_after, recorded, bound)


def compare_losses(
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
      losses: the losses of this project. One that is 0 need not be recorded.
      tolerance: the largest allowed relative difference. None if the losses are only shown.
      note: an addition to the names, which tells several runs over the same steps apart.
    """
    prefix = f"{step_name}/losses"
    ours = [name for name in losses if losses[name] != 0]
    names = dict.fromkeys((*recording.below(f"{prefix}/"), *ours))
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
    name: str, arrays: Arrays, recorded: Arrays, bound: Bound
) -> Iterator[ComparedArray]:
    """Compare the tensors of each network, and yield the one with the largest difference."""
    for network in dict.fromkeys(key.split("/")[0] for key in recorded):
        rows = [
            compare_arrays(
                f"{name}/{network} ({key})",
                recorded_form(key, arrays),
                expected,
                bound.tolerance,
                is_relative=bound.is_relative,
            )
            for key, expected in recorded.items()
            if key.startswith(f"{network}/")
        ]
        if rows:
            yield max(rows, key=lambda row: row.relative if bound.is_relative else row.absolute)


def _compare_gradients(
    recording: Recording, name: str, step: Step, tolerance: float
) -> Iterator[ComparedArray]:
    """Compare the gradients of each network: the worst one, and the worst of those that are 0."""
    recorded = recording.below(f"{name}/grads/")
    for network in dict.fromkeys(key.split("/")[0] for key in recorded):
        ours = {key: step.gradients[key] for key in step.gradients if key.startswith(network)}
        floor = ZERO_GRADIENT * max(float(np.abs(array).max()) for array in ours.values())
        others, zeros = [], []
        for key, expected in recorded.items():
            if not key.startswith(f"{network}/"):
                continue
            row = compare_arrays(
                f"{name}/grads/{network} ({key})", recorded_form(key, ours), expected, tolerance
            )
            if np.abs(expected).max() <= floor:
                zeros.append(dataclasses.replace(row, tolerance=2 * floor))
            else:
                others.append(dataclasses.replace(row, is_relative=True))
        if others:
            yield max(others, key=lambda row: row.relative)
        if zeros:
            yield max(zeros, key=lambda row: row.absolute)
