"""Draws heads of random looks in any pose.

The features lie on a rounded head: turning and nodding move them by their depth, and the tilt
turns everything about the neck. Shapes are drawn four times as large as the frame and then
averaged, which makes edges smooth.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from input_pipeline.figures.portrait_looks import Color, HairStyle, HeadLooks, mix, shade
from input_pipeline.figures.portrait_motion import HeadPose

_FINER = 4  # pixels drawn for a pixel of the frame, in each direction
_WHITE: Color = (248, 248, 244)
_DARK: Color = (30, 20, 20)
_BLUSH: Color = (230, 70, 70)

# A point of the head in units of its size: to the right, down, and towards the viewer.
Point = tuple[float, float, float]


_CROWN: Point = (0.0, -1.02, 0.0)
_CHIN: Point = (0.0, 1.0, 0.0)


def find_landmarks(looks: HeadLooks, pose: HeadPose) -> np.ndarray:
    """Compute the places of eyes, crown, chin, upper lip, nose and corners of the mouth.

    Returns:
      (8, 2): (x, y) in units of the frame's side, y down.
    """
    eyes = [_eye_centre(looks, side) for side in (-1, 1)]
    corners = [_upper_lip(looks, pose, share) for share in (-1, 1)]
    lip = _upper_lip(looks, pose, 0)
    points = (*eyes, _CROWN, _CHIN, lip, _nose_tip(looks), *corners)
    return np.array([_place(point, looks, pose) for point in points])


def _eye_centre(looks: HeadLooks, side: int) -> Point:
    return side * looks.eye_distance, -0.08, 0.72


def _nose_tip(looks: HeadLooks) -> Point:
    return 0.05, 0.02 + looks.nose, 1.05


def _upper_lip(looks: HeadLooks, pose: HeadPose, share: float) -> Point:
    """Return a point of the upper lip, by its share of the way from the middle to a corner."""
    width = looks.mouth * (1 + 0.18 * pose.smile)
    return width * share, 0.52 - 0.12 * pose.smile * share**2, 0.78


def _place(point: Point, looks: HeadLooks, pose: HeadPose) -> tuple[float, float]:
    """Return where a point of the head is seen, in units of the frame's side."""
    x, y, z = point
    turned = x * math.cos(pose.turn) + z * math.sin(pose.turn)
    depth = z * math.cos(pose.turn) - x * math.sin(pose.turn)
    nodded = y * math.cos(pose.nod) + depth * math.sin(pose.nod)
    # The tilt is about the neck, one size below the middle of the head.
    right, down = turned, nodded - 1
    across = right * math.cos(pose.tilt) - down * math.sin(pose.tilt)
    along = right * math.sin(pose.tilt) + down * math.cos(pose.tilt) + 1
    return pose.centre[0] + looks.size * across, pose.centre[1] + looks.size * along


class _Pencil:
    """Draws shapes whose points are on the head or, for the shoulders, in the frame."""

    def __init__(self, image: Image.Image, looks: HeadLooks, pose: HeadPose) -> None:
        self._draw = ImageDraw.Draw(image)
        self._side = image.width
        self._looks = looks
        self._pose = pose

    def place(self, point: Point) -> tuple[float, float]:
        """Return where a point of the head is drawn, in pixels."""
        x, y = _place(point, self._looks, self._pose)
        return self._side * x, self._side * y

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        """Fill a polygon on the head."""
        self._draw.polygon([self.place(point) for point in points], fill=color)

    def line(self, points: Sequence[Point], width: float, color: Color) -> None:
        """Draw a line with round ends on the head; the width is in units of the head's size."""
        pixels = max(1, round(width * self._looks.size * self._side))
        places = [self.place(point) for point in points]
        self._draw.line(places, fill=color, width=pixels, joint="curve")
        for x, y in (places[0], places[-1]):
            radius = pixels / 2
            self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)

    def shoulders(self) -> None:
        """Draw shirt and neck, which follow the head's place, but not its turns."""
        looks, pose, side = self._looks, self._pose, self._side
        x, y = side * pose.centre[0], side * pose.centre[1]
        unit = side * looks.size
        top, wide = y + 1.28 * unit, 1.75 * unit
        self._draw.ellipse((x - wide, top, x + wide, top + 4 * unit), fill=looks.shirt)
        if looks.shirt_stripes is not None:
            for offset in (-0.9, -0.3, 0.3, 0.9):
                left = x + (offset - 0.1) * unit
                box = (left, top + (0.1 + 0.35 * offset**2) * unit, left + 0.2 * unit, side)
                if box[3] > box[1]:
                    self._draw.rectangle(box, fill=looks.shirt_stripes)
        neck = shade(looks.skin, 0.82)
        self._draw.rounded_rectangle(
            (x - 0.36 * unit, y + 0.5 * unit, x + 0.36 * unit, y + 1.5 * unit), 0.3 * unit, neck
        )


