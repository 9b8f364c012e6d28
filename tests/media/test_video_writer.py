"""Films keep the number, order, rate and colours of their frames, and are never half written."""

import subprocess

import av
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from fomm_jax.errors import InputError
from fomm_jax.media.video_reader import count_frames, iterate_frames, probe_video
from fomm_jax.media.video_writer import FilmFormat, VideoWriter


def write(path, frames, fps=25):
    with VideoWriter(path, FilmFormat(*frames[0].shape[:2], fps=fps)) as writer:
        for frame in frames:
            writer.write(frame)


def steps(num_frames, height=32, width=48):
    return [np.full((height, width, 3), 8 * i, np.uint8) for i in range(num_frames)]


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".MP4"])
@pytest.mark.parametrize("num_frames", [1, 2, 23])
def test_frames_come_back_in_order(tmp_path, suffix, num_frames):
    path = tmp_path / "new" / f"a{suffix}"
    write(path, steps(num_frames))
    levels = [frame.mean() for frame in iterate_frames(path)]
    np.testing.assert_allclose(levels, 8 * np.arange(num_frames), atol=2)
    assert count_frames(path) == num_frames
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("suffix", "fps"), [(".mp4", 25), (".mp4", 30000 / 1001), (".mp4", 12.5), (".gif", 25)]
)
def test_the_rate_is_kept(tmp_path, suffix, fps):
    write(tmp_path / f"a{suffix}", steps(10), fps)
    assert probe_video(tmp_path / f"a{suffix}").fps == pytest.approx(fps, rel=1e-6)


def test_gif_rounds_times_not_durations(tmp_path):
    write(tmp_path / "a.gif", steps(10), fps=30)
    with Image.open(tmp_path / "a.gif") as image:
        durations = []
        for i in range(image.n_frames):
            image.seek(i)
            durations.append(image.info["duration"])
    assert durations[:9] == [30, 40, 30, 30, 40, 30, 30, 40, 30]  # milliseconds; 33.3 on average
    assert probe_video(tmp_path / "a.gif").fps == pytest.approx(30, rel=0.02)


def test_gif_keeps_repeated_frames_and_long_ones(tmp_path):
    frames = [np.full((9, 2, 3), level, np.uint8) for level in (7, 7, 7, 200)]
    times = np.array([0, 0.02, 700, 701])  # a delay is at most 655.35 s
    with VideoWriter(tmp_path / "a.gif", FilmFormat(9, 2, fps=10, times=times)) as writer:
        for frame in frames:
            writer.write(frame)
    np.testing.assert_array_equal(list(iterate_frames(tmp_path / "a.gif")), frames)
    with Image.open(tmp_path / "a.gif") as image:
        durations = []
        for number, frame in enumerate(frames):
            image.seek(number)
            durations.append(image.info["duration"])
            np.testing.assert_array_equal(np.asarray(image.convert("RGB")), frame)
    assert durations == [20, 655350, 1000, 100]


@pytest.mark.parametrize(
    "colour",
    [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (200, 120, 40)],
)
@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_colours_come_back(tmp_path, suffix, colour):
    frames = [np.full((16, 16, 3), colour, np.uint8)] * 2
    write(tmp_path / f"a{suffix}", frames)
    for frame in iterate_frames(tmp_path / f"a{suffix}"):
        assert np.abs(frame.astype(int) - colour).max() <= 3


