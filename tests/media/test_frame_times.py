"""Videos with a variable frame rate keep their times."""

from fractions import Fraction

import av
import numpy as np
import pytest
from films import beeps, write_film

from fomm_jax.media.video_reader import frame_times, iterate_frames
from fomm_jax.media.video_writer import FilmFormat, VideoWriter


def write_with_times(path, stamps, tick):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"bf": "2"})
        stream.height, stream.width, stream.pix_fmt = 32, 32, "yuv420p"
        stream.codec_context.time_base = tick
        for i, stamp in enumerate(stamps):
            noise = np.random.default_rng(i).integers(0, 256, (32, 32, 3), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(noise, "rgb24")
            frame.pts, frame.time_base = int(stamp), tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("fps", [25, 30000 / 1001, 24000 / 1001, 12.5])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])  # Matroska rounds to milliseconds
def test_a_constant_rate_needs_no_times(tmp_path, fps, suffix):
    path = tmp_path / f"a{suffix}"
    write_film(path, None, fps=fps)
    assert frame_times(path) is None


def test_dropped_frames_are_noticed(tmp_path):
    stamps = np.delete(np.arange(60), [20, 21, 22, 40])
    write_with_times(tmp_path / "a.mp4", stamps + 7, Fraction(1, 30))
    np.testing.assert_allclose(frame_times(tmp_path / "a.mp4"), stamps / 30, atol=1e-6)


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_frames_are_written_at_their_times(tmp_path, suffix):
    times = np.array([0, 0.05, 0.3, 0.31, 0.7, 1.5])
    path = tmp_path / f"a{suffix}"
    with VideoWriter(path, FilmFormat(32, 32, fps=4, times=times)) as writer:
        for i in range(len(times)):
            writer.write(np.full((32, 32, 3), 40 * i, np.uint8))
    np.testing.assert_allclose(frame_times(path), times, atol=1e-4)
    levels = [frame.mean() for frame in iterate_frames(path)]
    np.testing.assert_allclose(levels, 40 * np.arange(len(times)), atol=2)


def test_frames_after_the_listed_times_follow_at_the_rate(tmp_path):
    film_format = FilmFormat(32, 32, fps=4, times=np.array([0, 0.05, 0.5]))
    with VideoWriter(tmp_path / "a.mp4", film_format) as writer:
        for i in range(5):
            writer.write(np.full((32, 32, 3), 40 * i, np.uint8))
    np.testing.assert_allclose(frame_times(tmp_path / "a.mp4"), [0, 0.05, 0.5, 0.75, 1], atol=1e-4)


def test_two_frames_of_the_same_time_are_both_written(tmp_path):
    film_format = FilmFormat(32, 32, fps=4, times=np.array([0, 0.5, 0.5, 2]))
    with VideoWriter(tmp_path / "a.mp4", film_format) as writer:
        for i in range(4):
            writer.write(np.full((32, 32, 3), 40 * i, np.uint8))
    np.testing.assert_allclose(frame_times(tmp_path / "a.mp4"), [0, 0.5, 0.5, 2], atol=1e-4)


def test_sound_lasts_as_long_as_the_frames(tmp_path):
    write_film(tmp_path / "sound.mp4")
    times = np.array([0, 0.1, 0.9, 1.1])
    output = tmp_path / "out.mp4"
    film_format = FilmFormat(32, 32, fps=4, times=times)
    with VideoWriter(output, film_format, sound_from=tmp_path / "sound.mp4") as writer:
        for i in range(4):
            writer.write(np.full((32, 32, 3), 40 * i, np.uint8))
    np.testing.assert_allclose(beeps(output), [0, 0.5, 1.0], atol=0.005)  # 1.1 + 1/4 s in all
