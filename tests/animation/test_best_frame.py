"""Which driving frame is most like the source."""

import importlib.util

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from fomm_jax.animation.best_frame import FaceWatcher, choose_frame, nearest_shape, shape_of
from fomm_jax.errors import InputError
from fomm_jax.media.pictures import read_picture

RANDOM = np.random.default_rng(0)
SQUARE = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])


def test_the_shape_of_a_square():
    expected = SQUARE - 0.5
    for points in (SQUARE, 0.3 * SQUARE - 7, -4 * SQUARE[[2, 3, 0, 1]]):
        np.testing.assert_allclose(shape_of(points), expected, atol=1e-12)


def test_points_without_area_have_no_shape():
    line = np.linspace(0, 1, 5)[:, None].repeat(2, axis=1)
    for points in (line, SQUARE[:2], np.full((4, 2), np.nan), np.zeros((4, 2))):
        assert shape_of(points) is None


def test_position_and_size_do_not_count_but_shape_does():
    source = RANDOM.standard_normal((10, 2))
    bent = source + RANDOM.normal(0, 0.05, (10, 2))
    other = source + RANDOM.normal(0, 0.5, (10, 2))
    moved = 0.2 * source + 3
    assert nearest_shape([other, bent, source + 0.3, moved], source) == 2
    assert nearest_shape([other, None, bent, other], source) == 2
    assert nearest_shape(iter([None, np.zeros((10, 2)), other]), source) == 2
    assert nearest_shape([None, np.zeros((10, 2))], source) is None
    assert nearest_shape([other], np.zeros((10, 2))) is None


def best_frame_of_the_originals_demo(source, driving):
    """Return the frame that its `find_best_frame` chooses by landmarks, from its formula."""
    distances = []
    scaled = [
        (points - points.mean(0)) / ConvexHull(points).volume ** 0.5
        for points in [source, *driving]
    ]
    for points in scaled[1:]:
        distances.append((abs(scaled[0] - points) ** 2).sum())
    return int(np.argmin(distances))


def test_the_originals_demo_chooses_the_same_frame():
    for _ in range(20):
        source, *driving = RANDOM.standard_normal((13, 68, 2))
        assert nearest_shape(driving, source) == best_frame_of_the_originals_demo(source, driving)


def test_keypoints_that_relative_motion_starts_from():
    value = RANDOM.standard_normal((4, 5, 2)).astype(np.float32)
    driving, source = list(value), value[2] * 2
    assert choose_frame("auto", driving, source) == 2
    assert choose_frame(3, driving, source) == 3
    for wrong in (4, -1, "best"):
        with pytest.raises(InputError, match=f"expected auto or a number below 4, .*got {wrong}"):
            choose_frame(wrong, driving, source)
    with pytest.raises(InputError, match=r"best_frame: the keypoints lie on a line"):
        choose_frame("auto", driving, np.zeros((5, 2)))


faces = pytest.mark.skipif(
    importlib.util.find_spec("dlib") is None
    or importlib.util.find_spec("face_recognition_models") is None,
    reason="fomm_jax[evaluation] is not installed",
)


@faces
def test_frames_without_a_face_are_skipped(shared):
    photo = read_picture(shared / "data" / "media" / "source_photo_725x725.jpg")[::2, ::2]
    grey = np.full_like(photo, 128)
    mirrored = np.ascontiguousarray(photo[:, ::-1])
    watcher = FaceWatcher()
    frames = [grey, mirrored, photo, grey]
    assert list(watcher.watch(iter(frames))) == frames
    assert watcher.best_frame(photo) == 2
    with pytest.raises(InputError, match="no face is found in the source"):
        watcher.best_frame(grey)
    watcher = FaceWatcher()
    list(watcher.watch([grey]))
    with pytest.raises(InputError, match="no face is found in any of 1 driving frames"):
        watcher.best_frame(photo)
