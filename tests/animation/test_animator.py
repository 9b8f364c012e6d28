"""Animation: against the original's recordings, and frame by frame on the host."""

import dataclasses
import itertools
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from flax import nnx

import fomm_jax
from fomm_jax.animation.animator import Animator
from fomm_jax.animation.compiled_model import CompiledModel, programs_of
from fomm_jax.animation.motion import Motion
from fomm_jax.animation.smoothing import OneEuro, smooth_motion
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.errors import InputError
from fomm_jax.models.first_order.generator import Generator
from fomm_jax.models.first_order.keypoint_detector import KeypointDetector
from fomm_jax.ops.convolution import ONE_CPU
from fomm_jax.parity import recordings
from fomm_jax.parity.animated_clip import animate_clip

RECORDING = reference.Recording(reference.IN_REPOSITORY / "tiny_first_order")
RANDOM = np.random.default_rng(0)

combinations = pytest.mark.parametrize(
    ("relative", "adapt"), list(itertools.product((False, True), repeat=2))
)


def normalization(relative, adapt=False):
    return NormalizationConfig(
        adapt_movement_scale=adapt, use_relative_movement=relative, use_relative_jacobian=relative
    )


def check_animation(recording, source, driving, recorded, relative, adapt):
    """Compare with `relative_R_adapt_scale_A` among the recorded arrays; frames are NHWC."""
    prefix = f"relative_{relative:d}_adapt_scale_{adapt:d}"
    model = CompiledModel(recording.model(np.float32), recording.config, ONE_CPU)
    clip = animate_clip(model, source, driving, normalization(relative, adapt))
    for name, array in {
        "prediction": clip.prediction,
        "kp_value": clip.transferred.value,
        "kp_jacobian": clip.transferred.jacobian,
    }.items():
        np.testing.assert_allclose(
            array, recorded[f"{prefix}/{name}"], rtol=0, atol=1e-4, err_msg=name
        )


@combinations
def test_animation_is_the_originals(relative, adapt):
    recorded = RECORDING.below("animation/")
    count = len(recorded["relative_0_adapt_scale_0/prediction"])
    source, driving = (
        recordings.to_nhwc(RECORDING.arrays[f"inputs/{name}"]) for name in ("source", "driving")
    )
    check_animation(RECORDING, source[:1], driving[:count], recorded, relative, adapt)


@combinations
def test_animation_of_a_face_is_the_originals(shared, relative, adapt):
    recording = reference.Recording(shared / "reference" / "animation")
    arrays = recording.arrays
    source, driving = arrays["source"][None], arrays["driving"]
    check_animation(recording, source, driving, arrays, relative, adapt)


@combinations
def test_animator_gives_the_recorded_frames(animator, source, frames, relative, adapt):
    prefix = f"animation/relative_{relative:d}_adapt_scale_{adapt:d}"
    recorded = RECORDING.arrays[f"{prefix}/prediction"]
    actual = list(
        animator.animate(
            source, frames[: len(recorded)], normalization=normalization(relative, adapt)
        )
    )
    assert len(actual) == len(recorded)
    for picture, expected in zip(actual, recorded, strict=True):
        assert picture.dtype == np.uint8
        # Truncated: up to a whole step below, never above but for rounding at the step.
        below = 255 * expected - picture
        assert below.min() > -0.03
        assert below.max() < 1.03


def test_comparison_measures_before_the_truncation(animator, source, frames):
    outputs = list(animator.compare(source, frames[:4], normalization=normalization(True)))
    pictures = animator.animate(source, frames[:4], normalization=normalization(True))
    expected = animate_clip(animator._model, source[None], frames[:4], normalization(True))
    rows = zip(outputs, frames, pictures, expected.prediction, strict=False)
    for i, (output, frame, picture, prediction) in enumerate(rows):
        np.testing.assert_array_equal(output.driving, frame)
        np.testing.assert_array_equal(output.prediction, picture)
        np.testing.assert_allclose(output.driving_points, expected.driving.value[i], atol=1e-5)
        l1 = np.abs(np.asarray(prediction) - frame / np.float32(255)).mean()
        assert output.l1 == pytest.approx(l1, abs=1e-5)
        assert abs(output.l1 - np.abs(picture / 255 - frame / 255).mean()) > 1e-4
    assert i == 3


