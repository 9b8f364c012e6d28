"""Whatever drives an animation, the film shows its frames and its sound at the same times."""

import io

import numpy as np
import pytest
from brightener import SIZE, animate, read_levels, write_grey
from clips import times_by_ffmpeg
from films import beeps, beeps_by_ffmpeg, without_decoder, write_timed_film
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fomm_jax.errors import InputError
from fomm_jax.media.raw_frames import RawFormat
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.rendering.job import Pipes
from fomm_jax.rendering.options import AnimationOptions

pytestmark = pytest.mark.usefixtures("without_detector")

EDGES = np.array([0, 40, 80, 240, 280, 600, 1600])  # milliseconds; the last frame stands a second
CODECS = {  # of frames and sound, by the name of a file
    "a.mp4": ("libx264", "aac"),
    "b.mp4": ("mpeg4", "libmp3lame"),
    "a.mov": ("mjpeg", "pcm_s16le"),
    "a.mkv": ("libx264", "flac"),
    "a.webm": ("libvpx", "libopus"),
    "a.avi": ("mjpeg", "mp2"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    write_grey(folder / "source.png", 50)
    return folder


@settings(max_examples=8, deadline=None)
@given(
    name=st.sampled_from(sorted(CODECS)),
    intervals=st.lists(st.integers(1, 20), min_size=1, max_size=12),
    delays=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    data=st.data(),
)
def test_the_film_is_in_time_with_what_drives_it(folder, name, intervals, delays, data):
    """FFmpeg's own program sees frames and beeps of both at the same times."""
    assume(sum(intervals) >= 15 + delays[1])  # so that the film has sound
    unit = 40 if name == "a.avi" else data.draw(st.sampled_from([17, 33, 40]))
    edges = unit * np.append(0, np.cumsum(intervals))
    if name == "a.avi":
        delays = (0, 0)  # it has no such times
    codec, sound = CODECS[name]
    driving, output = folder / name, folder / "film.mp4"
    write_timed_film(
        driving,
        edges,
        codec,
        sound=sound,
        sound_rate=48000,
        delays=[40 * delay for delay in delays],
    )
    animate([folder / "source.png"], [driving], output)
    np.testing.assert_allclose(times_by_ffmpeg(output), edges[:-1] / 1000, atol=0.002)
    assert probe_video(output).seconds == pytest.approx(edges[-1] / 1000, abs=0.002)
    expected, length = beeps_by_ffmpeg(driving), edges[-1] / 1000
    whole = (expected > -0.005) & (expected < length - 0.06)  # beeps that are not cut
    heard = beeps_by_ffmpeg(output)
    for beep in expected[whole]:
        assert np.abs(heard - beep).min() < 0.012
    assert whole.sum() <= len(heard) <= len(expected)
    assert (heard < length + 0.03).all()


@pytest.mark.parametrize("name", ["a.mp4", "b.mp4", "a.gif"])
def test_a_motion_keeps_the_times(tmp_path, source, name):
    driving = write_timed_film(tmp_path / "a.mkv", EDGES)
    motion = tmp_path / "a.motion"
    save = AnimationOptions(save_motion=str(motion))
    (output,) = animate([source], [driving], tmp_path / "first.mp4", save)
    driving.unlink()
    (again,) = animate([source], [], tmp_path / name, motions=[motion])
    for path in (output, again):
        np.testing.assert_allclose(probe_video(path).times, EDGES / 1000, atol=1e-4)


def piped(driving):
    pipes = Pipes(io.BytesIO(), io.BytesIO())
    animate([write_grey(driving.with_name("source.png"), 50)], [driving], "-", pipes=pipes)
    frames = np.frombuffer(pipes.output.getvalue(), np.uint8).reshape(-1, SIZE, SIZE, 3)
    return frames.mean(axis=(1, 2, 3))


def test_a_pipe_stays_in_step_by_repeating_frames(tmp_path, capsys):
    levels = piped(write_timed_film(tmp_path / "a.mp4", EDGES))
    numbers = np.repeat(np.arange(6), np.diff(EDGES) // 40)
    np.testing.assert_allclose(levels, 50 + 10 * numbers, atol=3)
    lines = capsys.readouterr().err.splitlines()
    assert (
        f"warning: {tmp_path}/a.mp4: has no constant rate; in the raw frames, to stay in step, 34"
        " are repeated and 0 are left out" in lines
    )
    assert "standard output: RGB24 frames of 16x16, 25 a second" in lines


def test_a_pipe_of_constant_rate_has_every_frame_once(tmp_path, capsys):
    levels = piped(write_timed_film(tmp_path / "a.mp4", 40 * np.arange(8)))
    np.testing.assert_allclose(levels, 50 + 10 * np.arange(7), atol=3)
    assert "warning" not in capsys.readouterr().err


def test_sound_that_cannot_be_decoded_is_left_out_with_a_line(tmp_path, source, capsys):
    driving = write_timed_film(tmp_path / "a.mp4", 40 * np.arange(26), sound="aac")
    without_decoder(driving, 1)
    (output,) = animate([source], [driving], tmp_path / "b.mp4")
    assert beeps(output) is None
    assert capsys.readouterr().err.splitlines()[0] == (
        f"warning: {driving}: the sound is in a format for which FFmpeg has no decoder, and is left"
        " out"
    )
    animate([source], [driving], tmp_path / "b.mp4", AnimationOptions(sound=False))
    assert "warning" not in capsys.readouterr().err
    with pytest.raises(InputError, match=r"^sound: that of .*a\.mp4 is in a format for which"):
        animate([source], [driving], tmp_path / "b.mp4", AnimationOptions(sound=True))


@pytest.mark.parametrize(
    "name",
    [
        "A1_last_frame_2s_h264_aac.mp4",
        "A1c_screen_recording_vfr_tail3s.mp4",
        "A2_mediarecorder_vp8_opus_vfr.webm",
        "A3_mpeg4part2_vfr.mp4",
        "A3h_h264_vfr.mp4",
        "A4_dropped_frames_h264.avi",
    ],
)
def test_films_of_real_kinds_of_files(shared, tmp_path, source, name):
    driving = shared / "faults" / "media" / name
    motion = tmp_path / "a.motion"
    options = AnimationOptions(save_motion=str(motion))
    (output,) = animate([source], [driving], tmp_path / "film.mp4", options)
    (again,) = animate([source], [], tmp_path / "again.mp4", motions=[motion])
    for path in (output, again):
        np.testing.assert_allclose(times_by_ffmpeg(path), times_by_ffmpeg(driving), atol=1e-4)
        assert probe_video(path).seconds == pytest.approx(probe_video(driving).seconds)
    np.testing.assert_allclose(beeps(output), beeps(driving), atol=0.01)


def test_a_still_with_sound_stands_as_long_as_the_sound(shared, tmp_path, source):
    driving = shared / "faults" / "passing" / "A14_still_one_frame_10s_sound.mp4"
    (output,) = animate([source], [driving], tmp_path / "film.mp4")
    assert probe_video(output).seconds == 10
    np.testing.assert_allclose(beeps(output), beeps(driving), atol=0.01)


def test_a_gif_of_60_frames_a_second_lasts_as_long(shared, tmp_path, source):
    driving = shared / "faults" / "media" / "A5_60fps.mp4"
    (output,) = animate([source], [driving], tmp_path / "film.gif")
    info = probe_video(output)
    assert info.seconds == pytest.approx(50 / 60, abs=0.01)
    assert len(read_levels(output)) == info.num_frames == 42


def test_frames_from_a_pipe_have_the_rate_that_is_given(tmp_path, source):
    frames = io.BytesIO(bytes(5 * SIZE * SIZE * 3))
    pipes = Pipes(frames, io.BytesIO(), RawFormat(SIZE, SIZE, 30000 / 1001))
    (output,) = animate([source], ["-"], tmp_path / "film.mp4", pipes=pipes)
    assert probe_video(output).fps == pytest.approx(30000 / 1001)
