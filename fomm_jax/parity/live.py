"""Compare our networks with an original's from a clone, on the same weights and pictures."""

import dataclasses
import functools
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from fomm_jax.config.schema import Config
from fomm_jax.errors import naming
from fomm_jax.models.motion_model import MotionModel
from fomm_jax.parity.clones import recognise_clone
from fomm_jax.parity.evaluation_parts import compare_within
from fomm_jax.parity.first_order import forward as first_order_forward
from fomm_jax.parity.first_order import original as first_order_original
from fomm_jax.parity.recordings import Arrays, as_floats, to_nhwc
from fomm_jax.parity.results import ComparedFrames, Comparison, Timing
from fomm_jax.parity.thin_plate import forward as thin_plate_forward
from fomm_jax.parity.thin_plate import original as thin_plate_original
from fomm_jax.weights.torch.from_original import load_networks, read_original

TIMED_RUNS = 5


class Sides(NamedTuple):
    """What runs the original of a model, and what compiles ours."""

    original: ModuleType
    compile_evaluation: Callable[[Config, MotionModel], Callable[[np.ndarray, np.ndarray], Arrays]]


SIDES = {
    "first-order": Sides(first_order_original, first_order_forward.compile_evaluation),
    "thin-plate": Sides(thin_plate_original, thin_plate_forward.compile_evaluation),
}


def compare_with_original(
    clone: Path, config: Config, checkpoint: str, source: np.ndarray, driving: np.ndarray
) -> Iterator[Comparison]:
    """Evaluate both implementations on a pair, and yield a comparison for each setting.

    The settings are the values of `align_corners` that the original can have, in both
    implementations.

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
    original, compile_evaluation = SIDES[recognise_clone(clone)]
    networks = original.make_networks(clone, config)
    weights = read_original(checkpoint)
    with naming(checkpoint):
        model = load_networks(config, weights)
        original.load_weights(networks, weights)
    pair = source[None], driving[None]
    source_floats, driving_floats = (as_floats(frames, np.float32) for frames in pair)
    for align_corners in original.ALIGN_CORNERS:
        compat = dataclasses.replace(config.compat, align_corners=align_corners)
        setting = dataclasses.replace(config, compat=compat)
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
        timing = Timing(align_corners, our_seconds, original_seconds, load, os.cpu_count() or 1)
        # A discriminator without weights in the checkpoint is random on both sides.
        arrays = [
            compare_within(name, outputs[name], expected[name], original.bound(name))
            for name in sorted(expected)
            if "discriminator" in weights or not name.startswith("discriminator/")
        ]
        yield Comparison(arrays, [frames], timing=timing)


def _measure(evaluate: Callable[[], Arrays]) -> tuple[Arrays, float]:
    """Return the outputs, and the median seconds of the runs after the first, which may compile."""
    outputs, times = evaluate(), []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        evaluate()
        times.append(time.perf_counter() - start)
    return outputs, statistics.median(times)
