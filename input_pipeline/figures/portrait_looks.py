"""The looks of drawn heads: skin, hair, glasses, hats, beards and clothes."""

import colorsys
import dataclasses
from typing import Literal

import numpy as np

Color = tuple[int, int, int]

# Skin from light to dark, and hair from blond over red and brown to black and grey.
_SKINS = ((250, 220, 196), (236, 188, 150), (205, 146, 104), (150, 98, 64), (92, 58, 40))
_HAIRS = (
    *((232, 200, 120), (178, 82, 40), (120, 74, 40), (66, 42, 28), (26, 22, 24), (168, 164, 160)),
)

# Hair, hats and beards hardly change the outline of the head: keypoints lie on outlines, and would
# carry that of one head to another.
HairStyle = Literal["bald", "short", "fringe", "parted", "receding", "curly"]
Hat = Literal["none", "cap", "beanie", "headband"]
Beard = Literal["none", "moustache", "full"]


@dataclasses.dataclass(frozen=True)
class HeadLooks:
    """The looks of a head in any pose; lengths are in units of `size`."""

    size: float  # half the height of the head, in units of the frame's side
    width: float  # half the width of the head
    jaw: float  # how far the cheeks go down before they turn to the chin, from 0 to 1
    skin: Color
    hair: Color
    hair_style: HairStyle
    hat: Hat
    hat_color: Color
    beard: Beard
    glasses: Color | None  # of the frames; None: there are none
    iris: Color
    lips: Color
    shirt: Color
    shirt_stripes: Color | None
    eye_distance: float  # from the middle of the face
    eye_size: float
    brow: float  # thickness
    nose: float  # length
    mouth: float  # half its width


def random_looks(rng: np.random.Generator) -> HeadLooks:
    """Draw random looks."""
    skin = _between(_SKINS, rng)
    hair = _between(_HAIRS, rng) if rng.uniform() < 0.85 else _vivid(rng)
    hat: Hat = rng.choice(["none", "cap", "beanie", "headband"], p=[0.64, 0.12, 0.14, 0.1])
    styles = ["bald", "short", "fringe", "parted", "receding", "curly"]
    return HeadLooks(
        size=rng.uniform(0.34, 0.36),
        width=rng.uniform(0.76, 0.82),
        jaw=rng.uniform(0.3, 0.5),
        skin=skin,
        hair=hair,
        hair_style=rng.choice(styles, p=[0.08, 0.2, 0.2, 0.2, 0.12, 0.2]),
        hat=hat,
        hat_color=_vivid(rng),
        beard=rng.choice(["none", "moustache", "full"], p=[0.7, 0.12, 0.18]),
        glasses=_vivid(rng, 0.0, 0.55) if rng.uniform() < 0.35 else None,
        iris=_vivid(rng, 0.3, 0.8),
        lips=mix(skin, (190, 40, 60), rng.uniform(0.35, 0.8)),
        shirt=_vivid(rng),
        shirt_stripes=_vivid(rng) if rng.uniform() < 0.4 else None,
        eye_distance=rng.uniform(0.35, 0.37),
        eye_size=rng.uniform(0.2, 0.22),
        brow=rng.uniform(0.04, 0.08),
        nose=rng.uniform(0.23, 0.27),
        mouth=rng.uniform(0.29, 0.33),
    )


def _between(colors: tuple[Color, ...], rng: np.random.Generator) -> Color:
    """Return a random colour on the way through some colours."""
    place = rng.uniform(0, len(colors) - 1)
    first = min(int(place), len(colors) - 2)
    return mix(colors[first], colors[first + 1], place - first)


def _vivid(rng: np.random.Generator, darkest: float = 0.35, brightest: float = 1.0) -> Color:
    red, green, blue = colorsys.hsv_to_rgb(
        rng.uniform(), rng.uniform(0.45, 0.95), rng.uniform(darkest, brightest)
    )
    return round(255 * red), round(255 * green), round(255 * blue)


def mix(one: Color, other: Color, share: float) -> Color:
    """Return a colour between two, with a share in [0, 1] of the other one."""
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(one, other, strict=True))
    return red, green, blue


def shade(color: Color, factor: float) -> Color:
    """Return a darker colour, or with a factor above 1 a lighter one."""
    red, green, blue = (min(255, round(factor * value)) for value in color)
    return red, green, blue
