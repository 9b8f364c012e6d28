"""Our networks and the original's, from a clone, on the same weights and the same pictures."""

import dataclasses
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import numpy as np
import torch

from fomm_jax import original
from fomm_jax.comparison import Comparison, compare
from fomm_jax.config import Config
from fomm_jax.pretrained import read_original
from fomm_jax.recorded_comparison import EVALUATION_TOLERANCE, FULL_SIZE_TOLERANCE
from fomm_jax.recordings import Arrays, evaluator
from fomm_jax.torch_weights import load_networks

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
    ours = evaluator(config, load_networks(config, weights))
    original.load_weights(networks, weights)
    pair = source[None], driving[None]
    align_corners = config.compat.align_corners
    theirs = functools.partial(_evaluate_original, networks, *pair, align_corners)
    as_floats = [frames.astype(np.float32) / np.float32(255) for frames in pair]
    expected, original_seconds = _timed(theirs)
    found, our_seconds = _timed(lambda: ours(*as_floats))
    rows = []
    for name in sorted(expected):
        tolerance = EVALUATION_TOLERANCE if name in KEYPOINTS else FULL_SIZE_TOLERANCE
        rows.append(compare(name, found[name], expected[name], tolerance))
    return LiveComparison(rows, our_seconds, original_seconds)


def _evaluate_original(
    networks: original.OriginalNetworks,
    source: np.ndarray,
    driving: np.ndarray,
    align_corners: bool,
) -> Arrays:
    """What the original makes of a pair (1, h, w, c) uint8, by the names of the recordings."""
    kp_detector, generator = networks.kp_detector.eval(), networks.generator.eval()
    motion: dict[str, Any] = {}
    hook = generator.dense_motion_network.register_forward_hook(
        lambda module, inputs, outputs: motion.update(outputs)
    )
    # It leaves the choice to torch's default.
    sample = functools.partial(torch.nn.functional.grid_sample, align_corners=align_corners)
    patched = mock.patch.object(torch.nn.functional, "grid_sample", sample)
    with torch.no_grad(), original.quiet(), patched:
        picture, frame = original.to_tensor(source), original.to_tensor(driving)
        keypoints = {"kp_source": kp_detector(picture), "kp_driving": kp_detector(frame)}
        generated = generator(picture, **keypoints)
    hook.remove()
    found = {
        f"{which}/{name}": tensor
        for which, found in keypoints.items()
        for name, tensor in found.items()
    }
    names = ("mask", "sparse_deformed", "deformation", "occlusion_map", "deformed", "prediction")
    found |= {name: (motion | generated)[name] for name in names if name in motion | generated}
    return {name: tensor.numpy() for name, tensor in found.items()}


def _timed(evaluate: Callable[[], Arrays]) -> tuple[Arrays, float]:
    """The arrays, and the seconds of a second run; the first may compile."""
    evaluate()
    start = time.perf_counter()
    found = jax.block_until_ready(evaluate())
    return found, time.perf_counter() - start
