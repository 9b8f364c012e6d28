"""Our networks and the original's, from a clone, on the same weights and the same pictures."""

import dataclasses
import functools
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fomm_jax import original
from fomm_jax.comparison import Comparison, compare
from fomm_jax.config import Config
from fomm_jax.errors import naming
from fomm_jax.pretrained import read_original
from fomm_jax.recorded_comparison import FULL_SIZE_TOLERANCE, KEYPOINT_TOLERANCE
from fomm_jax.recordings import Arrays, evaluator
from fomm_jax.torch_weights import load_networks

TIMED_RUNS = 5
KEYPOINTS = ("kp_source/value", "kp_driving/value")


@dataclasses.dataclass(frozen=True)
class LiveComparison:
    """What came out, and what it took."""

    rows: list[Comparison]
    our_seconds: float  # of a pair, compiled before
    original_seconds: float


def compare_with_original(
    clone: Path, config: Config, checkpoint: str, source: np.ndarray, driving: np.ndarray
) -> LiveComparison:
    """Evaluate both on a pair, with the switch `compat.align_corners` on both sides.

    Args:
      clone: folder of the original's repository.
      config: the architecture.
      checkpoint: file of the original's.
      source, driving: (h, w, c) uint8.

    Raises:
      InputError: the clone or the file is none, or the file is of another architecture.
    """
    networks = original.make_networks(clone, config)
    weights = read_original(checkpoint)
    with naming(checkpoint):
        ours = evaluator(config, load_networks(config, weights))
        original.load_weights(networks, weights)
    pair = source[None], driving[None]
    align_corners = config.compat.align_corners
    theirs = functools.partial(original.evaluate, networks, *pair, align_corners)
    as_floats = [frames.astype(np.float32) / np.float32(255) for frames in pair]
    expected, original_seconds = _timed(theirs)
    found, our_seconds = _timed(lambda: ours(*as_floats))
    rows = []
    for name in sorted(expected):
        is_judged = name.startswith("discriminator/")
        if is_judged and "discriminator" not in weights:
            continue  # both are random
        tolerance = KEYPOINT_TOLERANCE if name in KEYPOINTS else FULL_SIZE_TOLERANCE
        rows.append(
            # Feature maps are of any size.
            compare(name, found[name], expected[name], tolerance, is_relative=is_judged)
        )
    return LiveComparison(rows, our_seconds, original_seconds)


def _timed(evaluate: Callable[[], Arrays]) -> tuple[Arrays, float]:
    """The arrays, and the median seconds of some runs after the first, which may compile."""
    found, times = evaluate(), []
    for _ in range(TIMED_RUNS):
        start = time.perf_counter()
        evaluate()
        times.append(time.perf_counter() - start)
    return found, statistics.median(times)
