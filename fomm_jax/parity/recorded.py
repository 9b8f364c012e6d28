"""Our networks and our training against recordings of the original."""

import dataclasses
import math
import pathlib
from collections.abc import Callable, Iterator, Mapping

import jax
import numpy as np

from fomm_jax.animation.compiled_model import CompiledModel
from fomm_jax.animation.movement_scale import movement_scale
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.errors import InputError
from fomm_jax.models.keypoints import Keypoints
from fomm_jax.parity import recordings
from fomm_jax.parity.recordings import Arrays, Recording, Step, Trainer, to_nhwc
from fomm_jax.parity.results import (
    ComparedArray,
    ComparedFrames,
    ComparedLosses,
    Comparison,
    compare_arrays,
)
from fomm_jax.weights.train_state import TrainState

EVALUATION_TOLERANCE = 1e-4  # absolute, of values of the order of 1
# At full size, rounding adds up along longer sums.
FULL_SIZE_TOLERANCE = 1e-3
KEYPOINT_TOLERANCE = 1e-4
LOSS_TOLERANCE = 1e-6  # relative, in float64
SINGLE_LOSS_TOLERANCE = 1e-4  # relative, in float32
# Of a step in float32. Normalising by the batch at 2x2 pixels magnifies rounding: the original's
# own prediction in float32 is up to 2.4e-4 from that in float64.
SINGLE_PREDICTION_TOLERANCE = 4e-4
DECISIVE_STEPS = 5  # of a trajectory in float64; later ones depend on the order of summation
DECISIVE_RESUMED_STEPS = 2
# The recording's own rounding decides step 4 of this one (docs/fidelity.md); its last steps are
# held to the recording by the trajectory from the recorded state.
FREE_STEPS = {"multiscale_kp_discriminator": 4}
# After a step, absolute. Adam moves every parameter by 2e-4 a step, and those whose gradient is
# nothing but rounding, 1e-14 beside its epsilon of 1e-8, by some 1e-9.
STATE_TOLERANCE = {0: 1e-7, 3: 3e-6}

Compared = ComparedArray | ComparedFrames | ComparedLosses


@dataclasses.dataclass(frozen=True)
class AnimatedClip:
    """Driving frames, and the source animated by them."""

    prediction: np.ndarray  # (t, h, w, c) in [0, 1]
    driving: Keypoints  # of batch t, as detected
    transferred: Keypoints  # of batch t, as transferred to the source


def find_recordings(folder: pathlib.Path) -> list[pathlib.Path]:
    """The recordings in a folder: itself, or those below it.

    Raises:
      InputError: there is none.
    """
    found = [
        path
        for path in (folder, *(sorted(folder.iterdir()) if folder.is_dir() else ()))
        if (path / "arrays.npz").is_file()
    ]
    if not found:
        raise InputError(
            f"--reference: {folder} is neither a recording (with arrays.npz and config.yaml), nor a"
            " folder of them, nor a clone of the original"
        )
    return found


def compare_recording(folder: pathlib.Path, checkpoint_file: pathlib.Path | None) -> Comparison:
    """Compare all that is recorded: evaluation, steps of training, animation.

    Args:
      folder: of the recording.
      checkpoint_file: of the original's, for a recording that does not carry its own.

    Raises:
      InputError: a file is missing or damaged, or is of another architecture.
    """
    carries_own = (folder / "checkpoint.pth.tar").is_file()
    if checkpoint_file is not None and carries_own:
        raise InputError(f"--checkpoint: {folder} carries its own; expected none")
    if checkpoint_file is None and not carries_own:
        raise InputError(
            f"{folder}: carries no checkpoint.pth.tar; expected --checkpoint=FILE, which"
            " seeded_weights.py beside the recordings writes"
        )
    recording = Recording(folder, checkpoint_file)
    parts: tuple[tuple[str, bool, Callable[[Recording], Iterator[Compared]]], ...] = (
        ("eval/", False, _evaluation),
        ("float32/", False, _single_step),
        ("float64/", True, _trajectory),
        ("resumed_float64/", True, _resumed),
        ("relative_", False, _animation),
    )
    recorded = [entry for entry in parts if recording.below(entry[0])]
    if not recorded:
        raise InputError(
            f"{folder / 'arrays.npz'}: has nothing to compare; expected arrays whose names begin"
            f" with {', '.join(prefix for prefix, _, _ in parts)}"
        )
    found: list[Compared] = []
    for _, in_float64, part in recorded:
        with jax.enable_x64(in_float64):
            found += part(recording)
    return Comparison(
        arrays=[item for item in found if isinstance(item, ComparedArray)],
        frames=[item for item in found if isinstance(item, ComparedFrames)],
        losses=[item for item in found if isinstance(item, ComparedLosses)],
    )


