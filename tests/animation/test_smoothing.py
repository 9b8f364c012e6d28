"""The One-Euro filter: against another formulation, and what it does to what is known."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.signal import savgol_filter

from fomm_jax.animation.smoothing import (
    JitterMeter,
    OneEuro,
    OneEuroFilter,
    jitter,
    smooth_motion,
)
from fomm_jax.media.faces import DlibFaceEvaluator
from fomm_jax.media.framing import fit_frame
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.models.first_order.keypoints import Keypoints
from fomm_jax.models.first_order.model import FirstOrderModel

SETTINGS = OneEuro(fps=25.0)
RANDOM = np.random.default_rng(0)


def test_even_motion_does_not_jitter():
    steps = np.arange(7)[:, None, None]
    even = steps * np.array([[0.1, -0.2], [0.0, 0.3]]) + 0.5
    np.testing.assert_allclose(jitter(even), np.zeros(5), atol=1e-15)


def test_jitter_is_the_mean_norm_of_the_second_difference():
    keypoints = np.zeros((5, 2, 2))
    keypoints[2, 0] = 0.3, 0.4  # one of two keypoints leaves and returns
    np.testing.assert_allclose(jitter(keypoints), [0.25, 0.5, 0.25])


@pytest.mark.parametrize("num_frames", [0, 1, 2])
def test_a_short_video_has_no_jitter(num_frames):
    assert jitter(np.ones((num_frames, 3, 2))).shape == (0,)


def one_euro_of_the_paper(signal, settings):
    """Algorithm 1 and 2 of Casiez et al., scalar by scalar, as they print it."""

    def alpha(cutoff):
        tau = 1 / (2 * math.pi * cutoff)
        period = 1 / settings.fps
        return 1 / (1 + tau / period)

    def low_pass(value, last, share):
        return share * value + (1 - share) * last

    result = []
    for i, x in enumerate(signal):
        dx = 0.0 if i == 0 else (x - result[-1]) * settings.fps
        edx = dx if i == 0 else low_pass(dx, edx, alpha(settings.speed_cutoff))  # noqa: F821
        cutoff = settings.min_cutoff + settings.beta * abs(edx)
        result.append(x if i == 0 else low_pass(x, result[-1], alpha(cutoff)))
    return np.array(result)


@pytest.mark.parametrize(
    "settings",
    [SETTINGS, OneEuro(60.0, min_cutoff=0.3, beta=0.0), OneEuro(12.5, 2.0, 40.0, 3.0)],
)
def test_the_filter_is_that_of_the_paper(settings):
    signals = RANDOM.standard_normal((40, 3, 2)).cumsum(axis=0)
    one_euro = OneEuroFilter(settings)
    actual = np.stack([one_euro(frame) for frame in signals])
    for index in np.ndindex(3, 2):
        expected = one_euro_of_the_paper(signals[:, *index].tolist(), settings)
        np.testing.assert_allclose(actual[:, *index], expected, rtol=0, atol=1e-12)


def test_what_rests_stays_to_the_last_bit():
    frame = RANDOM.standard_normal((10, 2)).astype(np.float32)
    one_euro = OneEuroFilter(SETTINGS)
    for _ in range(30):
        actual = one_euro(frame)
        assert actual.dtype == np.float32
        np.testing.assert_array_equal(actual, frame)


def test_an_even_movement_is_followed_with_a_lag_that_beta_shortens():
    line = np.arange(200)[:, None, None] * np.full((1, 1), 0.02)  # half the picture a second

    def lag(settings):
        one_euro = OneEuroFilter(settings)
        return [float((frame - one_euro(frame))[0, 0]) / 0.02 for frame in line][-1]

    for settings in (SETTINGS, dataclasses.replace(SETTINGS, beta=0.0)):
        # Steady: x̂ makes a step of a (x - x̂) at each frame, so that x - x̂ is 1 / a steps before
        # it and one less after it.
        frames = lag(settings)
        cutoff = settings.min_cutoff + settings.beta * (frames + 1) * 0.02 * settings.fps
        share = 1 / (1 + settings.fps / (2 * math.pi * cutoff))
        assert frames + 1 == pytest.approx(1 / share, rel=1e-6)
    assert lag(SETTINGS) < 0.5 * lag(dataclasses.replace(SETTINGS, beta=0.0))


def noisy_keypoints(count=200):
    """Make a slow turn with trembling of half a pixel in 256, its true course first."""
    time = np.arange(count) / 25.0
    course = 0.4 * np.stack([np.sin(time), np.cos(time)], axis=-1)[:, None]
    noisy = course + RANDOM.normal(0, 0.004, (count, 5, 2))
    jacobian = np.eye(2) + RANDOM.normal(0, 0.02, (count, 5, 2, 2))
    frames = zip(noisy.astype(np.float32), jacobian.astype(np.float32), strict=True)
    return course, [Keypoints(*frame) for frame in frames]


def test_keypoints_and_jacobians_tremble_less_and_stay_near_their_course():
    course, keypoints = noisy_keypoints()
    before, after = JitterMeter(FirstOrderModel.points), JitterMeter(FirstOrderModel.points)
    actual = list(after.watch(smooth_motion(before.watch(keypoints), SETTINGS)))
    raw, smooth = (np.stack([frame.value for frame in frames]) for frames in (keypoints, actual))
    assert before.mean == pytest.approx(jitter(raw).mean())
    assert after.mean == pytest.approx(jitter(smooth).mean())
    assert after.mean < 0.6 * before.mean
    assert np.abs(smooth - course)[25:].mean() < 2 / 255  # a pixel of 256, lag included
    raw, smooth = (
        np.std([frame.jacobian for frame in frames], axis=0).mean()
        for frames in (keypoints, actual)
    )
    assert smooth < 0.7 * raw


def test_smoothing_is_causal_and_keeps_step_with_the_stream():
    _, keypoints = noisy_keypoints(6)
    taken = []

    def stream(frames):
        for frame in frames:
            taken.append(frame)
            yield frame

    smoothed = smooth_motion(stream(keypoints), SETTINGS)
    assert not taken
    first = [next(smoothed) for _ in range(3)]
    assert len(taken) == 3
    shorter = list(smooth_motion(keypoints[:3], SETTINGS))
    for actual, expected in zip(first, shorter, strict=True):
        np.testing.assert_array_equal(actual.value, expected.value)
        np.testing.assert_array_equal(actual.jacobian, expected.jacobian)


def test_keypoints_without_jacobians_are_smoothed_too():
    _, keypoints = noisy_keypoints(4)
    zero_order = [Keypoints(frame.value) for frame in keypoints]
    for actual, full in zip(
        smooth_motion(zero_order, SETTINGS), smooth_motion(keypoints, SETTINGS), strict=True
    ):
        assert actual.jacobian is None
        np.testing.assert_array_equal(actual.value, full.value)


def test_two_frames_have_no_jitter():
    meter = JitterMeter(FirstOrderModel.points)
    list(meter.watch(noisy_keypoints(2)[1]))
    assert meter.mean is None


@pytest.mark.slow
def test_landmarks_of_a_speaking_face(shared):
    pytest.importorskip("dlib", reason="fomm_jax[evaluation] is not installed")
    evaluator = DlibFaceEvaluator()
    film = iterate_frames(shared / "data" / "media" / "driving_480x480_25fps_audio.mp4")
    landmarks = np.stack([evaluator.keypoints(fit_frame(frame, 256, 256)) for frame in film])
    corners = [30, 36, 45, 48, 54, 8, 62, 66, 19, 24]  # of nose, eyes, mouth, chin and brows
    raw = landmarks[:, corners] / 127.5 - 1
    one_euro = OneEuroFilter(SETTINGS)
    smooth = np.stack([one_euro(frame) for frame in raw])
    assert jitter(smooth).mean() / jitter(raw).mean() == pytest.approx(0.39, abs=0.01)
    course = savgol_filter(raw, 9, 2, axis=0)  # looks at later frames, so that it does not lag
    off = [np.abs(points - course)[10:].mean() for points in (smooth, raw)]
    assert off[0] / off[1] == pytest.approx(1.06, abs=0.02)
