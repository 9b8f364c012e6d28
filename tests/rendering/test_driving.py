"""Driving videos: their frames, rate and sound, and what happens to damaged ones."""

import io
import subprocess

import av
import imageio_ffmpeg
import numpy as np
import pytest
from clips import write_clip
from films import write_film
from PIL import Image

from fomm_jax.errors import InputError
from fomm_jax.media.framing import frame_centre
from fomm_jax.media.pictures import write_picture
from fomm_jax.media.raw_frames import RawFormat
from fomm_jax.media.reading.video_reader import iterate_frames
from fomm_jax.media.writing.sound import SoundState
from fomm_jax.rendering.driving import open_driving, open_driving_pipe

SIZE = (32, 32)


def test_a_film_with_sound(tmp_path):
    path = str(tmp_path / "a.mp4")
    write_film(path, fps=30000 / 1001, size=(32, 48))
    driving = open_driving(path, (8, 0, 32, 32), SIZE)
    assert driving.fps == pytest.approx(30000 / 1001, abs=1e-9)
    assert driving.num_frames == 60
    assert driving.times is None
    assert driving.sound is SoundState.USABLE
    assert not driving.is_live
    for _ in range(2):  # each call starts the video again
        frames = [frame[:, 8:40] for frame in iterate_frames(path)]
        np.testing.assert_array_equal(list(driving.frames()), frames)


def test_a_film_without_sound(tmp_path):
    write_film(tmp_path / "a.mp4", codec=None)
    assert open_driving(str(tmp_path / "a.mp4"), "none", SIZE).sound is SoundState.NONE


def test_a_film_that_a_phone_has_turned_is_upright(tmp_path):
    write_film(tmp_path / "flat.mp4", codec=None, size=(32, 64))
    program = [imageio_ffmpeg.get_ffmpeg_exe(), "-display_rotation", "90"]
    files = ["-i", str(tmp_path / "flat.mp4"), "-c", "copy", str(tmp_path / "upright.mp4")]
    subprocess.run([*program, *files], check=True, capture_output=True)
    driving = open_driving(str(tmp_path / "upright.mp4"), (0, 32, 32, 32), SIZE)
    flat = next(iterate_frames(tmp_path / "flat.mp4"))  # its left becomes the lower half
    np.testing.assert_array_equal(next(driving.frames()), np.rot90(flat)[32:])


