"""Pictures that show what the model computes: keypoints, masks and intermediate frames.

Everything runs on the host in NumPy. Pictures are float in [0, 1] until they are laid out side by
side, which makes them uint8. Points are (x, y) on [-1, 1].
"""

import dataclasses
import importlib.util
from collections.abc import Sequence

import numpy as np
from skimage.draw import disk

from fomm_jax.config.schema import VisualizeConfig
from fomm_jax.errors import InputError
from fomm_jax.types import Array, GeneratorOutput

GAP = 4  # pixels of white between pictures side by side
LEVELS = 256  # of a colour map
# Matplotlib's colour map of this name: positions on [0, 1], and red, green and blue there. Pictures
# in these colours, which are the default, need no Matplotlib.
RAINBOW = "gist_rainbow"
RAINBOW_COLOURS = (
    (0.0, 1.0, 0.0, 0.16),
    (0.03, 1.0, 0.0, 0.0),
    (0.215, 1.0, 1.0, 0.0),
    (0.4, 0.0, 1.0, 0.0),
    (0.586, 0.0, 1.0, 1.0),
    (0.77, 0.0, 0.0, 1.0),
    (0.954, 1.0, 0.0, 1.0),
    (1.0, 1.0, 0.0, 0.75),
)


@dataclasses.dataclass(frozen=True, eq=False)
class FramesWithPoints:
    """A batch of frames, and the keypoints to draw into each."""

    frames: Array  # (b, h, w, 3) float in [0, 1]
    points: Array  # (b, k, 2) in (x, y) order on [-1, 1]


def keypoint_colours(num_kp: int, colormap: str) -> np.ndarray:
    """Choose the colours of the keypoints and of the masks that belong to them.

    Returns:
      (k, 3) float in [0, 1]: keypoint i has the colour at i / k of Matplotlib's `colormap`.

    Raises:
      InputError: it is not the default, and Matplotlib is not installed.
    """
    places = np.arange(num_kp) / num_kp
    if colormap == RAINBOW:
        return _rainbow((places * LEVELS).astype(int))
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError(
            f"config.visualize.colormap={colormap}: needs the package matplotlib; expected"
            f" {RAINBOW}, or `pip install 'fomm_jax[train]'`"
        )
    import matplotlib  # slow to import, and optional

    return matplotlib.colormaps[colormap](places)[:, :3]


def _rainbow(levels: np.ndarray) -> np.ndarray:
    """Return the colours at some levels of the default map, rounded as Matplotlib rounds them."""
    table = np.array(RAINBOW_COLOURS)
    positions, colours = (LEVELS - 1) * table[:, 0], table[:, 1:]
    places = (LEVELS - 1) * np.linspace(0, 1, LEVELS)[levels]
    after = np.clip(np.searchsorted(positions, places), 1, None)
    before = after - 1
    shares = (places - positions[before]) / (positions[after] - positions[before])
    return shares[:, np.newaxis] * (colours[after] - colours[before]) + colours[before]


def draw_keypoints(
    picture: np.ndarray, points: np.ndarray, kp_size: float, colormap: str
) -> np.ndarray:
    """Draw each keypoint as a disk of its colour; a later one covers an earlier one.

    Args:
      picture: (h, w, 3) float in [0, 1].
      points: (k, 2) in (x, y) order on [-1, 1]; a point outside this range is not visible.
      kp_size: the radius of a disk in pixels.
      colormap: the name of one of Matplotlib's colour maps.

    Returns:
      (h, w, 3) float in [0, 1]; `picture` itself is not changed.
    """
    height, width = picture.shape[:2]
    drawn = picture.copy()
    # The original draws half a pixel off the coordinates of `geometry.coordinate_grid`.
    centres = np.array([width, height]) * (points + 1) / 2
    for (x, y), colour in zip(centres, keypoint_colours(len(points), colormap), strict=True):
        drawn[disk((y, x), kp_size, shape=(height, width))] = colour
    return drawn


