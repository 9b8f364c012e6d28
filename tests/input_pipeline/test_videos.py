"""Videos in each of their forms on disk."""

import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fomm_jax.errors import InputError
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from input_pipeline.picture_cache import PictureCache
from input_pipeline.videos import open_video

SHAPE = (16, 12, 3)
DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not there")


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 256, size=(5, *SHAPE), dtype=np.uint8)


def stacked(frames):
    return Image.fromarray(np.concatenate(list(frames), axis=1))


def refusal(path, shape=SHAPE, **options):
    """Return the message with which opening a video or reading its frames fails."""
    with pytest.raises(InputError) as caught:
        list(open_video(path, shape, **options))
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.png", "rgba.png", "png named.jpg", "A.PNG"])
def test_stacked_picture_holds_the_frames_that_were_written(tmp_path, frames, name):
    picture = stacked(frames)
    if name == "rgba.png":
        picture.putalpha(Image.fromarray(np.asarray(picture)[..., 0]))
    picture.save(tmp_path / name, format="PNG")
    video = open_video(tmp_path / name, SHAPE)
    assert (video.name, len(video), video.fps) == (name, 5, 25.0)
    np.testing.assert_array_equal(video.frames([4, 1, 1]), frames[[4, 1, 1]])
    np.testing.assert_array_equal(np.stack(list(video)), frames)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_pictures_become_three_equal_channels(tmp_path, frames, dtype):
    grey = np.asarray(stacked(frames))[..., 0]
    scale = 257 if dtype == np.uint16 else 1
    Image.fromarray(grey.astype(dtype) * dtype(scale)).save(tmp_path / "a.png")
    video = open_video(tmp_path / "a.png", SHAPE)
    np.testing.assert_array_equal(
        video.frames([2])[0], frames[2, ..., [0, 0, 0]].transpose(1, 2, 0)
    )


def test_one_frame_makes_a_video(tmp_path, frames):
    stacked(frames[:1]).save(tmp_path / "a.png")
    assert len(open_video(tmp_path / "a.png", SHAPE)) == 1


def test_a_folder_is_read_in_the_order_of_the_names(tmp_path, frames):
    for number in (3, 0, 4, 1, 2):
        Image.fromarray(frames[number]).save(tmp_path / f"{number:03}.png")
    (tmp_path / ".DS_Store").touch()
    video = open_video(tmp_path, SHAPE)
    assert (video.name, len(video)) == (tmp_path.name, 5)
    np.testing.assert_array_equal(video.frames([0, 3]), frames[[0, 3]])
    np.testing.assert_array_equal(np.stack(list(video)), frames)


def test_gif_is_read(tmp_path):
    colors = [(255, 0, 0), (0, 128, 0), (0, 0, 255)]
    first, *rest = (Image.new("RGB", (12, 16), color) for color in colors)
    first.save(tmp_path / "a.gif", save_all=True, append_images=rest, duration=50)
    video = open_video(tmp_path / "a.gif", SHAPE)
    assert (len(video), video.fps) == (3, 20.0)
    np.testing.assert_array_equal(video.frames([2, 0])[:, 5, 5], [colors[2], colors[0]])
    np.testing.assert_array_equal([frame[0, 0] for frame in video], colors)


