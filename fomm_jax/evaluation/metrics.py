"""Figures that say how far generated frames are from the real ones.

All of them are pure functions of host arrays.
"""

import numpy as np
from skimage.metrics import mean_squared_error, structural_similarity

# Of identical frames, whose PSNR is infinite and would make every mean infinite. One level in one
# channel of one pixel of 256 x 256 makes 101 dB.
PSNR_LIMIT = 100.0
SSIM_WINDOW = 11  # pixels


def psnr(generated: np.ndarray, real: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB, at most `PSNR_LIMIT`.

    Args:
      generated, real: (h, w, c) uint8.
    """
    error = mean_squared_error(generated, real)
    return PSNR_LIMIT if error == 0 else min(PSNR_LIMIT, float(10 * np.log10(255**2 / error)))


def ssim(generated: np.ndarray, real: np.ndarray) -> float:
    """Structural similarity with the windows and constants of Wang et al. (2004), at most 1.

    It is the mean over the channels. Its windows are `SSIM_WINDOW` pixels wide.

    Args:
      generated, real: (h, w, c) uint8, h and w at least that.
    """
    return float(
        structural_similarity(
            generated,
            real,
            channel_axis=-1,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def compare_keypoints(generated: np.ndarray | None, real: np.ndarray | None) -> dict[str, float]:
    """Average keypoint distance (AKD) and missing keypoint rate (MKR) of a frame.

    Args:
      generated, real: (k, 2) in pixels as an evaluator found them, NaN for a point that it did not
        find, None where it found nothing.

    Returns:
      Those of three figures that are defined. `akd_per_coordinate`: mean |Δ| over the coordinates
      of the points found in both, which is what the original's evaluation code calls AKD.
      `akd_distance`: their mean Euclidean distance. `mkr`: of the points found in the real frame,
      the share that is not found in the generated one.
    """
    if real is None:
        return {}
    if generated is None:
        generated = np.full_like(real, np.nan)
    in_real = ~np.isnan(real).any(axis=-1)
    in_both = in_real & ~np.isnan(generated).any(axis=-1)
    figures = {}
    if in_both.any():
        difference = generated[in_both] - real[in_both]
        figures["akd_per_coordinate"] = float(np.abs(difference).mean())
        figures["akd_distance"] = float(np.linalg.norm(difference, axis=-1).mean())
    if in_real.any():
        figures["mkr"] = 1 - int(in_both.sum()) / int(in_real.sum())
    return figures


def compare_identities(generated: np.ndarray | None, real: np.ndarray | None) -> dict[str, float]:
    """Average Euclidean distance (AED) between the identity vectors of a frame.

    Args:
      generated, real: (n,) from an evaluator, None where it found nobody.

    Returns:
      `aed_squared_distance`: ‖Δ‖², which is what the original's evaluation code calls AED.
      `aed_distance`: ‖Δ‖, as the name says. Nothing where a vector is missing.
    """
    if generated is None or real is None:
        return {}
    squared = float(np.sum((generated - real) ** 2))
    return {"aed_squared_distance": squared, "aed_distance": squared**0.5}