def draw_grid(
    config: VisualizeConfig,
    source: FramesWithPoints,
    driving: FramesWithPoints,
    output: GeneratorOutput,
    *,
    transformed: FramesWithPoints | None = None,
) -> np.ndarray:
    """Draw a row for each sample and a column for each quantity that the model computes.

    The columns are: source with keypoints; transformed frame with keypoints (if given); driving
    frame with keypoints; deformed source; prediction; occlusion map (if estimated). For each
    motion, background first, two columns follow: the source deformed by this motion alone, and the
    motion's mask, white for the background and in the keypoint's colour for the others. The last
    column is the sum of the coloured masks, in which the background is black.

    Args:
      config: the size and colours of the keypoints, and whether white lines separate the columns.
      source: the source pictures.
      driving: the driving frames.
      output: the generator's output for `source` and `driving`.
      transformed: the frames of the equivariance losses.

    Returns:
      (b * h, columns * w, 3) uint8.
    """

    def with_keypoints(pictures: FramesWithPoints) -> np.ndarray:
        pairs = zip(np.asarray(pictures.frames), np.asarray(pictures.points), strict=True)
        return np.stack([draw_keypoints(*pair, config.kp_size, config.colormap) for pair in pairs])

    size = (source.frames.shape[1], source.frames.shape[2])
    columns = [with_keypoints(source)]
    if transformed is not None:
        columns.append(with_keypoints(transformed))
    columns.append(with_keypoints(driving))
    columns += [np.asarray(output.deformed), np.asarray(output.prediction)]
    for occlusion_map in output.dense_motion.occlusion_maps[-1:]:
        visible = _resize_nearest(np.asarray(occlusion_map), size)
        columns.append(np.repeat(visible, 3, axis=-1))
    columns += _motion_columns(output, size, config.colormap)
    if config.draw_border:
        columns = [_with_border(column) for column in columns]
    return _to_uint8(np.concatenate([np.concatenate(column) for column in columns], axis=1))


def side_by_side(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Lay out pictures of one size in a row, with white between them.

    Args:
      pictures: (h, w, 3), uint8 or float in [0, 1].

    Returns:
      (h, pictures * (w + GAP) - GAP, 3) uint8.
    """
    height, width = pictures[0].shape[:2]
    row = np.full((height, len(pictures) * (width + GAP) - GAP, 3), 255, np.uint8)
    for i, picture in enumerate(pictures):
        left = i * (width + GAP)
        row[:, left : left + width] = picture if picture.dtype == np.uint8 else _to_uint8(picture)
    return row


def _motion_columns(
    output: GeneratorOutput, size: tuple[int, int], colormap: str
) -> list[np.ndarray]:
    """Draw the columns of the single motions, and the sum of their masks; each (b, *size, 3)."""
    sparse_deformed = np.asarray(output.dense_motion.sparse_deformed)
    mask = np.asarray(output.dense_motion.mask)
    colours = keypoint_colours(mask.shape[-1] - 1, colormap)
    columns = []
    total = np.zeros((len(mask), *size, 3))
    for i in range(mask.shape[-1]):
        share = _resize_nearest(mask[..., i : i + 1], size)
        tinted = share * (np.ones(3) if i == 0 else colours[i - 1])
        columns += [_resize_nearest(sparse_deformed[:, i], size), tinted]
        if i > 0:
            total += tinted
    return [*columns, total]


def _resize_nearest(pictures: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize (b, h, w, c) to (b, *size, c): pixel i is the one at floor(i * old / new)."""
    rows, columns = (
        np.arange(n) * old // n for n, old in zip(size, pictures.shape[1:3], strict=True)
    )
    return pictures[:, rows[:, np.newaxis], columns]


def _with_border(pictures: np.ndarray) -> np.ndarray:
    bordered = pictures.copy()
    bordered[:, :, [0, -1]] = 1
    return bordered


def _to_uint8(picture: np.ndarray) -> np.ndarray:
    """Truncate to whole levels, as the original does, so that pictures agree in every pixel."""
    return (255 * np.clip(picture, 0, 1)).astype(np.uint8)
