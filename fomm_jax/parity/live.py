"""Our networks and the original's, from a clone, on the same weights and the same pictures."""

import dataclasses
import functools
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from flax import nnx

from fomm_jax.config.schema import CompatConfig, Config
from fomm_jax.errors import naming
from fomm_jax.models.build import abstract_model
from fomm_jax.parity import original
from fomm_jax.parity.recorded import FULL_SIZE_TOLERANCE, KEYPOINT_TOLERANCE
from fomm_jax.parity.recordings import Arrays, as_floats, evaluator, to_nhwc
from fomm_jax.parity.results import ComparedFrames, Comparison, Timing, compare_arrays
from fomm_jax.weights.torch.names import load_networks, read_original

TIMED_RUNS = 5
KEYPOINTS = ("kp_source/value", "kp_driving/value")


def compare_with_original(
    clone: Path, config: Config, checkpoint: str, source: np.ndarray, driving: np.ndarray
) -> Iterator[Comparison]:
    """Evaluate both on a pair, with either value of the switch `compat.align_corners` on both.

    Args:
      clone: folder of the original's repository.
      config: the architecture.
      checkpoint: file of the original's.
      source, driving: (h, w, c) uint8.

    Raises:
      InputError: the clone or the file is none, or the file is of another architecture.
    """
    load = os.getloadavg()[0]
    networks = original.make_networks(clone, config)
    weights = read_original(checkpoint)
    with naming(checkpoint):
        variables = nnx.state(load_networks(config, weights))
        original.load_weights(networks, weights)
    pair = source[None], driving[None]
    source_floats, driving_floats = (as_floats(frames, np.float32) for frames in pair)
    for align_corners in (False, True):
        switched = dataclasses.replace(config, compat=CompatConfig(align_corners=align_corners))
        definition = nnx.graphdef(abstract_model(switched))
        ours = evaluator(switched, nnx.merge(definition, variables))
        theirs = functools.partial(original.evaluate, networks, *pair, align_corners)
        expected, original_seconds = _timed(theirs)
        found, our_seconds = _timed(functools.partial(ours, source_floats, driving_floats))
        rows = []
        for name in sorted(expected):
            is_judged = name.startswith("discriminator/")
            if is_judged and "discriminator" not in weights:
                continue  # both are random
            tolerance = KEYPOINT_TOLERANCE if name in KEYPOINTS else FULL_SIZE_TOLERANCE
            rows.append(
                # Feature maps are of any size.
                compare_arrays(name, found[name], expected[name], tolerance, is_relative=is_judged)
            )
        frames = ComparedFrames(
            "prediction",
            source=source_floats,
            driving=driving_floats,
            original=to_nhwc(expected["prediction"]),
            ours=to_nhwc(found["prediction"]),
        )
        cores = os.cpu_count() or 1
        timing = Timing(align_corners, our_seconds, original_seconds, load, cores)
        yield Comparison(rows, [frames], timing=timing)


def _timed(evaluate: Callable[[], Arrays]) -> tuple[Arrays, float]:
    """The arrays, and the median seconds of some runs after the first, which may compile."""
    found, times = evaluate(), []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        evaluate()
        times.append(time.perf_counter() - start)
    return found, statistics.median(times)
