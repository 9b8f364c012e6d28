"""The motion of drawn heads: they turn, nod, tilt, look around, blink, talk and smile."""

import dataclasses
import math

import numpy as np

from input_pipeline.figures.motion import Swing


@dataclasses.dataclass(frozen=True)
class HeadPose:
    """The place and the expression of a head; its looks do not matter."""

    centre: tuple[float, float]  # (x, y) of the head in units of the frame's side; y points down
    turn: float  # radians to the right of the frame
    nod: float  # radians downwards
    tilt: float  # radians clockwise
    gaze: float  # of the eyes to the right, from -1 to 1
    closed: float  # how far the eyes are closed, from 0 to 1
    opened: float  # how far the mouth is open, from 0 to 1
    smile: float  # from -1, sad, to 1


@dataclasses.dataclass(frozen=True)
class HeadMotion:
    """A pose as a function of time."""

    x: Swing
    y: Swing
    turn: Swing
    nod: Swing
    tilt: Swing
    gaze: Swing
    talk: Swing
    smile: Swing
    blinks: tuple[float, ...]  # the times at which the eyes are closed
    blink: float  # half the length of a blink, as a share of the video

    def at(self, time: float) -> HeadPose:
        """Return the pose at a time from 0 (the start of the video) to 1 (its end)."""
        distance = min(abs(time - blink) for blink in self.blinks)
        return HeadPose(
            centre=(self.x.at(time), self.y.at(time)),
            turn=self.turn.at(time),
            nod=self.nod.at(time),
            tilt=self.tilt.at(time),
            gaze=self.gaze.at(time),
            closed=max(0.0, 1 - distance / self.blink),
            opened=max(0.0, self.talk.at(time)),
            smile=self.smile.at(time),
        )


def random_calm_motion(rng: np.random.Generator) -> HeadMotion:
    """Draw a random motion in which the head hardly moves, but blinks slowly, talks and smiles."""
    return random_head_motion(rng, moves=0.15, blink=0.1)


def random_head_motion(
    rng: np.random.Generator, moves: float = 1.0, blink: float = 0.04
) -> HeadMotion:
    """Draw a random motion.

    Args:
      rng: where the random numbers come from.
      moves: how far the head moves, turns, nods and tilts, as a share of the usual.
      blink: half the length of a blink, as a share of the video.
    """

    def swing(center: float, amplitude: float, slowest: float, fastest: float) -> Swing:
        return Swing(
            center,
            amplitude * rng.uniform(0.5, 1),
            rng.uniform(slowest, fastest),
            rng.uniform(0, math.tau),
        )

    return HeadMotion(
        x=swing(rng.uniform(0.46, 0.54), 0.08 * moves, 0.4, 0.9),
        y=swing(rng.uniform(0.45, 0.5), 0.04 * moves, 0.5, 1.5),
        turn=swing(rng.uniform(-0.1, 0.1), 0.32 * moves, 0.6, 1.6),
        nod=swing(rng.uniform(-0.05, 0.08), 0.18 * moves, 0.6, 1.8),
        tilt=swing(0.0, 0.3 * moves, 0.4, 1.2),
        gaze=swing(0.0, 0.7, 0.5, 1.5),
        talk=swing(0.15, 0.75, 3.0, 6.0),
        smile=swing(0.25, 0.7, 0.4, 1.2),
        blinks=tuple(rng.uniform(0, 1, size=rng.integers(1, 4))),
        blink=blink,
    )
