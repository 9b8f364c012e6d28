"""The driving motion: the frame it starts from, smoothing, and motion files."""

import re

import numpy as np
import pytest
from brightener import SIZE, Brightener, animate, read_levels, write_grey, write_levels

from fomm_jax.animation.motion import Motion
from fomm_jax.errors import InputError
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.rendering.options import AnimationOptions

pytestmark = pytest.mark.usefixtures("without_detector")


@pytest.mark.parametrize(
    ("best_frame", "levels"),
    [(None, [50, 60, 90, 70]), (2, [10, 20, 50, 30]), (3, [30, 40, 70, 50])],
)
def test_motion_starts_from_the_frame_of_that_number(tmp_path, source, best_frame, levels):
    driving = write_levels(tmp_path / "c.mp4", [10, 20, 50, 30])
    options = AnimationOptions(best_frame=best_frame)
    (output,) = animate([source], [driving], tmp_path / "o.mp4", options)
    np.testing.assert_allclose(read_levels(output), levels, atol=2)


def test_the_best_frame_has_keypoints_of_the_same_shape(tmp_path, capsys):
    sources = [write_grey(tmp_path / "a.png", 50), write_grey(tmp_path / "b.png", 19)]
    driving = write_levels(tmp_path / "c.mp4", [10, 20, 50, 30])
    options = AnimationOptions(best_frame="auto")
    outputs = animate(sources, [driving], tmp_path, options)
    np.testing.assert_allclose(read_levels(outputs[0]), [10, 20, 50, 30], atol=2)
    np.testing.assert_allclose(read_levels(outputs[1]), [9, 19, 49, 29], atol=2)
    lines = [line for line in capsys.readouterr().err.splitlines() if "starts" in line]
    assert lines == [
        f"{driving}: motion starts from frame 2, most like {sources[0]} by its keypoints",
        f"{driving}: motion starts from frame 1, most like {sources[1]} by its keypoints",
    ]


def test_a_best_frame_that_does_not_exist_is_refused(tmp_path, source):
    driving = write_levels(tmp_path / "c.mp4", [10, 20])
    with pytest.raises(
        InputError, match=r"^best_frame=2: expected less than 2, .*c\.mp4 has 2 frames"
    ):
        animate([source], [driving], tmp_path / "o.mp4", AnimationOptions(best_frame=2))
    with pytest.raises(InputError, match=r"^best_frame=face: .*\[evaluation\]"):
        animate([source], [driving], tmp_path / "o.mp4", AnimationOptions(best_frame="face"))
    assert not (tmp_path / "o.mp4").exists()


def test_a_saved_motion_needs_no_video(tmp_path, source):
    driving = write_levels(tmp_path / "c.mp4", [10, 20, 50, 30], fps=12.5)
    motion = tmp_path / "saved" / "c.motion"
    options = AnimationOptions(best_frame="auto", save_motion=str(motion))
    animate([source], [driving], tmp_path / "o.mp4", options)
    saved = Motion.load(motion)
    assert (len(saved), saved.fps, saved.initial, saved.model) == (4, 12.5, 2, "brightener")
    driving.unlink()
    (output,) = animate([source], [], tmp_path / "again.mp4", motions=[motion])
    assert (tmp_path / "again.mp4").read_bytes() == (tmp_path / "o.mp4").read_bytes()
    side = AnimationOptions(side_by_side=True, best_frame=0)
    (output,) = animate([source], [], tmp_path / "side.mp4", side, motions=[motion])
    for frame, level in zip(iterate_frames(output), [50, 60, 90, 70], strict=True):
        assert frame[6:-2, -SIZE + 6 : -6].mean() == pytest.approx(level, abs=6)
        assert frame[:4, SIZE + 12 : SIZE + 16].max() < 60  # no driving frame, away from keypoints
    faces = AnimationOptions(best_frame="face")
    with pytest.raises(InputError, match=r"^best_frame=face: .*c\.motion shows no faces"):
        animate([source], [], tmp_path / "face.mp4", faces, motions=[motion])


def test_unusable_motions_are_refused(tmp_path, source):
    driving = write_levels(tmp_path / "c.mp4", [10, 20])
    save = AnimationOptions(save_motion=str(tmp_path / "m"))
    other = Brightener()
    other.fingerprint = "other"
    animate([source], [driving], tmp_path / "o.mp4", save, animator=other)
    with pytest.raises(InputError, match=r"/m: the motion was recorded with another model"):
        animate([source], [], tmp_path / "p.mp4", motions=[tmp_path / "m"])
    with pytest.raises(InputError, match=r"c\.mp4: "):
        animate([source], [], tmp_path / "p.mp4", motions=[driving])
    second = write_levels(tmp_path / "d.mp4", [10, 20])
    with pytest.raises(InputError, match=r"^save_motion: expected one video, got 2"):
        animate([source], [driving, second], tmp_path / "out", save)
    nowhere = AnimationOptions(save_motion=str(tmp_path / "o.mp4" / "m"))
    with pytest.raises(InputError, match=r"/o\.mp4/m: cannot be written"):
        animate([source], [driving], tmp_path / "p.mp4", nowhere)


def test_smoothing_calms_the_motion_and_reports_the_jitter(tmp_path, source, capsys):
    driving = write_levels(tmp_path / "c.mp4", [100, 110] * 10)
    animate([source], [driving], tmp_path / "rough.mp4")
    assert "jitter" not in capsys.readouterr().err
    (output,) = animate([source], [driving], tmp_path / "o.mp4", AnimationOptions(smooth=True))
    assert np.ptp(read_levels(output)[5:]) < 0.5 * np.ptp(read_levels(tmp_path / "rough.mp4")[5:])
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "jitter" in line]
    before, after = re.search(r"of the keypoints ([.\d]+), smoothed ([.\d]+)$", line).groups()
    shaking = np.abs(np.diff(read_levels(driving), 2)).mean() / 255
    assert float(before) == pytest.approx(shaking / 3, abs=1e-5)  # one of three points moves
    assert float(after) < float(before) / 2
