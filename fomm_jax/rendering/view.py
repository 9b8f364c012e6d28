"""What a frame of the result shows: the animation alone, in its place, or beside its origins."""

import dataclasses
from collections.abc import Callable

import numpy as np

from fomm_jax.config.schema import VisualizeConfig
from fomm_jax.media.framing import Framing, PasteBack, cut_shown, shown_size
from fomm_jax.provenance.mark import SourceType
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.reporting.drawing import GAP, draw_keypoints, side_by_side

# From a prediction, the driving frame (both of the model's size; None is black) and its keypoints
# (k, 2) to what is shown, all frames (h, w, 3) uint8.
Draw = Callable[[np.ndarray, np.ndarray | None, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class View:
    """How frames of the result are made."""

    height: int
    width: int
    draw: Draw
    shows_driving: bool = False  # else driving frame and keypoints are not looked at
    source_type: SourceType = SourceType.CREATED


def choose_view(
    picture: np.ndarray,
    frame: np.ndarray,
    framing: Framing,
    options: AnimationOptions,
    visualize: VisualizeConfig,
) -> View:
    """Choose what is shown of the animation of a source.

    Args:
      picture: the source as it came, (h, w, 3) uint8.
      frame: what the model sees of it, (height, width, 3) uint8.
      framing: where in the picture that is.
      options: `paste_back` or `side_by_side`, or neither.
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
            behind = np.zeros(frame.shape) if driving is None else driving / 255
            marked = draw_keypoints(behind, keypoints, visualize.kp_size, visualize.colormap)
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
