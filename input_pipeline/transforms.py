"""Which two frames make a training pair, and the geometric augmentation of the host.

All randomness comes from the generator that is handed in. Flips and colours are changed on the
device, in `fomm_jax.training.augmentation`.
"""

import numpy as np
from skimage.transform import resize, rotate

from fomm_jax.config.schema import AugmentationConfig

INTERPOLATION_ORDERS = {"nearest": 0, "bilinear": 1}


def sample_pair(num_frames: int, rng: np.random.Generator) -> np.ndarray:
    """Two frame numbers below `num_frames`, drawn with replacement and sorted: (2,) int64."""
    return np.sort(rng.integers(num_frames, size=2))


def augment(
    frames: np.ndarray, augmentation: AugmentationConfig, rng: np.random.Generator
) -> np.ndarray:
    """Rotate, resize and crop all frames alike, each step only where it is configured.

    Args:
      frames: (t, h, w, c) uint8.
      augmentation: its fields `rotation_degrees`, `resize_ratio`, `resize_interpolation` and
        `crop_size` are used.
      rng: draws the angle, then the scale factor, then the crop's row and column.

    Returns:
      (t, h', w', c) uint8, with (h', w') equal to `crop_size` where that is set.
    """
    changed = frames
    if augmentation.rotation_degrees is not None:
        changed = rotate_frames(changed, rng.uniform(*augmentation.rotation_degrees))
    if augmentation.resize_ratio is not None:
        order = INTERPOLATION_ORDERS[augmentation.resize_interpolation]
        changed = resize_frames(changed, rng.uniform(*augmentation.resize_ratio), order)
    if augmentation.crop_size is not None:
        changed = crop_frames(changed, augmentation.crop_size, rng)
    # Rounded once at the end: 8 bits between the steps would add noise.
    return changed if changed.dtype == np.uint8 else np.rint(changed).astype(np.uint8)


def rotate_frames(frames: np.ndarray, degrees: float) -> np.ndarray:
    """Turn counter-clockwise about the centre, bilinear, black where nothing was: float."""
    return np.stack([rotate(frame, degrees, preserve_range=True) for frame in frames])


def resize_frames(frames: np.ndarray, factor: float, order: int) -> np.ndarray:
    """Scale height and width by `factor`, rounded down, smoothed first where it shrinks: float.

    Args:
      frames: (t, h, w, c), range 0 to 255.
      factor: above 0.
      order: of the interpolation, 0 for the nearest pixel and 1 for bilinear.
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
    """Cut (height, width) `size` out at a uniformly drawn place, the same in all frames.

    Frames that are too small are first continued by their edge, equally on both sides; an odd
    pixel goes to the bottom or the right.
    """
    height, width = size
    missing = [max(0, wanted - had) for wanted, had in zip(size, frames.shape[1:3], strict=True)]
    margins = [(lacking // 2, (lacking + 1) // 2) for lacking in missing]
    padded = np.pad(frames, ((0, 0), *margins, (0, 0)), mode="edge")
    top = rng.integers(padded.shape[1] - height, endpoint=True)
    left = rng.integers(padded.shape[2] - width, endpoint=True)
    return padded[:, top : top + height, left : left + width]
