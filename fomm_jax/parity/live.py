"""Compare our networks with the original's from a clone, on the same weights and pictures."""

import dataclasses
import functools
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from fomm_jax.config.schema import CompatConfig, Config
from fomm_jax.errors import naming
from fomm_jax.parity import original
from fomm_jax.parity.forward import compile_evaluation
from fomm_jax.parity.recordings import Arrays, as_floats, to_nhwc
from fomm_jax.parity.results import (
    ComparedArray,
    ComparedFrames,
    Comparison,
    Timing,
    compare_arrays,
)
from fomm_jax.parity.tolerances import FULL_SIZE_TOLERANCE, KEYPOINT_TOLERANCE
from fomm_jax.weights.torch.from_original import load_networks, read_original

TIMED_RUNS = 5
KEYPOINTS = ("kp_source/value", "kp_driving/value")


def compare_with_original(
    clone: Path, config: Config, checkpoint: str, source: np.ndarray, driving: np.ndarray
) -> Iterator[Comparison]:
    """Evaluate both implementations on a pair, and yield a comparison for each setting.

    The settings are `compat.align_corners` False and then True, in both implementations.

    Args:
      clone: the folder of the original's repository.
      config: the architecture.
      checkpoint: the path of the original's checkpoint.
      source: the source picture, (h, w, c) uint8.
      driving: the driving frame, (h, w, c) uint8.

    Raises:
      InputError: `clone` is not a clone, or the checkpoint cannot be read or has another
        architecture.
    """
    load = os.getloadavg()[0]
    networks = original.make_networks(clone, config)
    weights = read_original(checkpoint)
    with naming(checkpoint):
        model = load_networks(config, weights)
        original.load_weights(networks, weights)
    pair = source[None], driving[None]
    source_floats, driving_floats = (as_floats(frames, np.float32) for frames in pair)
    for align_corners in (False, True):
        setting = dataclasses.replace(config, compat=CompatConfig(align_corners=align_corners))
        evaluate = compile_evaluation(setting, model)
        expected, original_seconds = _measure(
            functools.partial(original.evaluate, networks, *pair, align_corners)
        )
        outputs, our_seconds = _measure(functools.partial(evaluate, source_floats, driving_floats))
        frames = ComparedFrames(
            "prediction",
            source=source_floats,
            driving=driving_floats,
            original=to_nhwc(expected["prediction"]),
            ours=to_nhwc(outputs["prediction"]),
        )
        arrays = _compare_outputs(outputs, expected, "discriminator" in weights)
        timing = Timing(align_corners, our_seconds, original_seconds, load, os.cpu_count() or 1)
        yield Comparison(arrays, [frames], timing=timing)


def _compare_outputs(
    outputs: Arrays, expected: Arrays, has_discriminator: bool
) -> list[ComparedArray]:
    """Compare the outputs of the networks by name.

    Args:
      outputs: this project's outputs.
      expected: the original's outputs.
      has_discriminator: whether both discriminators have the weights of the checkpoint. Otherwise
        both are random, and their outputs are left out.
    """
    rows = []
    for name in sorted(expected):
        is_discriminator = name.startswith("discriminator/")
        if is_discriminator and not has_discriminator:
            continue
        tolerance = KEYPOINT_TOLERANCE if name in KEYPOINTS else FULL_SIZE_TOLERANCE
        # The discriminator's feature maps may have values of any size.
        is_relative = is_discriminator
        rows.append(
            compare_arrays(name, outputs[name], expected[name], tolerance, is_relative=is_relative)
        )
    return rows


def _measure(evaluate: Callable[[], Arrays]) -> tuple[Arrays, float]:
    """Return the outputs, and the median seconds of the runs after the first, which may compile."""
    outputs, times = evaluate(), []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        evaluate()
        times.append(time.perf_counter() - start)
    return outputs, statistics.median(times)
