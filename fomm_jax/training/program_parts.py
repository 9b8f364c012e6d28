"""The parts of a training step, by the names that networks, losses and step give to their code."""

import collections
import re
from collections.abc import Iterable

PARTS = (
    "augmentation",
    "kp_detector",
    "bg_predictor",
    "dense_motion",
    "generator",
    "inpainting",
    "discriminator",
    "perceptual",
    "grid_sample",
    "antialias_downsample",
    "optimizer",
)
NOWHERE = "elsewhere"

_PART = re.compile("|".join(rf"\b{part}\b" for part in PARTS))


def part_of(scope: str) -> str:
    """Return the part of the step that an operation belongs to.

    Args:
      scope: JAX's name of the operation: the functions and scopes around it, then the operation.

    Returns:
      One of `PARTS`, the innermost one of several, or `NOWHERE`; with ", backward" after it if the
      operation computes gradients.
    """
    parts = _PART.findall(scope)
    direction = ", backward" if "transpose(" in scope else ""
    return (parts[-1] if parts else NOWHERE) + direction


def sum_by_part(costs: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Sum costs by part, the costliest part first.

    Args:
      costs: the scope and the cost of each operation.
    """
    sums: dict[str, float] = collections.defaultdict(float)
    for scope, cost in costs:
        sums[part_of(scope)] += cost
    return dict(sorted(sums.items(), key=lambda item: -item[1]))
