"""A video as the source: each of its frames is animated by the driving frame of its number."""

import numpy as np
import pytest
from brightener import SIZE, animate, read_levels, write_grey, write_levels
from films import beeps, write_film

from fomm_jax.errors import InputError
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.rendering.options import AnimationOptions

pytestmark = pytest.mark.usefixtures("without_detector")


@pytest.mark.parametrize("best_frame", [None, 0])  # with 0, all keypoints are detected first
def test_each_frame_is_animated_by_that_of_its_number(tmp_path, best_frame):
    source = write_levels(tmp_path / "source.mp4", [100, 110, 120, 130])
    driving = write_levels(tmp_path / "driving.mp4", [50, 60, 40])
    options = AnimationOptions(best_frame=best_frame)
    (output,) = animate([source], [driving], tmp_path / "out.mp4", options)
    # As long as the shorter one; relative to the first driving frame.
    np.testing.assert_allclose(read_levels(output), [100, 120, 110], atol=2)


def test_the_part_that_moves_is_put_back_into_its_own_frame(tmp_path):
    source = write_levels(tmp_path / "source.mp4", [100, 140], shape=(32, 64))
    driving = write_levels(tmp_path / "driving.mp4", [50, 90])
    options = AnimationOptions(paste_back=True, crop=(0, 0, 32, 32))
    (output,) = animate([source], [driving], tmp_path / "out.mp4", options)
    frames = np.stack([*iterate_frames(output)]).mean(axis=-1)
    assert frames.shape == (2, 32, 64)
    np.testing.assert_allclose(frames[:, 16, 8], [100, 180], atol=3)
    np.testing.assert_allclose(frames[:, 16, 56], [100, 140], atol=3)


@pytest.mark.parametrize("sound_from", ["driving", "source"])
def test_times_and_sound_come_from_one_of_the_two(tmp_path, sound_from):
    write_film(tmp_path / "loud.mp4", seconds=1, size=(SIZE, SIZE))
    silent = write_levels(tmp_path / "silent.mp4", [50] * 20, fps=10)
    loud = tmp_path / "loud.mp4"
    source, driving = (silent, loud) if sound_from == "driving" else (loud, silent)
    options = AnimationOptions(sound_from=sound_from, crop="none")
    (output,) = animate([source], [driving], tmp_path / "out.mp4", options)
    assert probe_video(output).fps == pytest.approx(probe_video(loud).fps)
    np.testing.assert_allclose(beeps(output)[:1], [0], atol=0.005)
    other = {"driving": "source", "source": "driving"}[sound_from]
    options = AnimationOptions(sound_from=other, sound=True)
    with pytest.raises(InputError, match=r"^sound: .*silent\.mp4 has no sound"):
        animate([source], [driving], tmp_path / "out.mp4", options)


def test_what_suits_pictures_alone_is_refused(tmp_path):
    film = write_levels(tmp_path / "film.mp4", [50, 60])
    picture = write_grey(tmp_path / "picture.png", 50)
    with pytest.raises(InputError, match=r"^faces: .*film\.mp4 is a video; expected a picture"):
        animate([film], [film], tmp_path / "out.mp4", AnimationOptions(faces="all"))
    with pytest.raises(InputError, match=r"^sound_from=source: .*picture\.png is a picture"):
        animate([picture], [film], tmp_path / "out.mp4", AnimationOptions(sound_from="source"))