def _evaluation(recording: Recording) -> Iterator[Compared]:
    found = recordings.evaluate(recording)
    at_full_size = (recording.folder / "manifest.json").is_file()
    if not at_full_size:  # where a part alone was recorded
        for name in found:
            recording.array(f"eval/{name}")
    recorded = recording.below("eval/")
    for name, expected in recorded.items():
        # Feature maps are of any size.
        is_relative = name.startswith("discriminator/")
        tolerance = EVALUATION_TOLERANCE
        if at_full_size:
            is_keypoint = name.endswith("/value")
            tolerance = KEYPOINT_TOLERANCE if is_keypoint else FULL_SIZE_TOLERANCE
        if name not in found:
            raise InputError(f"{recording.folder}: eval/{name} is of no network of its config")
        yield compare_arrays(
            f"eval/{name}", found[name], expected, tolerance, is_relative=is_relative
        )
    if "prediction" in recorded:
        yield _frames(recording, "eval/prediction", found["prediction"])


def _single_step(recording: Recording) -> Iterator[Compared]:
    """The first step in float32. Its gradients are shown: rounding moves pixels across kinks."""
    trainer, name = Trainer(recording), "float32/step_0"
    _, step = trainer.step(trainer.initial, name)
    yield from _losses(recording, "float32", 0, step.losses, SINGLE_LOSS_TOLERANCE)
    pictures = {
        "prediction": (step.prediction, SINGLE_PREDICTION_TOLERANCE),
        "transformed_frame": (step.transformed_frame, EVALUATION_TOLERANCE),
    }
    for picture, (found, tolerance) in pictures.items():
        yield compare_arrays(
            f"{name}/{picture}", found, recording.array(f"{name}/{picture}"), tolerance
        )
    recorded = recording.below(f"{name}/grads/")
    yield from _by_network(f"{name}/grads", step.gradients, recorded, None)
    yield _frames(recording, f"{name}/prediction", step.prediction)


def _trajectory(recording: Recording) -> Iterator[Compared]:
    """All recorded steps in float64, of which the first decide."""
    free = FREE_STEPS.get(recording.folder.name, DECISIVE_STEPS)
    trainer = Trainer(recording)
    after_first = None
    for i, name, step, state in _steps(trainer, trainer.initial, "float64", DECISIVE_STEPS):
        after_first = after_first or state
        tolerance = LOSS_TOLERANCE if i < free else None
        yield from _losses(recording, "float64", i, step.losses, tolerance)
        recorded = recording.below(f"{name}/state_after/")
        yield from _by_network(
            f"{name}/state_after", step.state_after, recorded, STATE_TOLERANCE.get(i)
        )
    if free == DECISIVE_STEPS or after_first is None:
        return
    recorded = recording.below("float64/step_0/state_after/")
    state = recordings.with_networks(after_first, recorded, recording.config)
    for i in range(1, DECISIVE_STEPS):
        state, step = trainer.step(state, f"float64/step_{i}")
        note = " from the recorded state"
        yield from _losses(recording, "float64", i, step.losses, LOSS_TOLERANCE, note)


def _resumed(recording: Recording) -> Iterator[Compared]:
    """Steps in float64 that go on from a checkpoint with optimisers."""
    trainer = Trainer(recording)
    steps = _steps(trainer, trainer.resumed, "resumed_float64", DECISIVE_RESUMED_STEPS)
    for i, _, step, _ in steps:
        tolerance = LOSS_TOLERANCE if i < DECISIVE_RESUMED_STEPS else None
        yield from _losses(recording, "resumed_float64", i, step.losses, tolerance)