def test_mp4_is_read(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", FilmFormat(16, 12, fps=10)) as writer:
        for number in range(30):
            writer.write(np.full(SHAPE, 8 * number, np.uint8))
    video = open_video(tmp_path / "a.mp4", SHAPE)
    assert (len(video), video.fps) == (30, 10.0)
    np.testing.assert_allclose(video.frames([29, 3]).mean((1, 2, 3)), [232, 24], atol=3)
    np.testing.assert_allclose([f.mean() for f in video], 8 * np.arange(30), atol=3)


def test_frames_are_read_one_at_a_time(tmp_path, frames):
    Image.fromarray(frames[0]).save(tmp_path / "0.png")
    (tmp_path / "1.png").write_bytes(b"no picture")
    reading = iter(open_video(tmp_path, SHAPE))
    np.testing.assert_array_equal(next(reading), frames[0])
    with pytest.raises(InputError, match=r"1\.png"):
        next(reading)


def test_frames_of_unequal_size_are_refused(tmp_path, frames):
    Image.fromarray(frames[0]).save(tmp_path / "0.png")
    Image.fromarray(frames[0, :-1]).save(tmp_path / "1.png")
    message = refusal(tmp_path)
    assert "1.png: is 15 high and 12 wide, but the video's first frame is 16 high" in message
    video = open_video(tmp_path, SHAPE)
    with pytest.raises(InputError, match=r"1\.png: is 15 high"):
        video.frames([0, 1])


def test_other_sizes_are_refused_and_the_message_says_what_to_do(tmp_path, frames):
    Image.fromarray(frames[0]).save(tmp_path / "0.png")
    message = refusal(tmp_path, (8, 8, 3))
    assert "frames are 16 high and 12 wide" in message
    assert "config.dataset.frame_shape expects 8 high and 8 wide" in message
    assert open_video(tmp_path, (8, 8, 3), any_size=True).frames([0]).shape == (1, 16, 12, 3)


def test_pictures_that_cannot_be_cut_into_frames_are_refused(tmp_path, frames):
    stacked(frames).save(tmp_path / "a.png")
    for shape in ((16, 13, 3), (15, 12, 3)):
        for any_size in (False, True):
            message = refusal(tmp_path / "a.png", shape, any_size=any_size)
            assert "is 16 high and 60 wide; expected frames of" in message
            assert "config.dataset.frame_shape" in message


def test_files_that_are_no_videos_are_refused(tmp_path, frames):
    (tmp_path / "empty").mkdir()
    assert "is empty; expected a picture for each frame" in refusal(tmp_path / "empty")
    (tmp_path / "stray").mkdir()
    Image.fromarray(frames[0]).save(tmp_path / "stray" / "0.png")
    (tmp_path / "stray" / "notes.xyz").touch()
    assert "notes.xyz: expected only pictures" in refusal(tmp_path / "stray")
    assert "no such file" in refusal(tmp_path / "nothing.png")
    for name in ("text.png", "text.mp4", "text.gif"):
        (tmp_path / name).write_text("text")
        assert "cannot be read" in refusal(tmp_path / name)


def test_files_cut_short_are_refused(tmp_path, frames):
    stacked(frames).save(tmp_path / "a.png")
    with VideoWriter(tmp_path / "a.mp4", FilmFormat(16, 12, fps=10)) as writer:
        for frame in itertools.chain.from_iterable([frames] * 4):
            writer.write(frame)
    for name in ("a.png", "a.mp4"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        refusal(tmp_path / name)


def test_cache_holds_the_most_recently_used_pictures(tmp_path, frames):
    paths = [tmp_path / f"{letter}.png" for letter in "abc"]
    for path in paths:
        stacked(frames).save(path)
    one_picture = frames.nbytes
    cache = PictureCache(2 * one_picture)
    a, b, _ = (cache.read(path) for path in (*paths[:2], paths[0]))
    cache.read(paths[2])  # drops b, which was used less recently than a
    assert cache.read(paths[0]) is a
    assert cache.read(paths[1]) is not b
    small = PictureCache(1)
    assert small.read(paths[0]) is small.read(paths[0])
    assert pickle.loads(pickle.dumps(cache)).read(paths[0]) is not a


@needs_data
def test_actions_has_the_number_of_frames_that_its_readme_gives():
    videos = [open_video(path, (64, 64, 3)) for path in sorted((DATA / "actions/test").iterdir())]
    assert len(videos) == 15
    assert sum(map(len, videos)) == 1181


@needs_data
def test_the_last_frame_of_a_face_is_the_same_read_alone_and_in_order():
    path = min((DATA / "faces/test").iterdir())
    video = open_video(path, (256, 256, 3))
    *_, last = video
    np.testing.assert_array_equal(video.frames([len(video) - 1])[0], last)
    assert video.fps == 25.0