def test_a_damaged_end_is_reported_once(tmp_path, capsys):
    path = tmp_path / "a.mp4"
    write_film(path, codec=None, options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    driving = open_driving(str(path), "none", SIZE)
    count = len(list(driving.frames()))
    assert 5 < count < 45
    assert len(list(driving.frames())) == count
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: {path}: is ")
    assert line.endswith(f"after frame {count}; the animation ends there")


def test_files_that_are_not_films_are_refused(tmp_path):
    def message(name):
        with pytest.raises(InputError) as error:
            open_driving(str(tmp_path / name), "auto", SIZE)
        return str(error.value).removeprefix(f"{tmp_path}/")

    write_picture(tmp_path / "a.png", np.zeros((32, 32, 3), np.uint8))
    (tmp_path / "a.png").rename(tmp_path / "picture.mp4")
    assert message("picture.mp4") == "picture.mp4: is a picture, expected a video"
    (tmp_path / "zero.mp4").write_bytes(b"")
    assert message("zero.mp4").startswith("zero.mp4: cannot be read as a video, expected MP4, ")
    with av.open(str(tmp_path / "empty.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height = stream.width = 32
        container.start_encoding()
    assert message("empty.mp4") == "empty.mp4: has no picture track that can be decoded"
    write_film(tmp_path / "codec.mp4", None)
    unknown = (tmp_path / "codec.mp4").read_bytes().replace(b"avc1", b"none")
    (tmp_path / "codec.mp4").write_bytes(unknown)
    assert message("codec.mp4") == "codec.mp4: has no picture track that can be decoded"


def write_colours(path, levels, duration=40):
    frames = [Image.new("RGB", (32, 32), (level, level, level)) for level in levels]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=duration, lossless=True)


@pytest.mark.parametrize("name", ["a.webp", "a.png", "a.gif"])
def test_animated_pictures_drive_as_videos_do(tmp_path, name):
    write_colours(tmp_path / name, [0, 50, 100], [40, 40, 40])
    driving = open_driving(str(tmp_path / name), "centre", SIZE)
    assert (driving.fps, driving.num_frames, driving.times) == (25, 3, None)
    for _ in range(2):
        assert [frame.mean() for frame in driving.frames()] == [0, 50, 100]
    write_colours(tmp_path / name, [0, 50, 100], [40, 400, 100])
    driving = open_driving(str(tmp_path / name), "centre", SIZE)
    np.testing.assert_allclose(driving.times, [0, 0.04, 0.44, 0.54])


def test_a_folder_of_frames_drives_at_25_frames_a_second(tmp_path):
    for number in (9, 10, 11):
        write_picture(tmp_path / f"{number}.png", np.full((40, 32, 3), 5 * number, np.uint8))
    driving = open_driving(str(tmp_path), "centre", SIZE)
    assert (driving.fps, driving.num_frames, driving.times) == (25, 3, None)
    frames = list(driving.frames())
    assert [frame.mean() for frame in frames] == [45, 50, 55]
    assert frames[0].shape == (*SIZE, 3)


def test_a_head_is_looked_for_all_over_a_sequence(tmp_path, monkeypatch):
    levels = list(range(0, 240, 2))
    write_colours(tmp_path / "a.webp", levels)
    looks = []
    monkeypatch.setattr(
        "fomm_jax.rendering.driving.choose_framing",
        lambda crop, frames, size, name: (
            looks.extend(frame.mean() for frame in frames) or frame_centre((32, 32), size)
        ),
    )
    open_driving(str(tmp_path / "a.webp"), "face", SIZE)
    assert looks[0] == 0
    assert looks[-1] == levels[-1]
    assert 8 <= len(looks) <= 30
    assert max(np.diff(looks)) <= 40


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.webp", "a.jpg"])
def test_still_pictures_drive_nothing(tmp_path, name):
    Image.new("RGB", (32, 32)).save(tmp_path / name)
    with pytest.raises(InputError, match=f"{name}: is a picture, expected a video$"):
        open_driving(str(tmp_path / name), "centre", SIZE)


def test_frames_after_a_damaged_one_are_used(tmp_path, capsys):
    path = write_clip(tmp_path / "a.mp4", bf="0", g="1")
    whole = [frame.mean() for frame in open_driving(str(path), "centre", SIZE).frames()]
    with av.open(str(path)) as container:
        place = [packet.pos for packet in container.demux(video=0) if packet.size][20]
    content = bytearray(path.read_bytes())
    content[place : place + 8] = b"\xff" * 8
    path.write_bytes(content)
    driving = open_driving(str(path), "centre", SIZE)
    for _ in range(2):
        levels = [frame.mean() for frame in driving.frames()]
        assert levels == [*whole[:20], whole[19], *whole[21:]]
    assert capsys.readouterr().err == (
        f"warning: {path}: number of damaged frames: 1; the one before stands in place of each\n"
    )


def test_frames_from_a_pipe():
    frames = np.random.default_rng(0).integers(0, 256, (3, 32, 40, 3), dtype=np.uint8)
    form = RawFormat(32, 40, 12.0)
    stream = io.BytesIO(frames.tobytes())
    driving = open_driving_pipe(stream, form, (4, 0, 32, 32), SIZE, "standard input")
    assert (driving.fps, driving.num_frames, driving.is_live) == (12.0, None, True)
    np.testing.assert_array_equal(list(driving.frames()), frames[:, :, 4:36])
    with pytest.raises(InputError, match=r"^standard input: ended after 0 bytes"):
        open_driving_pipe(io.BytesIO(), form, "auto", SIZE, "standard input")
