"""Films keep the number, order, rate and colours of their frames, and are never half written."""

import subprocess

import av
import imageio_ffmpeg
import numpy as np
import pytest
from clips import times_by_ffmpeg
from PIL import Image

from fomm_jax.errors import InputError
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.media.reading.video_reader import count_frames, iterate_frames
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter


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


@pytest.mark.parametrize("fps", [50, 60, 75, 100, 240])
def test_gif_has_no_delay_that_browsers_lengthen(tmp_path, fps, caplog):
    """Browsers show a frame of 10 ms for 100 ms, so frames are left out; the rest are in time."""
    frames = steps(30)
    write(tmp_path / "a.gif", frames, fps)
    with Image.open(tmp_path / "a.gif") as image:
        starts, levels = [0], []
        for i in range(image.n_frames):
            image.seek(i)
            starts.append(starts[-1] + image.info["duration"] / 1000)
            levels.append(np.asarray(image.convert("RGB"))[0, 0, 0])
    assert np.diff(starts).min() > 0.0199
    assert starts[-1] == pytest.approx(30 / fps, abs=0.0201)
    numbers = np.array(levels) / 8
    np.testing.assert_allclose(starts[:-1], numbers / fps, atol=0.0151)
    left_out = 30 - len(levels)
    assert (left_out == 0) == (fps == 50)
    line = f"a GIF shows at most 50 frames a second: {left_out} of 30 frames are left out"
    lines = [f"{tmp_path}/a.gif: {line}"] if fps > 50 else []
    assert [record.getMessage() for record in caplog.records] == lines


def test_gif_keeps_repeated_frames_and_long_ones(tmp_path):
    frames = [np.full((9, 2, 3), level, np.uint8) for level in (7, 7, 7, 200)]
    times = np.array([0, 0.02, 700, 701, 701.1])  # a delay is at most 655.35 s
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


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_frames_are_written_at_their_times(tmp_path, suffix):
    times = np.array([0, 0.05, 0.3, 0.32, 0.7, 1.5, 3.9])
    path = tmp_path / f"a{suffix}"
    with VideoWriter(path, FilmFormat(32, 32, fps=4, times=times)) as writer:
        for i in range(len(times) - 1):
            writer.write(np.full((32, 32, 3), 40 * i, np.uint8))
    np.testing.assert_allclose(probe_video(path).times, times, atol=1e-4)
    np.testing.assert_allclose(times_by_ffmpeg(path), times[:-1], atol=1e-4)
    levels = [frame.mean() for frame in iterate_frames(path)]
    np.testing.assert_allclose(levels, 40 * np.arange(len(times) - 1), atol=2)


@pytest.mark.parametrize("num_frames", [1, 2, 3, 40])
def test_the_last_frame_stands_as_long_as_it_should(tmp_path, num_frames):
    """Every reader must see it, also one that goes by the last packet or by the container."""
    times = np.append(np.arange(num_frames) / 25, num_frames / 25 + 2)
    path = tmp_path / "a.mp4"
    with VideoWriter(path, FilmFormat(32, 32, fps=25, times=times)) as writer:
        for i in range(num_frames):
            writer.write(np.full((32, 32, 3), 5 * i, np.uint8))
    with av.open(str(path)) as container:
        assert container.duration / 1e6 == pytest.approx(times[-1])
        packets = [packet for packet in container.demux(video=0) if packet.size]
        end = max((packet.pts + packet.duration) * packet.time_base for packet in packets)
        assert float(end) == pytest.approx(times[-1])


def test_frames_after_the_listed_times_follow_at_the_rate(tmp_path):
    film_format = FilmFormat(32, 32, fps=4, times=np.array([0, 0.05, 0.5]))
    with VideoWriter(tmp_path / "a.mp4", film_format) as writer:
        for i in range(4):
            writer.write(np.full((32, 32, 3), 40 * i, np.uint8))
    times = [0, 0.05, 0.5, 0.75, 1]
    np.testing.assert_allclose(probe_video(tmp_path / "a.mp4").times, times, atol=1e-4)


def test_two_frames_of_the_same_time_are_both_written(tmp_path):
    film_format = FilmFormat(32, 32, fps=4, times=np.array([0, 0.5, 0.5, 2, 3]))
    with VideoWriter(tmp_path / "a.mp4", film_format) as writer:
        for i in range(4):
            writer.write(np.full((32, 32, 3), 40 * i, np.uint8))
    times = [0, 0.5, 0.5, 2, 3]
    np.testing.assert_allclose(probe_video(tmp_path / "a.mp4").times, times, atol=1e-4)
