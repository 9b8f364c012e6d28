"""Compare our networks, our training and our animation with a recording of an original."""

import pathlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax

from fomm_jax.buckets import AnyPath
from fomm_jax.config.original_yaml import read_original_yaml
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.errors import InputError
from fomm_jax.parity.first_order import parts as first_order
from fomm_jax.parity.recordings import Recording
from fomm_jax.parity.results import (
    Compared,
    ComparedArray,
    ComparedFrames,
    ComparedLosses,
    Comparison,
)
from fomm_jax.parity.thin_plate import parts as thin_plate
from fomm_jax.parity.thin_plate.recording import ThinPlateRecording


class Part(NamedTuple):
    """A part of a recording: what it is compared by, if it has such arrays."""

    prefixes: tuple[str, ...]  # beginnings of the arrays' names
    in_float64: bool
    compare: Callable[[Recording], Iterator[Compared]]


class Kind(NamedTuple):
    """What is in the recordings of a model."""

    recording: type[Recording]
    parts: tuple[Part, ...]


# By `config.model.name`. A new model is one entry.
KINDS = {
    "first-order": Kind(
        Recording,
        (
            Part(("eval/",), False, first_order.compare_networks),
            Part(("float32/",), False, first_order.compare_first_step),
            Part(("float64/", "resumed_float64/"), True, first_order.compare_training),
            Part(("relative_",), False, first_order.compare_animation),
        ),
    ),
    "thin-plate": Kind(
        ThinPlateRecording,
        (
            Part(("eval/",), False, thin_plate.compare_networks),
            Part(("eval_float64/",), True, thin_plate.compare_networks_in_float64),
            Part(("float32/",), False, thin_plate.compare_first_step),
            Part(("float64/", "resumed_float64/"), True, thin_plate.compare_training),
            Part(("avd_float64/",), True, thin_plate.compare_avd_training),
            Part(("standard/",), False, thin_plate.compare_animation),
            Part(("standard/",), True, thin_plate.compare_animation_in_float64),
        ),
    ),
}


def kind_of(folder: pathlib.Path) -> Kind:
    """Return what is in a recording, by the model that its `config.yaml` describes.

    Raises:
      InputError: the file is missing or cannot be used.
    """
    return KINDS[from_config_dict(read_original_yaml(str(folder / "config.yaml"))).model.name]


def compare_recording(folder: pathlib.Path, checkpoint: "AnyPath | None") -> Comparison:
    """Compare with everything in a recording: evaluation, training steps, animation.

    Args:
      folder: the folder of the recording.
      checkpoint: the original's checkpoint file, in place of weights that are drawn from the
        recording's manifest.

    Raises:
      InputError: a file is missing, damaged or of another architecture.
    """
    kind = kind_of(folder)
    recording = kind.recording(folder, checkpoint)
    if checkpoint is not None and recording.has_checkpoint:
        raise InputError(f"checkpoint: expected none, because {folder} has one of its own")
    if checkpoint is None and not (recording.has_checkpoint or recording.has_manifest):
        raise InputError(
            f"checkpoint: expected a file, because {folder} has neither checkpoint.pth.tar nor a"
            " manifest.json to draw weights from"
        )
    recorded_parts = [part for part in kind.parts if any(map(recording.below, part.prefixes))]
    if not recorded_parts:
        beginnings = ", ".join(prefix for part in kind.parts for prefix in part.prefixes)
        raise InputError(
            f"{folder / 'arrays.npz'}: has nothing to compare; expected arrays whose names begin"
            f" with {beginnings}"
        )
    results: list[Compared] = []
    for part in recorded_parts:
        with jax.enable_x64(part.in_float64):
            results += part.compare(recording)
    return Comparison(
        arrays=[result for result in results if isinstance(result, ComparedArray)],
        frames=[result for result in results if isinstance(result, ComparedFrames)],
        losses=[result for result in results if isinstance(result, ComparedLosses)],
    )