def draw_portrait(looks: HeadLooks, background: np.ndarray, pose: HeadPose) -> np.ndarray:
    """Draw a head over a background.

    Args:
      looks: the looks of the head.
      background: (h, h, 3) in [0, 1].
      pose: the pose of the head.

    Returns:
      (h, h, 3) uint8.
    """
    size = len(background)
    ground = Image.fromarray(np.round(255 * background).astype(np.uint8))
    image = ground.resize((_FINER * size, _FINER * size), Image.Resampling.BILINEAR)
    pencil = _Pencil(image, looks, pose)
    pencil.shoulders()
    _face(pencil, looks)
    _beard(pencil, looks)
    _mouth(pencil, looks, pose)
    for side in (-1, 1):
        _eye(pencil, looks, pose, side)
    _nose(pencil, looks)
    _glasses(pencil, looks)
    _front_hair(pencil, looks)
    _hat(pencil, looks)
    return np.array(image.resize((size, size), Image.Resampling.BOX))


def _oval(
    centre: Point, half_width: float, half_height: float, arc: tuple[float, float] = (0, math.tau)
) -> list[Point]:
    """Return the points of an oval, or of an arc of it, clockwise from the right."""
    x, y, z = centre
    return [
        (x + half_width * math.cos(angle), y + half_height * math.sin(angle), z)
        for angle in np.linspace(*arc, 40)
    ]


def _outline(looks: HeadLooks, wider: float = 1.0) -> list[Point]:
    """Return the outline of the head: round above, and a jaw below."""
    points = []
    for angle in np.linspace(0, math.tau, 60):
        x, y = math.cos(angle), math.sin(angle)
        # Below the middle, the cheeks stay wide before they turn to the chin.
        cheek = 1 + 0.25 * looks.jaw * math.sin(2 * angle) ** 2 if y > 0 else 1.0
        points.append((wider * looks.width * x * cheek, y * (1.0 if y > 0 else 1.02 * wider), 0.0))
    return points


def _face(pencil: _Pencil, looks: HeadLooks) -> None:
    for side in (-1, 1):
        pencil.polygon(_oval((side * looks.width, 0.05, -0.15), 0.14, 0.2), shade(looks.skin, 0.88))
    pencil.polygon(_outline(looks), looks.skin)
    for side in (-1, 1):
        pencil.polygon(_oval((side * 0.42, 0.33, 0.55), 0.15, 0.11), mix(looks.skin, _BLUSH, 0.15))


def _eye(pencil: _Pencil, looks: HeadLooks, pose: HeadPose, side: int) -> None:
    x, y, z = _eye_centre(looks, side)
    width = looks.eye_size
    height = 0.72 * width * (1 - pose.closed)
    if height > 0.02:
        pencil.polygon(_oval((x, y, z), width, height), _WHITE)
        radius = min(0.6 * width, height)
        gaze = x + 0.3 * width * pose.gaze
        pencil.polygon(_oval((gaze, y, z), radius, radius), looks.iris)
        pencil.polygon(_oval((gaze, y, z), 0.5 * radius, 0.5 * radius), _DARK)
    lid = [(x + width * share, y - height * (1 - share**2), z) for share in np.linspace(-1, 1, 9)]
    pencil.line(lid, 0.035, _DARK)
    brow = [
        (x + side * width * 1.15 * share, y - 0.24 - 0.05 * (1 - share**2), z)
        for share in np.linspace(-1, 1, 7)
    ]
    pencil.line(brow, looks.brow, shade(looks.hair, 0.75))


def _nose(pencil: _Pencil, looks: HeadLooks) -> None:
    tip = _nose_tip(looks)
    pencil.line(
        [(0.0, 0.0, 0.85), tip, (-0.06, tip[1] + 0.03, 0.95)],
        0.05,
        shade(looks.skin, 0.75),
    )


def _mouth(pencil: _Pencil, looks: HeadLooks, pose: HeadPose) -> None:
    shares = np.linspace(-1, 1, 13)
    upper = [_upper_lip(looks, pose, share) for share in shares]
    lower = [
        (x, y + (0.03 + 0.3 * pose.opened) * (1 - share**2), z)
        for (x, y, z), share in zip(upper, shares, strict=True)
    ]
    width = upper[-1][0]
    pencil.polygon([*upper, *reversed(lower)], (96, 24, 30))
    if pose.opened > 0.25:
        teeth = [(0.8 * a, b + 0.06 * (1 - (a / width) ** 2), c) for a, b, c in upper]
        pencil.polygon([*((0.8 * a, b, c) for a, b, c in upper), *reversed(teeth)], _WHITE)
    pencil.line(upper, 0.06, looks.lips)
    pencil.line(lower, 0.06, looks.lips)


