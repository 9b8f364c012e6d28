"""Draws figures of random looks in any pose; the places of their joints are known.

A figure consists of capsules: a body, a head, and two arms and two legs of two segments each. The
distance of a pixel to the edge of a capsule gives its coverage, which makes edges smooth. Patterns
are drawn in the coordinates of their parts, so that they turn with them.
"""

import colorsys
import dataclasses
import math

import numpy as np
from PIL import Image

from input_pipeline.figures.motion import Pose

JOINTS = (
    "hip",
    "neck",
    "head",
    *(
        f"{side} {joint}"
        for side in ("left", "right")
        for joint in ("shoulder", "elbow", "hand", "thigh", "knee", "foot")
    ),
)

Color = np.ndarray  # (3,) in [0, 1]
PLAIN, STRIPES, RINGS, CHECKS, DOTS = range(5)


@dataclasses.dataclass(frozen=True)
class Coat:
    """The colour and the pattern of a part."""

    pattern: int  # PLAIN, STRIPES, RINGS, CHECKS or DOTS
    color: Color
    other: Color  # the colour of the pattern
    frequency: float  # of the pattern, in periods along the length of a body


@dataclasses.dataclass(frozen=True)
class Appearance:
    """The looks of a figure in any pose; lengths and radii are in units of `scale`."""

    scale: float  # the length of the body in units of the frame's side
    shoulders: float  # radius of the body at the neck
    hips: float  # radius of the body at the hip
    arm_length: float  # of each of the two segments
    arm_radius: float
    leg_length: float  # of each of the two segments
    leg_radius: float
    head_radius: float
    head_length: float  # the excess of the head's length over its width
    body: Coat
    head: Coat
    arms: tuple[Coat, Coat]
    legs: tuple[Coat, Coat]


def random_appearance(rng: np.random.Generator) -> Appearance:
    """Draw random looks: colours around one hue, and patterns on half of the parts."""
    hue = rng.uniform()

    def color(hue_offset: float, value: float) -> Color:
        saturation = rng.uniform(0.55, 0.95)
        return np.array(colorsys.hsv_to_rgb((hue + hue_offset) % 1, saturation, value))

    def coat(hue_offset: float, value: float) -> Coat:
        pattern = rng.choice([PLAIN, STRIPES, RINGS, CHECKS, DOTS], p=[0.5, 0.15, 0.15, 0.1, 0.1])
        first = color(hue_offset, value)
        other = color(hue_offset + rng.uniform(-0.5, 0.5), rng.uniform(0.2, 1.0))
        return Coat(int(pattern), first, other, rng.uniform(2.5, 4.0))

    arms, legs = (coat(rng.uniform(), 0.95) for _ in range(2)), coat(rng.uniform(), 0.8)
    left_arm, right_arm = arms
    other_leg = dataclasses.replace(legs, color=color(rng.uniform(), 0.6))
    return Appearance(
        scale=rng.uniform(0.23, 0.28),
        shoulders=rng.uniform(0.22, 0.32),
        hips=rng.uniform(0.2, 0.3),
        arm_length=rng.uniform(0.45, 0.55),
        arm_radius=rng.uniform(0.12, 0.16),
        leg_length=rng.uniform(0.5, 0.6),
        leg_radius=rng.uniform(0.13, 0.17),
        head_radius=rng.uniform(0.28, 0.38),
        head_length=rng.uniform(0.0, 0.25),
        body=coat(0.0, 0.9),
        head=Coat(PLAIN, color(0.1, 1.0), np.zeros(3), 1.0),
        arms=(left_arm, right_arm),
        legs=(legs, other_leg),
    )


