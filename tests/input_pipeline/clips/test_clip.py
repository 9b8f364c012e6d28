"""Clips are cut out of videos: the fit, the box and the times."""

import numpy as np
import pytest
from films import write_timed_film

from fomm_jax.errors import InputError
from fomm_jax.media.pictures import write_picture
from input_pipeline.clips.clip import Clip, read_clip


@pytest.mark.parametrize(
    ("fit", "expected"),
    [("crop", (slice(0, 8), slice(6, 14))), ("stretch", None)],
)
def test_fit_keeps_the_aspect_ratio_or_changes_it(tmp_path, fit, expected):
    picture = np.zeros((8, 20, 3), np.uint8)
    picture[:, 6:14] = 200  # the middle square
    for number in range(2):
        write_picture(tmp_path / "video" / f"{number}.png", picture)
    clip = Clip("video", tmp_path / "video")
    frame = next(read_clip(clip, 8, 8, fit).frames)
    assert frame.shape == (8, 8, 3)
    if fit == "crop":
        np.testing.assert_array_equal(frame, picture[expected])
    else:
        assert frame[:, 3:5].min() == 200  # 8 of 20 columns become 3.2 of 8
        assert frame[:, :2].max() == frame[:, 6:].max() == 0


def test_box_and_times_are_exact(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, size=(50, 20, 40, 3), dtype=np.uint8)
    for number, frame in enumerate(frames):
        write_picture(tmp_path / "video" / f"{number:02d}.png", frame)
    clip = Clip("a", tmp_path / "video", start=10 / 25, end=30 / 25, box=(0.5, 0.2, 0.9, 1.0))
    reading = read_clip(clip, 16, 16, "crop")
    np.testing.assert_array_equal(np.stack(list(reading.frames)), frames[10:30, 4:20, 20:36])
    with pytest.raises(InputError, match=r"has 2\.00 seconds; expected the clip b from 2\.00 s on"):
        read_clip(Clip("b", tmp_path / "video", start=2.0), 16, 16, "crop")
    outside = Clip("c", tmp_path / "video", box=(1.0, 0.0, 1.5, 1.0))
    with pytest.raises(InputError, match="the box of the clip c holds no pixel"):
        next(read_clip(outside, 16, 16, "crop").frames)


@pytest.mark.parametrize(
    ("start", "end", "numbers"), [(0.08, 0.28, [2, 3]), (0.1, None, [3, 4, 5]), (0, 0.041, [0, 1])]
)
def test_times_count_where_frames_come_at_no_constant_rate(tmp_path, start, end, numbers):
    path = write_timed_film(tmp_path / "a.mp4", [0, 40, 80, 240, 280, 600, 1600])
    clip = Clip("a", path, start=start, end=end)
    levels = [frame.mean() for frame in read_clip(clip, 16, 24, "crop").frames]
    np.testing.assert_allclose(levels, 20 + 10 * np.array(numbers), atol=3)
    with pytest.raises(InputError, match=r"has 1\.60 seconds; expected the clip b from 1\.70 s on"):
        read_clip(Clip("b", path, start=1.7), 16, 16, "crop")