def test_other_players_see_the_same_colours(tmp_path):
    """The tags agree with the conversion, and the pixel format is one that browsers play."""
    colour = (30, 200, 60)  # BT.601 read as BT.709 would move it by more than 10 levels
    write(tmp_path / "a.mp4", [np.full((32, 32, 3), colour, np.uint8)] * 3)
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(tmp_path / "a.mp4")]
    shown = subprocess.run(
        [*program, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True
    )
    assert b"Video: h264" in shown.stderr
    assert b"yuv420p(tv, bt709" in shown.stderr
    pixels = np.frombuffer(shown.stdout, np.uint8).reshape(3, 32, 32, 3)
    assert np.abs(pixels.astype(int) - colour).max() <= 3


@pytest.mark.parametrize(("height", "width"), [(33, 47), (1, 1), (32, 47)])
def test_odd_sizes_repeat_the_edge_in_mp4(tmp_path, height, width):
    frame = np.full((height, width, 3), 150, np.uint8)
    write(tmp_path / "a.mp4", [frame])
    (read,) = iterate_frames(tmp_path / "a.mp4")
    assert read.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(read.astype(int) - 150).max() <= 3
    write(tmp_path / "a.gif", [frame])
    (read,) = iterate_frames(tmp_path / "a.gif")
    np.testing.assert_array_equal(read, frame)


def test_detail_survives(tmp_path):
    y, x = np.mgrid[:64, :64]
    frame = np.stack([4 * x, 4 * y, 128 + 60 * np.sin(x / 5)], axis=-1).astype(np.uint8)
    for name, tolerance in [("a.mp4", 4), ("a.gif", 8)]:
        write(tmp_path / name, [frame[:, ::-1]] * 3)  # a view: not contiguous
        for read in iterate_frames(tmp_path / name):
            assert np.abs(read.astype(int) - frame[:, ::-1]).mean() < tolerance


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
@pytest.mark.parametrize("num_written", [0, 30])
def test_an_exception_leaves_no_file(tmp_path, suffix, num_written):
    path = tmp_path / f"a{suffix}"

    def write_until_interrupted():
        with VideoWriter(path, FilmFormat(32, 48, fps=25)) as writer:
            for frame in steps(num_written):
                writer.write(frame)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_until_interrupted()
    assert list(tmp_path.iterdir()) == []


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "a.mp4"
    write(path, steps(3))
    with VideoWriter(path, FilmFormat(32, 48, fps=25)) as writer:
        writer.write(steps(1)[0])
        assert count_frames(path) == 3
    assert count_frames(path) == 1


def test_wrong_use_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"a\.avi.*\.mp4 or \.gif"):
        VideoWriter(tmp_path / "a.avi", FilmFormat(32, 48, fps=25))
    with pytest.raises(InputError, match=r"a\.gif.*65536x2, expected at most 65535"):
        VideoWriter(tmp_path / "a.gif", FilmFormat(2, 65536, fps=25))
    with pytest.raises(InputError, match=r"a\.mp4.*0 frames a second"):
        VideoWriter(tmp_path / "a.mp4", FilmFormat(32, 48, fps=0))
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match=r"a\.mp4: cannot be written"),
        VideoWriter(tmp_path / "file" / "a.mp4", FilmFormat(32, 48, fps=25)),
    ):
        pass
    with (
        pytest.raises(ValueError, match="no frame was written"),
        VideoWriter(tmp_path / "a.mp4", FilmFormat(32, 48, fps=25)),
    ):
        pass
    for wrong in (np.zeros((32, 48), np.uint8), np.zeros((32, 48, 3))):
        with (
            pytest.raises(ValueError, match=r"expected \(32, 48, 3\) uint8"),
            VideoWriter(tmp_path / "a.mp4", FilmFormat(32, 48, fps=25)) as writer,
        ):
            writer.write(wrong)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("every", [1, 4])
def test_key_frames_have_the_distance_asked_for(tmp_path, every):
    frames = np.random.default_rng(0).integers(0, 256, size=(11, 32, 32, 3), dtype=np.uint8)
    film_format = FilmFormat(32, 32, fps=25, keyframe_every=every)
    with VideoWriter(tmp_path / "a.mp4", film_format) as writer:
        for frame in frames:
            writer.write(frame)
    with av.open(str(tmp_path / "a.mp4")) as container:
        shown = [frame.key_frame for frame in container.decode(video=0)]
    assert shown == [number % every == 0 for number in range(11)]
