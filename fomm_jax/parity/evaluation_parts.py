"""Compare networks in evaluation mode, and animated clips, with what a recording has of them."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from jax.typing import ArrayLike

from fomm_jax.animation.compiled_model import CompiledModel
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.errors import InputError
from fomm_jax.ops.convolution import ONE_CPU
from fomm_jax.parity.animated_clip import AnimatedClip, animate_clip
from fomm_jax.parity.bounds import Bound
from fomm_jax.parity.recordings import Arrays, DType, Recording, recorded_form, to_nhwc
from fomm_jax.parity.results import Compared, ComparedArray, ComparedFrames, compare_arrays


def compare_evaluation(
    recording: Recording, part: str, outputs: Arrays, bound: Callable[[str], Bound]
) -> Iterator[Compared]:
    """Compare the outputs of all networks.

    Args:
      recording: the recording.
      part: the beginning of the names of its arrays, such as `eval`.
      outputs: our outputs by the rest of the name.
      bound: from such a name to the allowed difference.

    Raises:
      InputError: the recording has an output of other networks, or lacks one; at full size, where
        weights are drawn from a manifest, it may lack some.
    """
    recorded = recording.below(f"{part}/")
    names = {name.removesuffix("/norm").removesuffix("/samples") for name in recorded}
    if others := sorted(names - outputs.keys()):
        raise InputError(
            f"{recording.folder}: {part}/{others[0]} is not an output of the networks in"
            " config.yaml"
        )
    if not recording.has_manifest:
        for name in sorted(outputs.keys() - names):
            recording.array(f"{part}/{name}")
    for name, expected in recorded.items():
        yield compare_within(f"{part}/{name}", recorded_form(name, outputs), expected, bound(name))
    if "prediction" in recorded:
        yield compare_frames(recording, f"{part}/prediction", outputs["prediction"])


def compare_within(
    array: str, ours: np.ndarray, original: np.ndarray, bound: Bound
) -> ComparedArray:
    """Compare an array, by its name, with the original's."""
    return compare_arrays(
        array,
        ours,
        original,
        bound.tolerance,
        is_relative=bound.is_relative,
        percentile=bound.percentile,
    )


def compare_frames(recording: Recording, name: str, prediction: np.ndarray) -> ComparedFrames:
    """Pair a prediction (b, c, h, w) from the first pairs with the recorded one."""
    source, driving = recording.pairs(0, np.float32)
    original = to_nhwc(recording.array(name))
    return ComparedFrames(name, source, driving, original, to_nhwc(prediction))


def compare_clips(
    recording: Recording,
    dtype: DType,
    modes: Mapping[str, NormalizationConfig],
    arrays: Callable[[AnimatedClip], Mapping[str, tuple[ArrayLike, Bound]]],
) -> Iterator[Compared]:
    """Compare a clip that is animated in several modes; its pictures are (t, h, w, c).

    Args:
      recording: the recording, which is in float32.
      dtype: the precision in which we animate, JAX's default one.
      modes: the modes of transfer, by the beginning of the names of recorded arrays.
      arrays: from our clip to its arrays by the rest of the name, with their bounds. `prediction`
        is among them.
    """
    model = CompiledModel(recording.model(dtype), recording.config, ONE_CPU)
    frames = recording.array("source")[None], recording.array("driving")
    source, driving = (array.astype(dtype) for array in frames)
    note = "" if dtype is np.float32 else " in float64"
    for mode, config in modes.items():
        clip = animate_clip(model, source, driving, config)
        for key, (array, bound) in arrays(clip).items():
            name = f"{mode}/{key}"
            yield compare_within(f"{name}{note}", np.asarray(array), recording.array(name), bound)
        if dtype is np.float32:
            yield ComparedFrames(
                f"{mode}/prediction",
                source=source.repeat(len(driving), axis=0),
                driving=driving,
                original=recording.array(f"{mode}/prediction"),
                ours=clip.prediction,
                is_clip=True,
            )
