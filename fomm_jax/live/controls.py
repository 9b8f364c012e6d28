"""What a person can change by keys while a picture is animated."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

_ZOOM_STEP, _ZOOMS = 1.1, (0.5, 4.0)
_SHIFT_STEP, _FARTHEST = 0.05, 1.0  # in widths or heights of the part that the model sees


@dataclasses.dataclass(frozen=True)
class Controls:
    """The state of everything that keys change."""

    picture: int = 0  # the number of the picture; of more pictures than there are, counted again
    zoom: float = 1.0  # above 1, a smaller part of the camera's frame is used
    shift: tuple[float, float] = (0.0, 0.0)  # of this part, to the right and down, in its own sizes
    is_mirrored: bool = False
    shows_source: bool = False  # over the camera's frame, to find the pose in the picture
    is_frozen: bool = False
    calibrations: int = 0  # how often the present pose was made the neutral one
    shows_help: bool = False
    has_quit: bool = False


def _zoomed(controls: Controls, factor: float) -> Controls:
    return dataclasses.replace(
        controls, zoom=min(max(controls.zoom * factor, _ZOOMS[0]), _ZOOMS[1])
    )


def _shifted(controls: Controls, x: float, y: float) -> Controls:
    right, down = (
        min(max(old + _SHIFT_STEP * step, -_FARTHEST), _FARTHEST)
        for old, step in zip(controls.shift, (x, y), strict=True)
    )
    return dataclasses.replace(controls, shift=(right, down))


def _add(controls: Controls, field: Literal["picture", "calibrations"], step: int = 1) -> Controls:
    changes: dict[str, Any] = {field: getattr(controls, field) + step}
    return dataclasses.replace(controls, **changes)


def _switch(controls: Controls, field: str) -> Controls:
    changes: dict[str, Any] = {field: not getattr(controls, field)}
    return dataclasses.replace(controls, **changes)


@dataclasses.dataclass(frozen=True)
class _Key:
    """A key, by its name in Tk."""

    name: str
    help: str  # what it does
    change: Callable[[Controls], Controls]


_KEYS = (
    _Key("space", "make your present pose the neutral one", lambda c: _add(c, "calibrations")),
    _Key("n", "next picture", lambda c: _add(c, "picture")),
    _Key("p", "previous picture", lambda c: _add(c, "picture", -1)),
    _Key("plus", "see a smaller part of the camera's frame", lambda c: _zoomed(c, _ZOOM_STEP)),
    _Key("minus", "see a larger part", lambda c: _zoomed(c, 1 / _ZOOM_STEP)),
    _Key("Left", "move this part to the left", lambda c: _shifted(c, -1, 0)),
    _Key("Right", "to the right", lambda c: _shifted(c, 1, 0)),
    _Key("Up", "up", lambda c: _shifted(c, 0, -1)),
    _Key("Down", "down", lambda c: _shifted(c, 0, 1)),
    _Key("m", "mirror the camera", lambda c: _switch(c, "is_mirrored")),
    _Key("o", "show the picture over yourself", lambda c: _switch(c, "shows_source")),
    _Key("f", "freeze, and go on", lambda c: _switch(c, "is_frozen")),
    _Key("question", "show the keys", lambda c: _switch(c, "shows_help")),
    _Key("q", "quit", lambda c: dataclasses.replace(c, has_quit=True)),
)
_OTHER_NAMES = {"equal": "plus", "KP_Add": "plus", "KP_Subtract": "minus", "Escape": "q"}
_SIGNS = {"plus": "+", "minus": "-", "question": "?"}


def press(controls: Controls, key: str) -> Controls:
    """Return the controls after a key, by its name in Tk; other keys change nothing."""
    name = _OTHER_NAMES.get(key, key)
    for each in _KEYS:
        if each.name == name:
            return each.change(controls)
    return controls


def key_lines() -> list[str]:
    """Return a line for each key that says what it does."""
    width = max(len(_SIGNS.get(key.name, key.name)) for key in _KEYS)
    return [f"{_SIGNS.get(key.name, key.name).lower():>{width}}  {key.help}" for key in _KEYS]
