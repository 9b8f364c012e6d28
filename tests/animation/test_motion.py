"""Motion templates: files that keep every bit, and files that cannot be used."""

import numpy as np
import pytest

from fomm_jax.animation.motion import Motion
from fomm_jax.errors import InputError
from fomm_jax.models.first_order.keypoints import Keypoints

RANDOM = np.random.default_rng(0)
VALUE = RANDOM.standard_normal((5, 4, 2)).astype(np.float32)
JACOBIAN = RANDOM.standard_normal((5, 4, 2, 2)).astype(np.float32)
ARRAYS = {"value": VALUE, "jacobian": JACOBIAN}
TIMES = np.array([0, 0.1, 0.15, 0.15, 1, 3])
MOTION = Motion(ARRAYS, fps=30000 / 1001, initial=3, model="0123456789abcdef")


def test_a_motion_collects_the_arrays_of_frames_by_name():
    frames = [Keypoints(*pair) for pair in zip(VALUE, JACOBIAN, strict=True)]
    motion = Motion.from_frames(iter(frames), 25.0, initial=2)
    assert len(motion) == 5
    assert list(motion.arrays) == ["value", "jacobian"]
    np.testing.assert_array_equal(motion.arrays["value"], VALUE)
    np.testing.assert_array_equal(motion.arrays["jacobian"], JACOBIAN)
    timed = Motion.from_frames(frames[:3], 25.0, times=TIMES)  # of a video that is damaged
    np.testing.assert_array_equal(timed.times, TIMES[:4])
    zero_order = Motion.from_frames([Keypoints(value) for value in VALUE], 25.0)
    assert list(zero_order.arrays) == ["value"]
    with pytest.raises(InputError, match="no frames"):
        Motion.from_frames([], 25.0)


@pytest.mark.parametrize(
    "motion",
    [MOTION, Motion({"value": VALUE}, 25.0), Motion(ARRAYS, 25.0, times=TIMES)],
    ids=["first", "zero", "timed"],
)
def test_a_file_keeps_every_bit(tmp_path, motion):
    path = tmp_path / "new" / "dance.motion"  # the name is the user's: no suffix is added
    motion.save(path)
    assert [file.name for file in path.parent.iterdir()] == ["dance.motion"]
    loaded = Motion.load(path)
    assert list(loaded.arrays) == list(motion.arrays)
    for name, array in motion.arrays.items():
        np.testing.assert_array_equal(loaded.arrays[name], array)
    assert (loaded.fps, loaded.initial, loaded.model) == (motion.fps, motion.initial, motion.model)
    np.testing.assert_array_equal(loaded.times, motion.times)


def test_a_file_of_the_first_version_is_read(tmp_path):
    np.savez(tmp_path / "old.npz", **arrays_of(tmp_path) | {"version": 1})
    loaded = Motion.load(tmp_path / "old.npz")
    assert (loaded.fps, loaded.initial, loaded.times) == (MOTION.fps, 3, None)


def test_what_cannot_be_written_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "dance.npz"
    MOTION.save(path)
    before = path.read_bytes()
    broken = Motion(ARRAYS, fps=25.0, model=lambda: None)  # cannot be pickled either
    with pytest.raises(Exception, match="local object"):
        broken.save(path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(InputError, match=r"dance\.npz/a: cannot be written"):
        MOTION.save(path / "a")


def arrays_of(tmp_path):
    MOTION.save(tmp_path / "whole.npz")
    with np.load(tmp_path / "whole.npz") as archive:
        return dict(archive)


NOT_FINITE = VALUE.copy()
NOT_FINITE[0, 0, 0] = np.nan


@pytest.mark.parametrize(
    ("changes", "message"),
    {
        "no version": ({"version": None}, "is not a motion; expected a file that Motion.save"),
        "newer": ({"version": 3}, "is of version 3; expected 2 at most"),
        "no model": ({"model": None}, "has no model"),
        "no arrays": ({"value": None, "jacobian": None}, "has no array of motion"),
        "flat": ({"value": VALUE[0]}, r"shapes value \(4, 2\), .*; expected frames first"),
        "empty": ({"value": VALUE[:0], "jacobian": None}, r"shapes value \(0, 4, 2\); expected"),
        "fewer jacobians": ({"jacobian": JACOBIAN[1:]}, r"jacobian \(4, 4, 2, 2\); expected"),
        "text": ({"value": VALUE.astype("U9")}, "value: expected finite float32"),
        "nan": ({"value": NOT_FINITE}, "value: expected finite float32"),
        "fps": ({"fps": 0.0}, "fps: expected more than 0"),
        "text for fps": ({"fps": "fast"}, "fps: expected more than 0"),
        "initial": ({"initial": 5}, "initial: expected the number of one of 5 frames, got 5"),
        "short times": ({"times": TIMES[:-1]}, "times: expected 6 ascending seconds from 0"),
        "late times": ({"times": TIMES + 1}, "times: expected 6 ascending"),
        "falling times": ({"times": TIMES[::-1] - 3}, "times: expected 6 ascending"),
        "times that are not numbers": ({"times": TIMES * np.nan}, "times: expected 6 ascending"),
        "model": ({"model": 7}, "model: expected text"),
    }.values(),
)
def test_other_files_are_refused_in_one_line(tmp_path, changes, message):
    arrays = arrays_of(tmp_path) | changes
    path = tmp_path / "other.npz"
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(InputError, match=message) as error:
        Motion.load(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_damaged_files_are_refused_in_one_line(tmp_path):
    arrays_of(tmp_path)
    whole = (tmp_path / "whole.npz").read_bytes()
    path = tmp_path / "cut.npz"
    for content in (whole[:-50], b"", b"no zip", whole.replace(b"value", b"valve", 1)):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"cut\.npz: is not a whole and readable"):
            Motion.load(path)
    with pytest.raises(InputError, match=r"missing\.npz: cannot be read \(No such file"):
        Motion.load(tmp_path / "missing.npz")