def test_a_last_batch_that_is_not_full_gives_its_own_frames_only(animator, source, frames):
    whole = list(animator.compare(source, frames[:6]))
    part = list(animator.compare(source, frames[:5]))
    assert len(part) == 5
    for a, b in zip(part, whole, strict=False):
        np.testing.assert_array_equal(a.prediction, b.prediction)
        np.testing.assert_array_equal(a.driving_points, b.driving_points)
        assert a.l1 == b.l1
    assert list(animator.compare(source, [])) == list(animator.animate(source, [])) == []


def test_a_model_without_an_avd_network_says_so(animator, source, frames):
    with pytest.raises(InputError, match=r"^motion_transfer: .* this model has no AVD network"):
        next(animator.animate(source, frames, normalization=NormalizationConfig(use_avd=True)))


def test_a_video_without_end_is_animated_batch_by_batch(animator, source, frames):
    taken = []

    def endless():
        for frame in itertools.cycle(frames):
            taken.append(frame)
            yield frame

    outputs = animator.animate(source, endless())
    assert not taken  # nothing is done before the first frame is asked for
    next(outputs)
    assert len(taken) == 1  # the first frame waits for no other
    next(outputs)
    assert len(taken) == 4
    for _ in range(3):
        next(outputs)
    assert len(taken) == 7


def test_sources_share_the_keypoints_and_videos_the_source(animator, source, frames):
    sources = source, frames[7]
    keypoints = list(animator.detect(frames[:5]))
    for picture in sources:
        encoded = animator.encode(picture)
        actual = animator.animate_keypoints(encoded, keypoints)
        again = animator.animate(encoded, iter(frames[:5]))
        expected = animator.animate(picture, frames[:5])
        for a, b, c in zip(actual, again, expected, strict=True):
            np.testing.assert_array_equal(a, c)
            np.testing.assert_array_equal(b, c)
    different = [next(animator.animate(picture, frames[:1])) for picture in sources]
    assert (different[0] != different[1]).any()


def test_motion_may_start_from_another_frame(animator, source, frames):
    keypoints = list(animator.detect(frames[:4]))
    actual = list(animator.animate_keypoints(source, keypoints, initial=keypoints[2]))
    moved = [keypoints[2], *keypoints]  # the first frame is the initial one by default
    expected = list(animator.animate_keypoints(source, moved))[1:]
    np.testing.assert_array_equal(actual, expected)
    assert (actual[0] != next(animator.animate_keypoints(source, keypoints))).any()


def test_a_size_is_compiled_once_however_many_threads_begin(model, source, frames, monkeypatch):
    traced = []

    def count(network, method):
        original = getattr(network, method)

        def counted(self, pictures, *arguments, **options):
            traced.append((method, len(pictures)))
            return original(self, pictures, *arguments, **options)

        monkeypatch.setattr(network, method, counted)

    count(KeypointDetector, "__call__")
    count(Generator, "encode")
    count(Generator, "decode")
    programs_of.cache_clear()
    animator = Animator(model, RECORDING.config, batch_size=2)

    def work(number):  # videos of three lengths, motion of two kinds
        motion = normalization(number % 2 == 0)
        return list(animator.animate(source, frames[: 3 + number % 3], normalization=motion))

    with ThreadPoolExecutor(6) as pool:
        actual = list(pool.map(work, range(6)))
    # The first frame is a batch of its own. The decoder gets the features of the one source.
    one_each = [("__call__", 1), ("__call__", 2), ("decode", 1), ("decode", 1), ("encode", 1)]
    assert sorted(traced) == one_each
    for number, pictures in enumerate(actual):
        np.testing.assert_array_equal(pictures, work(number))
    assert sorted(traced) == one_each
    wide = np.zeros((32, 64, 3), np.uint8)
    assert next(animator.animate(wide, frames)).shape == wide.shape
    assert len(traced) == 8  # its encoder, its decoder, and the detector of its keypoints


