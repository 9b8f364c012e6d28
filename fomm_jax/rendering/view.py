"""The frames of a film: the animation alone, in the whole picture, or beside its inputs."""

import dataclasses
from collections.abc import Callable

import numpy as np

from fomm_jax.config.schema import VisualizeConfig
from fomm_jax.media.framing import Framing, PasteBack, cut_shown, shown_size
from fomm_jax.provenance.mark import SourceType
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.reporting.drawing import GAP, draw_keypoints, side_by_side

# Draws a frame of the film from a prediction, the driving frame (None is drawn black), both of the
# model's size, and the driving keypoints (k, 2). All pictures are (h, w, 3) uint8.
Draw = Callable[[np.ndarray, np.ndarray | None, np.ndarray], np.ndarray]


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
    framing: Framing,
    options: AnimationOptions,
    visualize: VisualizeConfig,
) -> View:
    """Choose what the film of a source shows.

    Args:
      picture: the whole source, (h, w, 3) uint8.
      frame: the part of it that the model sees, (height, width, 3) uint8.
      framing: where in the picture that part is.
      options: the user's choices, of which `paste_back` and `side_by_side` count here.
      visualize: how keypoints are drawn.
    """
    height, width = frame.shape[:2]
    if options.paste_back:
        paste = PasteBack(picture, framing)
        return View(
            picture.shape[0],
            picture.shape[1],
            lambda prediction, *_: paste(prediction),
            source_type=SourceType.EDITED,
        )
    if options.side_by_side:

        def draw(
            prediction: np.ndarray, driving: np.ndarray | None, keypoints: np.ndarray
        ) -> np.ndarray:
            background = np.zeros(frame.shape) if driving is None else driving / 255
            marked = draw_keypoints(background, keypoints, visualize.kp_size, visualize.colormap)
            return side_by_side([frame, marked, prediction])

        return View(
            height,
            3 * width + 2 * GAP,
            draw,
            shows_driving=True,
            source_type=SourceType.COMPOSITE,
        )
    shown = shown_size(framing, (height, width))
    return View(*shown, lambda prediction, *_: cut_shown(prediction, framing))