def _animation(recording: Recording) -> Iterator[Compared]:
    """A clip by all four ways to carry the motion over; recorded in (t, h, w, c)."""
    model = CompiledModel(recording.model(np.float32), recording.config)
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
            for name, array in arrays.items():
                expected = recording.array(f"{prefix}/{name}")
                tolerance = EVALUATION_TOLERANCE
                yield compare_arrays(f"{prefix}/{name}", np.asarray(array), expected, tolerance)
            yield ComparedFrames(
                f"{prefix}/prediction",
                source=source.repeat(len(driving), axis=0),
                driving=driving,
                original=recording.array(f"{prefix}/prediction"),
                ours=clip.prediction,
                is_clip=True,
            )


def animate_clip(
    model: CompiledModel, source: np.ndarray, driving: np.ndarray, config: NormalizationConfig
) -> AnimatedClip:
    """Animate a clip by the functions that `Animator` runs, and keep what they compute.

    Args:
      model: the trained model.
      source: (1, h, w, c), uint8 or float in [0, 1].
      driving: (t, h, w, c), uint8 or float in [0, 1]; motion is relative to the first frame.
      config: the mode in which motion is transferred.
    """
    encoded = model.encode(source, model.detect(source))
    motion = model.detect(driving)
    initial = jax.tree.map(lambda array: array[:1], motion)
    points = np.asarray(encoded.points[0]), np.asarray(model.points(initial)[0])
    scale = np.float32(movement_scale(*points, config))
    transferred = model.transfer(encoded, motion, initial, scale, config)
    prediction, _ = model.paint(encoded, transferred)
    return AnimatedClip(np.asarray(prediction), motion, transferred)


def _steps(
    trainer: Trainer, state: TrainState, run: str, at_least: int
) -> Iterator[tuple[int, str, Step, TrainState]]:
    """All recorded steps of a run: number, name, step, and the state after it."""
    names = {name.split("/")[0] for name in trainer.recording.below(f"{run}/")}
    for i in range(max(at_least, len(names))):
        name = f"{run}/step_{i}"
        state, step = trainer.step(state, name)
        yield i, name, step, state


def _frames(recording: Recording, name: str, found: np.ndarray) -> ComparedFrames:
    """A prediction (b, c, h, w) of the first pairs."""
    source, driving = recording.pairs(0, np.float32)
    return ComparedFrames(name, source, driving, to_nhwc(recording.array(name)), to_nhwc(found))


def _losses(
    recording: Recording,
    run: str,
    step: int,
    found: Mapping[str, float],
    tolerance: float | None,
    note: str = "",
) -> Iterator[Compared]:
    """Each loss of a step, and all together; `note` tells runs of one recording apart."""
    prefix = f"{run}/step_{step}/losses"
    names = dict.fromkeys((*recording.below(f"{prefix}/"), *found))
    expected = {name: recording.array(f"{prefix}/{name}") for name in names}
    rows = [
        compare_arrays(
            f"{prefix}/{name}{note}",
            np.asarray(found.get(name, math.nan)),
            expected[name],
            tolerance,
            is_relative=True,
        )
        for name in names
    ]
    yield from rows
    yield ComparedLosses(
        f"{run}{note}",
        step,
        original=float(sum(expected.values())),
        ours=sum(found.values()),
        difference=max(row.relative for row in rows),
        tolerance=tolerance,
    )


def _by_network(
    name: str, found: Arrays, recorded: Arrays, tolerance: float | None
) -> Iterator[ComparedArray]:
    """The largest difference among the tensors of each network."""
    for network in recordings.NETWORKS:
        rows = [
            compare_arrays(f"{name}/{network} ({key})", found[key], expected, tolerance)
            for key, expected in recorded.items()
            if key.startswith(f"{network}/")
        ]
        if rows:
            yield max(rows, key=lambda row: row.absolute)
