"""Metrics: how far generated frames are from the real ones.

The functions are pure functions of host arrays.
"""

import numpy as np
from skimage.metrics import mean_squared_error, structural_similarity

# The PSNR of identical frames, which would be infinite and make every mean infinite. A difference
# of one level in one channel of one pixel of 256 x 256 gives 101 dB.
PSNR_LIMIT = 100.0
SSIM_WINDOW = 11  # pixels

# All metrics by the names that output files use, in their order, with their meanings.
METRICS = {
    "l1": "mean |generated - real| on [0, 1], before truncation to 8 bits; lower is better",
    "psnr": "peak signal-to-noise ratio in dB; higher is better",
    "ssim": "structural similarity; higher is better, 1 means identical",
    "lpips_vgg16": "learned perceptual distance by VGG16; lower is better",
    "lpips_alexnet": "learned perceptual distance by AlexNet; lower is better",
    "jitter": "mean norm of the second difference over time of the model's own keypoints, which lie"
    " on [-1, 1], in the generated frames; compare it with jitter_real",
    "jitter_real": "the same in the real frames",
    "akd_per_coordinate": "average keypoint distance: mean |Δ| of the coordinates of the"
    " evaluator's keypoints in pixels, which the original's evaluation code calls AKD; lower is"
    " better",
    "akd_distance": "mean Euclidean distance of the same keypoints in pixels; lower is better",
    "mkr": "missing keypoint rate: the share of the keypoints detected in real frames that are not"
    " detected in the generated ones; lower is better",
    "aed_squared_distance": "average Euclidean distance: mean squared distance of the evaluator's"
    " identity vectors, which the original's evaluation code calls AED; lower is better",
    "aed_distance": "mean distance of the same vectors; lower is better",
}
EVALUATOR_METRICS = (  # those that need an evaluator
    "akd_per_coordinate",
    "akd_distance",
    "mkr",
    "aed_squared_distance",
    "aed_distance",
)
# Numbers of frames that do not count in AKD and AED because the evaluator detected nothing.
COUNTS = {
    "undetected_real": "real frames without detected keypoints",
    "undetected_generated": "generated frames without detected keypoints",
    "unidentified_real": "real frames without an identity vector",
    "unidentified_generated": "generated frames without an identity vector",
}


def psnr(generated: np.ndarray, real: np.ndarray) -> float:
    """Compute the peak signal-to-noise ratio in dB, at most `PSNR_LIMIT`.

    Args:
      generated: (h, w, c) uint8.
      real: (h, w, c) uint8.
    """
    error = mean_squared_error(generated, real)
    return PSNR_LIMIT if error == 0 else min(PSNR_LIMIT, float(10 * np.log10(255**2 / error)))


def ssim(generated: np.ndarray, real: np.ndarray) -> float:
    """Compute the structural similarity, at most 1, as the mean over the channels.

    Windows and constants are those of Wang et al. (2004); a window is `SSIM_WINDOW` pixels wide.

    Args:
      generated: (h, w, c) uint8; h and w at least `SSIM_WINDOW`.
      real: (h, w, c) uint8.
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
    """Compute the keypoint distances (AKD) and the missing keypoint rate (MKR) of a frame.

    Args:
      generated: an evaluator's keypoints in the generated frame, (k, 2) in pixels. A point that it
        did not detect is NaN. None if it detected nothing.
      real: the same in the real frame.

    Returns:
      These metrics, without those that are not defined. `akd_per_coordinate`: mean |Δ| over the
      coordinates of the points detected in both frames, which the original's evaluation code calls
      AKD. `akd_distance`: the mean Euclidean distance of these points. `mkr`: the share of the
      points detected in the real frame that are not detected in the generated one.
    """
    if real is None:
        return {}
    if generated is None:
        generated = np.full_like(real, np.nan)
    in_real = ~np.isnan(real).any(axis=-1)
    in_both = in_real & ~np.isnan(generated).any(axis=-1)
    metrics = {}
    if in_both.any():
        difference = generated[in_both] - real[in_both]
        metrics["akd_per_coordinate"] = float(np.abs(difference).mean())
        metrics["akd_distance"] = float(np.linalg.norm(difference, axis=-1).mean())
    if in_real.any():
        metrics["mkr"] = 1 - int(in_both.sum()) / int(in_real.sum())
    return metrics


def compare_identities(generated: np.ndarray | None, real: np.ndarray | None) -> dict[str, float]:
    """Compute the distances (AED) between the identity vectors of a frame.

    Args:
      generated: an evaluator's vector (n,) for the generated frame, None if it detected nobody.
      real: the same for the real frame.

    Returns:
      `aed_squared_distance`: ‖Δ‖², which the original's evaluation code calls AED, and
      `aed_distance`: ‖Δ‖. Neither if a vector is missing.
    """
    if generated is None or real is None:
        return {}
    squared = float(np.sum((generated - real) ** 2))
    return {"aed_squared_distance": squared, "aed_distance": squared**0.5}