def random_background(size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a random background: soft patches, often with faint stripes.

    Returns:
      (size, size, 3) float in [0, 1].
    """
    noise = rng.uniform(-1, 1, size=(5, 5, 3)) * 20 + rng.uniform(-1, 1, size=(5, 5, 1)) * 22
    base = rng.uniform(150, 215) + rng.uniform(-25, 25, size=3)
    grid = np.clip(base + noise, 0, 255).astype(np.uint8)
    soft = Image.fromarray(grid).resize((size, size), Image.Resampling.BICUBIC)
    angle, frequency, phase = rng.uniform(0, math.pi), rng.uniform(4, 8), rng.uniform(0, math.tau)
    strength = 0.06 * max(0.0, rng.uniform(-1, 1))
    y, x = (np.mgrid[:size, :size] + 0.5) / size
    wave = np.sin(math.tau * frequency * (x * math.cos(angle) + y * math.sin(angle)) + phase)
    return np.clip(np.asarray(soft) / 255 + strength * wave[..., None], 0, 1)


def find_joints(appearance: Appearance, pose: Pose) -> np.ndarray:
    """Compute the places of a figure's joints.

    Returns:
      (len(JOINTS), 2) in the order of `JOINTS`: (x, y) in units of the frame's side, y down.
    """
    scale = appearance.scale
    hip = np.array(pose.hip) + np.array([0, 0.3 * scale])
    up = math.pi + pose.lean
    neck = hip + scale * _direction(up)
    head = neck + 0.55 * scale * _direction(up + pose.nod)
    across = np.array([math.cos(pose.lean), -math.sin(pose.lean)])
    joints = [hip, neck, head]
    for side, arm, leg in zip((-1, 1), pose.arms, pose.legs, strict=True):
        for origin, offset, length, angles, lean in (
            (neck, 0.9 * appearance.shoulders, appearance.arm_length, arm, pose.lean),
            (hip, 0.5 * appearance.hips, appearance.leg_length, leg, pose.lean / 2),
        ):
            start = origin + side * offset * scale * across
            middle = start + length * scale * _direction(lean + angles[0])
            end = middle + length * scale * _direction(lean + sum(angles))
            joints += [start, middle, end]
    return np.array(joints)


def draw_frame(appearance: Appearance, background: np.ndarray, pose: Pose) -> np.ndarray:
    """Draw a figure over a background.

    Args:
      appearance: the looks of the figure.
      background: (h, h, 3) in [0, 1].
      pose: the pose of the figure.

    Returns:
      (h, h, 3) uint8.
    """
    scale = appearance.scale
    place = dict(zip(JOINTS, find_joints(appearance, pose), strict=True))
    picture = background.copy()

    def part(start: str, end: str, radii: tuple[float, float], coat: Coat) -> None:
        _paint_capsule(picture, place[start], place[end], radii, coat, scale)

    def limb(side: str, joints: tuple[str, str, str], radius: float, coat: Coat) -> None:
        upper, middle, lower = (f"{side} {joint}" for joint in joints)
        part(upper, middle, (radius, 0.9 * radius), coat)
        part(middle, lower, (0.9 * radius, 0.8 * radius), coat)

    for side, coat in zip(("left", "right"), appearance.legs, strict=True):
        limb(side, ("thigh", "knee", "foot"), appearance.leg_radius, coat)
    part("hip", "neck", (appearance.hips, appearance.shoulders), appearance.body)
    for side, coat in zip(("left", "right"), appearance.arms, strict=True):
        limb(side, ("shoulder", "elbow", "hand"), appearance.arm_radius, coat)

    up = math.pi + pose.lean + pose.nod
    crown = place["head"] + appearance.head_length * scale * _direction(up)
    radius = appearance.head_radius
    _paint_capsule(picture, place["head"], crown, (radius, radius), appearance.head, scale)
    dark = Coat(PLAIN, np.full(3, 0.1), np.zeros(3), 1.0)
    for turn in (-math.pi / 2.5, math.pi / 2.5):
        eye = place["head"] + 0.17 * scale * _direction(up + turn)
        _paint_capsule(picture, eye, eye, (0.07, 0.07), dark, scale)
    return np.round(255 * picture).astype(np.uint8)


def _direction(angle: float) -> np.ndarray:
    """Return the unit vector (x, y) at an angle from straight down, turned to the right."""
    return np.array([math.sin(angle), math.cos(angle)])


def _paint_capsule(
    picture: np.ndarray,
    start: np.ndarray,
    end: np.ndarray,
    radii: tuple[float, float],
    coat: Coat,
    scale: float,
) -> None:
    """Paint all points within a radius of a line; the radius changes linearly along the line.

    Args:
      picture: (h, h, 3) in [0, 1]; it is changed.
      start, end: the ends of the line, (x, y) in units of the frame's side.
      radii: the radius at the start and at the end, in units of `scale`.
      coat: the colour and the pattern.
      scale: the length of the figure's body in units of the frame's side.
    """
    size = len(picture)
    reach = scale * max(radii) + 1 / size
    low = np.floor(size * np.clip(np.minimum(start, end) - reach, 0, 1)).astype(int)
    high = np.ceil(size * np.clip(np.maximum(start, end) + reach, 0, 1)).astype(int)
    box = np.s_[low[1] : high[1], low[0] : high[0]]
    y, x = np.mgrid[box]
    from_start = (np.stack([x, y], axis=-1) + 0.5) / size - start
    length = math.dist(start, end)
    along = (end - start) / length if length else np.array([0.0, 1.0])
    u, v = from_start @ along, from_start @ np.array([-along[1], along[0]])
    share = np.clip(u / length, 0, 1) if length else np.zeros_like(u)
    distance = np.hypot(u - share * length, v) - scale * (radii[0] + share * (radii[1] - radii[0]))
    coverage = np.clip(0.5 - size * distance, 0, 1)[..., None]
    pattern = _pattern(coat, u / scale, v / scale)[..., None]
    color = coat.color + pattern * (coat.other - coat.color)
    picture[box] += coverage * (color - picture[box])


def _pattern(coat: Coat, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return the share of the pattern's colour, in [0, 1], at points of a part.

    Args:
      coat: the pattern and its frequency.
      u, v: the points' coordinates along and across the part, of any equal shape.
    """
    along, across = (np.sin(math.tau * coat.frequency * value) for value in (u, v))
    wave = {
        PLAIN: -np.ones_like(u),
        STRIPES: across,
        RINGS: along,
        CHECKS: 2 * along * across,
        DOTS: along + across - 0.8,
    }[coat.pattern]
    return np.clip(0.5 + 1.5 * wave, 0, 1)
