"""The motion of drawn figures: every angle and every position follows a sinusoid."""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class Swing:
    """An angle or a position that follows center + amplitude · sin(2π · rate · t + phase)."""

    center: float
    amplitude: float
    rate: float  # periods in a video
    phase: float  # radians

    def at(self, time: float) -> float:
        """Return the value at a time from 0 (the start of the video) to 1 (its end)."""
        return self.center + self.amplitude * math.sin(math.tau * self.rate * time + self.phase)


@dataclasses.dataclass(frozen=True)
class Pose:
    """The place of a figure and the angles of its joints in radians; its looks do not matter."""

    hip: tuple[float, float]  # (x, y) in units of the frame's side; y points down
    lean: float  # angle of the body from upright, positive to the left
    nod: float  # angle of the head from the body
    # ((left upper, left lower), (right upper, right lower)): upper segments from straight down,
    # lower segments from their upper segment. The lean turns the arms too, and half of it the legs.
    arms: tuple[tuple[float, float], tuple[float, float]]
    legs: tuple[tuple[float, float], tuple[float, float]]


@dataclasses.dataclass(frozen=True)
class FigureMotion:
    """A pose as a function of time: a `Swing` for each of its numbers."""

    x: Swing
    y: Swing
    lean: Swing
    nod: Swing
    arms: tuple[tuple[Swing, Swing], tuple[Swing, Swing]]
    legs: tuple[tuple[Swing, Swing], tuple[Swing, Swing]]

    def at(self, time: float) -> Pose:
        """Return the pose at a time from 0 (the start of the video) to 1 (its end)."""

        def limbs(
            sides: tuple[tuple[Swing, Swing], tuple[Swing, Swing]],
        ) -> tuple[tuple[float, float], tuple[float, float]]:
            (left_upper, left_lower), (right_upper, right_lower) = sides
            return (
                (left_upper.at(time), left_lower.at(time)),
                (right_upper.at(time), right_lower.at(time)),
            )

        return Pose(
            hip=(self.x.at(time), self.y.at(time)),
            lean=self.lean.at(time),
            nod=self.nod.at(time),
            arms=limbs(self.arms),
            legs=limbs(self.legs),
        )


def random_motion(rng: np.random.Generator) -> FigureMotion:
    """Draw a random motion: the figure strides, sways, nods and waves at a pace of its own."""
    pace = rng.uniform(1.0, 2.0)
    stride = rng.uniform(0, math.tau)

    def swing(center: float, amplitude: float, rate: float) -> Swing:
        return Swing(center, amplitude * rng.uniform(0.5, 1), rate, rng.uniform(0, math.tau))

    def arm(side: int) -> tuple[Swing, Swing]:
        return swing(side * rng.uniform(0.7, 1.8), 0.9, pace), swing(side * 0.5, 0.7, pace)

    def leg(side: int, phase: float) -> tuple[Swing, Swing]:
        upper = Swing(side * 0.3, rng.uniform(0.2, 0.5), pace, phase)
        return upper, swing(-side * 0.15, 0.35, pace)

    return FigureMotion(
        x=swing(0.5, 0.14, rng.uniform(0.4, 0.9)),
        y=swing(0.52, 0.04, pace),
        lean=swing(0.0, 0.25, pace / 2),
        nod=swing(0.0, 0.35, pace),
        arms=(arm(-1), arm(1)),
        legs=(leg(-1, stride), leg(1, stride + math.pi)),
    )
