"""How drawn figures move: every angle and position follows a sinusoid."""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class Swing:
    """An angle or a position that follows center + amplitude · sin(2π · rate · t + phase)."""

    center: float
    amplitude: float
    rate: float  # turns in a video
    phase: float

    def at(self, time: float) -> float:
        """Return the value at `time` from 0 to 1."""
        return self.center + self.amplitude * math.sin(math.tau * self.rate * time + self.phase)


@dataclasses.dataclass(frozen=True)
class Pose:
    """Where a figure is and how it is bent, whatever it looks like; angles in radians."""

    hip: tuple[float, float]  # (x, y) in units of the frame's side, y downwards
    lean: float  # of the body from upright, positive to the left
    nod: float  # of the head from the body
    # (left, right) of (upper from straight down, lower from the upper), arms from the lean
    arms: tuple[tuple[float, float], tuple[float, float]]
    legs: tuple[tuple[float, float], tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class Motion:
    """A pose over time."""

    x: Swing
    y: Swing
    lean: Swing
    nod: Swing
    arms: tuple[tuple[Swing, Swing], tuple[Swing, Swing]]
    legs: tuple[tuple[Swing, Swing], tuple[Swing, Swing]]

    def at(self, time: float) -> Pose:
        """Return the pose at `time` from 0 to 1."""

        def limbs(
            sides: tuple[tuple[Swing, Swing], tuple[Swing, Swing]],
        ) -> tuple[tuple[float, float], tuple[float, float]]:
            (left, left_lower), (right, right_lower) = sides
            return (
                (left.at(time), left_lower.at(time)),
                (right.at(time), right_lower.at(time)),
            )

        return Pose(
            hip=(self.x.at(time), self.y.at(time)),
            lean=self.lean.at(time),
            nod=self.nod.at(time),
            arms=limbs(self.arms),
            legs=limbs(self.legs),
        )


def random_motion(rng: np.random.Generator) -> Motion:
    """Make a figure's habits: it strides, sways, nods and waves at a pace of its own."""
    pace = rng.uniform(1.0, 2.0)
    stride = rng.uniform(0, math.tau)

    def swing(center: float, amplitude: float, rate: float) -> Swing:
        return Swing(center, amplitude * rng.uniform(0.5, 1), rate, rng.uniform(0, math.tau))

    def arm(side: int) -> tuple[Swing, Swing]:
        return swing(side * rng.uniform(0.7, 1.8), 0.9, pace), swing(side * 0.5, 0.7, pace)

    def leg(side: int, phase: float) -> tuple[Swing, Swing]:
        upper = Swing(side * 0.3, rng.uniform(0.2, 0.5), pace, phase)
        return upper, swing(-side * 0.15, 0.35, pace)

    return Motion(
        x=swing(0.5, 0.14, rng.uniform(0.4, 0.9)),
        y=swing(0.52, 0.04, pace),
        lean=swing(0.0, 0.25, pace / 2),
        nod=swing(0.0, 0.35, pace),
        arms=(arm(-1), arm(1)),
        legs=(leg(-1, stride), leg(1, stride + math.pi)),
    )