def _beard(pencil: _Pencil, looks: HeadLooks) -> None:
    color = shade(looks.hair, 0.9)
    if looks.beard == "full":
        below = [(x, y, z) for x, y, z in _outline(looks) if y > 0.05]
        # From one ear down the cheek, along the upper lip, and up to the other ear.
        cheeks = [
            (looks.width * share, 0.42 - 0.4 * abs(share) ** 2.5, 0.6 * (1 - share**2))
            for share in np.linspace(-1, 1, 31)
        ]
        pencil.polygon([*below, *cheeks], color)
        pencil.polygon(_oval((0, 0.53, 0.7), looks.mouth + 0.08, 0.16), looks.skin)
    if looks.beard in ("full", "moustache"):
        points = [(0.36 * share, 0.42 + 0.05 * share**2, 0.85) for share in np.linspace(-1, 1, 9)]
        pencil.line(points, 0.1, color)


def _glasses(pencil: _Pencil, looks: HeadLooks) -> None:
    if looks.glasses is None:
        return
    radius = looks.eye_size + 0.07
    for side in (-1, 1):
        ring = _oval((side * looks.eye_distance, -0.07, 0.85), radius, 0.95 * radius)
        pencil.line(ring, 0.045, looks.glasses)
        edge = side * (looks.eye_distance + radius)
        pencil.line([(edge, -0.1, 0.82), (side * looks.width, -0.08, 0.0)], 0.045, looks.glasses)
    inner = looks.eye_distance - radius
    pencil.line([(-inner, -0.1, 0.95), (0, -0.14, 1.0), (inner, -0.1, 0.95)], 0.045, looks.glasses)


# The height of the hairline, by the share of the way from the middle of the forehead to a temple.
_HAIRLINES: dict[HairStyle, Callable[[np.ndarray], np.ndarray]] = {
    "short": lambda share: -0.12 - 0.5 * (1 - share**2),
    "fringe": lambda share: -0.12 - 0.3 * (1 - share**8),
    "parted": lambda share: -0.12 - 0.6 * (1 - share**2) * (1 - 0.4 * share),
    "receding": lambda share: -0.12 - 0.66 * (1 - share**4) + 0.16 * np.exp(-((share / 0.25) ** 2)),
    "curly": lambda share: -0.12 - 0.5 * (1 - share**2),
}


def _front_hair(pencil: _Pencil, looks: HeadLooks) -> None:
    if looks.hair_style == "bald":
        return
    top = [(x, y, z) for x, y, z in _outline(looks, 1.05) if y < -0.02]
    shares = np.linspace(1, -1, 31)
    heights = _HAIRLINES[looks.hair_style](shares)
    # The hairline is nearer to the viewer in the middle of the forehead.
    line = [
        (1.02 * looks.width * share, height, 0.45 * (1 - share**2))
        for share, height in zip(shares, heights, strict=True)
    ]
    pencil.polygon([*top, *line], looks.hair)
    if looks.hair_style == "curly":
        for share in np.linspace(-0.65, 0.65, 5):
            place = (looks.width * share, -0.62 + 0.3 * share**2, 0.4)
            pencil.polygon(_oval(place, 0.16, 0.13), looks.hair)


def _hat(pencil: _Pencil, looks: HeadLooks) -> None:
    if looks.hat == "none":
        return
    dark = shade(looks.hat_color, 0.7)
    edge = [
        (0.96 * looks.width * share, -0.5 - 0.08 * (1 - share**2), 0.6 * (1 - share**2))
        for share in np.linspace(-1, 1, 15)
    ]
    if looks.hat == "headband":
        pencil.line(edge, 0.2, looks.hat_color)
        return
    crown = [(x, min(y, -0.5), z) for x, y, z in _outline(looks, 1.05) if y < -0.3]
    pencil.polygon(crown, looks.hat_color)
    if looks.hat == "beanie":
        pencil.line(edge, 0.22, dark)
    else:
        visor = [
            (0.8 * looks.width * share, -0.42 - 0.05 * (1 - share**2), 0.4 + 0.6 * (1 - share**2))
            for share in np.linspace(-1, 1, 15)
        ]
        pencil.polygon([*edge, *reversed(visor)], dark)
