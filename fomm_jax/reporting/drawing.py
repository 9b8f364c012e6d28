"""Pictures of what the model does: keypoints, masks and the frames between, on the host in NumPy.

Pictures are float in [0, 1] until they are put together, which makes them uint8.
"""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.colors import Colormap
from skimage.draw import disk

from fomm_jax.config.schema import VisualizeConfig
from fomm_jax.types import Array, GeneratorOutput, Keypoints

GAP = 4  # pixels of white between pictures side by side


def keypoint_colours(num_kp: int, colormap: str) -> np.ndarray:
    """Choose the colours of the keypoints, and of the masks that go with them.

    Returns:
      (k, 3) float in [0, 1]: keypoint i has the colour at i / k of Matplotlib's `colormap`.
    """
    colours: Colormap = matplotlib.colormaps[colormap]
    return colours(np.arange(num_kp) / num_kp)[:, :3]


def draw_keypoints(
    picture: np.ndarray, value: np.ndarray, kp_size: float, colormap: str
) -> np.ndarray:
    """Draw each keypoint as a disk of its colour; a later one covers an earlier one.

    Args:
      picture: (h, w, 3) float in [0, 1].
      value: (k, 2) in (x, y) order on [-1, 1]; what lies outside is not seen.
      kp_size: radius in pixels.
      colormap: one of Matplotlib's.

    Returns:
      (h, w, 3) float in [0, 1]; `picture` is left as it is.
    """
    height, width = picture.shape[:2]
    drawn = picture.copy()
    # As the original has it: half a pixel off the coordinates of `geometry.coordinate_grid`.
    centres = np.array([width, height]) * (value + 1) / 2
    for (x, y), colour in zip(centres, keypoint_colours(len(value), colormap), strict=True):
        drawn[disk((y, x), kp_size, shape=(height, width))] = colour
    return drawn


def draw_grid(
    config: VisualizeConfig,
    source: Array,
    driving: Array,
    source_keypoints: Keypoints,
    driving_keypoints: Keypoints,
    output: GeneratorOutput,
    *,
    transformed: tuple[Array, Keypoints] | None = None,
) -> np.ndarray:
    """Draw a row for each sample and a column for each thing that the model computes.

    The columns: source with keypoints; transformed frame with keypoints (if given); driving frame
    with keypoints; deformed source; prediction; occlusion map (if estimated); for each motion,
    background first, the source that it alone deforms and its mask in the colour of its keypoint
    (the background's in white); at last the sum of the masks, where the background is black.

    Args:
      config: size and colours of the keypoints; whether white lines part the columns.
      source: (b, h, w, 3) float in [0, 1].
      driving: (b, h, w, 3) float in [0, 1].
      source_keypoints: of `source`.
      driving_keypoints: of `driving`.
      output: what the generator made of them.
      transformed: the frame of the equivariance losses (b, h, w, 3) and its keypoints.

    Returns:
      (b * h, columns * w, 3) uint8.
    """

    def with_keypoints(pictures: Array, keypoints: Keypoints) -> np.ndarray:
        drawn = zip(np.asarray(pictures), np.asarray(keypoints.value), strict=True)
        return np.stack([draw_keypoints(*pair, config.kp_size, config.colormap) for pair in drawn])

    size = (source.shape[1], source.shape[2])
    columns = [with_keypoints(source, source_keypoints)]
    if transformed is not None:
        columns.append(with_keypoints(*transformed))
    columns.append(with_keypoints(driving, driving_keypoints))
    columns += [np.asarray(output.deformed), np.asarray(output.prediction)]
    if output.dense_motion.occlusion_map is not None:
        occlusion_map = _resize_nearest(np.asarray(output.dense_motion.occlusion_map), size)
        columns.append(np.repeat(occlusion_map, 3, axis=-1))
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
    """Bring (b, h, w, c) to (b, *size, c), each pixel from the one at floor(i * old / new)."""
    rows, columns = (
        np.arange(n) * old // n for n, old in zip(size, pictures.shape[1:3], strict=True)
    )
    return pictures[:, rows[:, np.newaxis], columns]


def _with_border(pictures: np.ndarray) -> np.ndarray:
    bordered = pictures.copy()
    bordered[:, :, [0, -1]] = 1
    return bordered


def _to_uint8(picture: np.ndarray) -> np.ndarray:
    """Cut off the fraction, as the original does, so that pictures compare pixel by pixel."""
    return (255 * np.clip(picture, 0, 1)).astype(np.uint8)
