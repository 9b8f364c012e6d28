"""The frames of a film: the animation alone, in the whole picture, or beside its inputs."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from fomm_jax.config.schema import VisualizeConfig
from fomm_jax.media.framing import Framing, cut_frame, cut_shown, frame_inside, shown_size
from fomm_jax.media.pasting import PasteBack
from fomm_jax.media.turning import turned_point, turned_size
from fomm_jax.provenance.mark import SourceType
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.reporting.drawing import GAP, draw_keypoints, side_by_side

# Draws a frame of the film from a prediction for each animated part of the source, the driving
# frame (None is drawn black), all of the model's size, and the driving keypoints (k, 2). All
# pictures are (h, w, 3) uint8.
Draw = Callable[[Sequence[np.ndarray], np.ndarray | None, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class View:
    """How the frames of a film are drawn."""

    height: int  # of the film, in pixels
    width: int
    draw: Draw
    shows_driving: bool = False  # False: `draw` ignores the driving frame and its keypoints
    source_type: SourceType = SourceType.CREATED


def choose_view(
    picture: np.ndarray,
    frame: np.ndarray,
    framings: Sequence[Framing],
    options: AnimationOptions,
    visualize: VisualizeConfig,
) -> View:
    """Choose what the film of a source shows.

    Args:
      picture: the whole source, (h, w, 3) uint8.
      frame: the first part of it that the model sees, (height, width, 3) uint8.
      framings: where in the picture its parts are.
      options: the user's choices, of which `faces`, `paste_back` and `side_by_side` count here.
      visualize: how keypoints are drawn.
    """
    height, width = frame.shape[:2]
    if options.paste_back or options.faces is not None:
        return _show_whole(picture, framings)
    if options.side_by_side:

        def draw(
            predictions: Sequence[np.ndarray], driving: np.ndarray | None, keypoints: np.ndarray
        ) -> np.ndarray:
            background = np.zeros(frame.shape) if driving is None else driving / 255
            marked = draw_keypoints(background, keypoints, visualize.kp_size, visualize.colormap)
            return side_by_side([frame, marked, *predictions])

        return View(
            height,
            3 * width + 2 * GAP,
            draw,
            shows_driving=True,
            source_type=SourceType.COMPOSITE,
        )
    if framings[0].tilt:
        return _show_tilted(picture, framings[0], (height, width))
    shown = shown_size(framings[0], (height, width))
    return View(*shown, lambda predictions, *_: cut_shown(predictions[0], framings[0]))


def _show_whole(picture: np.ndarray, framings: Sequence[Framing]) -> View:
    """Show the whole source, with each animated part in its place."""
    pastes = [PasteBack(picture, framing) for framing in framings]

    def draw(predictions: Sequence[np.ndarray], *_: object) -> np.ndarray:
        pasted = picture
        for paste, prediction in zip(pastes, predictions, strict=True):
            pasted = paste(prediction, pasted)
        return pasted

    return View(picture.shape[0], picture.shape[1], draw, source_type=SourceType.EDITED)


def _show_tilted(picture: np.ndarray, framing: Framing, size: tuple[int, int]) -> View:
    """Show the surroundings of a part that was put upright, as they are in the source."""
    height, width = picture.shape[:2]
    left, top, right, bottom = framing.frame
    middle = (left + right) / 2, (top + bottom) / 2
    upright = turned_size(height, width, framing.tilt)
    x, y = turned_point(middle, -framing.tilt, upright, (height, width))
    half = (right - left) / 2, (bottom - top) / 2
    box = x - half[0], y - half[1], x + half[0], y + half[1]
    level = frame_inside(box, (height, width), size)
    paste = PasteBack(picture, framing)
    return View(
        *size,
        lambda predictions, *_: cut_frame(paste(predictions[0]), level, size),
        source_type=SourceType.EDITED,
    )
