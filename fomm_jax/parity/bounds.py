"""Bounds on the differences from the original."""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple


class Bound(NamedTuple):
    """The largest difference of an array that is allowed; None where it decides nothing."""

    tolerance: float | None
    is_relative: bool = False  # to the largest value of the array
    percentile: float = 100  # the share of the array's values, in per cent, that must be so close


@dataclasses.dataclass(frozen=True)
class TrainingBounds:
    """How far training may be from a recording of it. Losses are relative to themselves."""

    single_losses: float  # of a step in float32
    single_prediction: Bound  # in a step in float32
    losses: tuple[float | None, ...]  # of each step in float64; later ones decide nothing
    resumed_losses: tuple[float, ...]  # the same from a checkpoint with optimisers
    state: Mapping[str, Bound]  # of the networks after a step, by the step's name
    gradients: float  # of the first step in float64, relative to the largest element