def test_the_package_gives_the_animator_without_loading_jax_for_other_modules():
    assert fomm_jax.Animator is Animator
    with pytest.raises(AttributeError, match="Animated"):
        _ = fomm_jax.Animated
    modules = "fomm_jax.errors, fomm_jax.media.reading.video_reader"
    code = f"import sys, {modules}; sys.exit('jax' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_motion_that_was_saved_gives_the_frames_of_the_video(animator, source, frames, tmp_path):
    motion = animator.record(frames[:5], fps=25.0)
    motion.save(tmp_path / "motion.npz")
    loaded = Motion.load(tmp_path / "motion.npz")
    expected = list(animator.animate(source, frames[:5]))
    np.testing.assert_array_equal(list(animator.animate(source, loaded)), expected)
    later = list(animator.animate(source, frames[:5], best_frame=3))
    started = dataclasses.replace(loaded, initial=3)
    np.testing.assert_array_equal(list(animator.animate(source, started)), later)
    assert (later[0] != expected[0]).any()


def test_a_motion_of_another_model_is_refused(animator, model, source, frames):
    motion = animator.record(frames[:2], fps=25.0)

    def message(**changes):
        with pytest.raises(InputError) as error:
            next(animator.animate(source, dataclasses.replace(motion, **changes)))
        return str(error.value)

    value, jacobian = motion.arrays["value"], motion.arrays["jacobian"]
    has = "the model has value (4, 2), jacobian (4, 2, 2)"
    assert message(arrays={"value": value}) == f"the motion has value (4, 2) per frame; {has}"
    assert "has value (3, 2), jac" in message(arrays={"value": value[:, :3], "jacobian": jacobian})
    assert "(4, 2, 2), weights (4, 2) per frame" in message(
        arrays=motion.arrays | {"weights": value}
    )
    assert "recorded with another model (ffff)" in message(model="ffff")
    next(animator.animate(source, dataclasses.replace(motion, model="")))  # made by hand
    definition, state = nnx.split(model)
    again = nnx.merge(definition, jax.tree.map(jnp.copy, state))
    assert Animator(again, RECORDING.config).fingerprint == animator.fingerprint
    bias = again.kp_detector.kp.bias
    bias.set_value(bias.get_value().at[0].add(1e-6))
    assert Animator(again, RECORDING.config).fingerprint != animator.fingerprint


def test_the_best_frame_by_keypoints(animator, source, frames):
    # The source itself is among the frames, and no other has its shape.
    driving = [*frames[:4], source, *frames[4:6]]
    actual = list(animator.animate(source, iter(driving), best_frame="auto"))
    np.testing.assert_array_equal(actual, list(animator.animate(source, driving, best_frame=4)))
    assert (actual[0] != next(animator.animate(source, driving))).any()
    assert list(animator.animate(source, [], best_frame="auto")) == []


def test_smoothing_is_part_of_the_way(animator, source, frames):
    settings = OneEuro(fps=25.0)
    smoothed = smooth_motion(animator.detect(frames[:5]), settings)
    expected = list(animator.animate_keypoints(source, smoothed))
    actual = list(animator.animate(source, frames[:5], smooth=settings))
    np.testing.assert_array_equal(actual, expected)
    assert (actual[4] != list(animator.animate(source, frames[:5]))[4]).any()


def test_the_face_that_is_most_like_the_source(animator, source, frames, monkeypatch):
    landmarks = {picture.tobytes(): None for picture in frames[:5]}
    triangle = np.array([[0.0, 0], [1, 0], [0, 1]])
    landmarks |= {frames[1].tobytes(): triangle[::-1], frames[3].tobytes(): 3 * triangle}

    class Evaluator:
        def keypoints(self, picture):
            return landmarks.get(picture.tobytes())

    monkeypatch.setattr("fomm_jax.animation.best_frame.DlibFaceEvaluator", Evaluator)
    with pytest.raises(InputError, match="no face is found in the source"):
        list(animator.animate(source, frames[:5], best_frame="face"))
    landmarks[source.tobytes()] = triangle
    expected = list(animator.animate(source, frames[:5], best_frame=3))
    for given in (source, animator.encode(source)):
        actual = list(animator.animate(given, iter(frames[:5]), best_frame="face"))
        np.testing.assert_array_equal(actual, expected)
    with pytest.raises(InputError, match="face expects driving frames"):
        list(animator.animate(source, animator.record(frames, fps=25.0), best_frame="face"))
