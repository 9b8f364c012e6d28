"""The choice of a pair's two frames, and the geometric augmentation on the host.

All randomness comes from the generator that the caller passes. On the device,
`fomm_jax.training.step.augmentation` flips pairs and changes their colours.
"""

import numpy as np
from skimage.transform import resize, rotate

from fomm_jax.config.schema import AugmentationConfig

INTERPOLATION_ORDERS = {"nearest": 0, "bilinear": 1}


def sample_pair(num_frames: int, rng: np.random.Generator) -> np.ndarray:
    """Draw two frame numbers below `num_frames`, with replacement, and sort them: (2,) int64."""
    return np.sort(rng.integers(num_frames, size=2))


def augment(
    frames: np.ndarray, augmentation: AugmentationConfig, rng: np.random.Generator
) -> np.ndarray:
    """Rotate, resize and crop all frames in the same way; each step only if it is configured.

    Args:
      frames: (t, h, w, c) uint8.
      augmentation: the configuration; the fields `rotation_degrees`, `resize_ratio`,
        `resize_interpolation` and `crop_size` are used.
      rng: draws the angle, then the scale factor, then the row and the column of the crop.

    Returns:
      (t, h', w', c) uint8; (h', w') is `crop_size` if that is set.
    """
    changed = frames
    if augmentation.rotation_degrees is not None:
        changed = rotate_frames(changed, rng.uniform(*augmentation.rotation_degrees))
    if augmentation.resize_ratio is not None:
        order = INTERPOLATION_ORDERS[augmentation.resize_interpolation]
        changed = resize_frames(changed, rng.uniform(*augmentation.resize_ratio), order)
    if augmentation.crop_size is not None:
        changed = crop_frames(changed, augmentation.crop_size, rng)
    # Round once at the end: 8 bits between the steps would add noise.
    return changed if changed.dtype == np.uint8 else np.rint(changed).astype(np.uint8)


def rotate_frames(frames: np.ndarray, degrees: float) -> np.ndarray:
    """Rotate frames (t, h, w, c) counter-clockwise about their centre.

    Returns:
      (t, h, w, c) float, 0 to 255, interpolated bilinearly, with black corners.
    """
    return np.stack([rotate(frame, degrees, preserve_range=True) for frame in frames])


def resize_frames(frames: np.ndarray, factor: float, order: int) -> np.ndarray:
    """Scale the height and the width of frames.

    Args:
      frames: (t, h, w, c), 0 to 255.
      factor: the scale factor, above 0.
      order: the order of the interpolation: 0 for the nearest pixel, 1 for bilinear.

    Returns:
      (t, h * factor, w * factor, c) float, 0 to 255, with both sizes rounded down. Frames are
      smoothed before they are shrunk.
    """
    height, width = frames.shape[1:3]
    size = (int(height * factor), int(width * factor))
    return np.stack(
        [
            resize(frame, size, order, mode="constant", preserve_range=True, anti_aliasing=True)
            for frame in frames
        ]
    )


def crop_frames(frames: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Crop all frames to `size` at the same place, which is drawn uniformly.

    Frames that are too small are padded by their edge first, equally on both sides; an odd pixel
    goes to the bottom or the right.

    Args:
      frames: (t, h, w, c).
      size: (height, width) of the crop in pixels.
      rng: draws the row, then the column of the crop.

    Returns:
      (t, height, width, c), in the dtype of the frames.
    """
    height, width = size
    missing = [max(0, height - frames.shape[1]), max(0, width - frames.shape[2])]
    margins = [(pixels // 2, (pixels + 1) // 2) for pixels in missing]
    padded = np.pad(frames, ((0, 0), *margins, (0, 0)), mode="edge")
    top = rng.integers(padded.shape[1] - height, endpoint=True)
    left = rng.integers(padded.shape[2] - width, endpoint=True)
    return padded[:, top : top + height, left : left + width]
