"""Animated pictures and folders of frames are read as videos are; still pictures are not."""

import numpy as np
import pytest
from PIL import ExifTags, Image, features
from PIL.PngImagePlugin import PngInfo

from fomm_jax.errors import InputError
from fomm_jax.media.pictures import read_picture, write_picture
from fomm_jax.media.reading.picture_sequences import open_sequence
from fomm_jax.media.reading.video_reader import DamagedFramesError, iterate_frames

COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (90, 90, 90)]
DURATIONS = [40, 200, 100, 3000]  # ms
KINDS = ["a.webp", "a.png", "a.avif"]


def write_animation(path, *, colours=COLOURS, durations=DURATIONS, mode="RGB", **options):
    """Write frames of one colour each, with a corner of another so that none is left out."""
    frames = []
    for i, colour in enumerate(colours):
        frame = Image.new(mode, (32, 24), colour)
        frame.putpixel((31, 23), (50 * i, 0, 0) + (255,) * (len(mode) - 3))
        frames.append(frame)
    if path.suffix == ".avif" and not features.check("avif"):
        pytest.skip("Pillow has no AVIF")
    if path.suffix == ".webp":
        options["lossless"] = True
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, **options)
    return path


def read_as_video(path):
    sequence = open_sequence(path)
    return iterate_frames(path) if sequence is None else sequence.frames()


@pytest.mark.parametrize("name", KINDS)
def test_animated_pictures_keep_their_frames_and_times(tmp_path, name):
    sequence = open_sequence(write_animation(tmp_path / name))
    np.testing.assert_allclose(sequence.times, [0, 0.04, 0.24, 0.34, 3.34], atol=1e-3)
    for _ in range(2):
        frames = list(sequence.frames())
        assert [frame.shape for frame in frames] == [(24, 32, 3)] * 4
        np.testing.assert_allclose([frame[0, 0] for frame in frames], COLOURS, atol=3)


@pytest.mark.parametrize("name", KINDS)
def test_the_content_decides_and_not_the_name(tmp_path, name):
    path = write_animation(tmp_path / name).rename(tmp_path / "film.mp4")
    assert len(open_sequence(path).times) == 5


@pytest.mark.parametrize("name", KINDS)
def test_transparent_pixels_of_animations_are_white(tmp_path, name):
    colours = [(*colour, 0) for colour in COLOURS]
    sequence = open_sequence(write_animation(tmp_path / name, colours=colours, mode="RGBA"))
    for frame in sequence.frames():
        np.testing.assert_allclose(frame[0, 0], 255, atol=3)


def test_a_first_picture_for_other_programs_is_no_frame(tmp_path):
    path = write_animation(tmp_path / "a.png", durations=[100] * 3, default_image=True)
    frames = list(open_sequence(path).frames())
    assert [frame[0, 0].tolist() for frame in frames] == [[*colour] for colour in COLOURS[1:]]


def test_frames_without_a_duration_are_shown_as_browsers_do(tmp_path):
    sequence = open_sequence(write_animation(tmp_path / "a.webp", durations=[0, 10, 20, 0]))
    np.testing.assert_allclose(np.diff(sequence.times), [0.1, 0.1, 0.02, 0.1])


@pytest.mark.parametrize("name", KINDS)
def test_a_cut_animation_ends_with_a_message(tmp_path, name):
    rng = np.random.default_rng(0)
    noise = [Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)) for _ in range(6)]
    path = tmp_path / name
    if name == "a.avif" and not features.check("avif"):
        pytest.skip("Pillow has no AVIF")
    noise[0].save(path, save_all=True, append_images=noise[1:], duration=100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    frames = []
    with pytest.raises(InputError, match=rf"{name}: is (damaged|cut short)(| after frame \d)$"):
        frames.extend(read_as_video(path))
    assert len(frames) < 6


@pytest.mark.parametrize("name", ["a.webp", "a.png", "a.gif"])
def test_every_cut_of_an_animation_gives_frames_or_a_message(tmp_path, name):
    path = write_animation(tmp_path / name)
    content, messages = path.read_bytes(), []
    for end in range(len(content)):
        path.write_bytes(content[:end])
        try:
            assert 0 < len(list(read_as_video(path))) <= 4
        except InputError as error:
            messages.append(str(error))
    assert all(message.startswith(f"{path}: ") for message in messages)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.bmp", "a.gif", "a.avif"])
def test_still_pictures_are_no_videos(tmp_path, name):
    if name == "a.avif" and not features.check("avif"):
        pytest.skip("Pillow has no AVIF")
    Image.new("RGB", (32, 24)).save(tmp_path / name)
    with pytest.raises(InputError, match=f"{name}: is a picture, expected a video$"):
        open_sequence(tmp_path / name)


def test_animations_are_no_still_pictures(tmp_path):
    for name in [*KINDS, "a.gif"]:
        path = write_animation(tmp_path / name)
        with pytest.raises(InputError, match=f"{name}: is an animation, expected a still picture"):
            read_picture(path)
    assert open_sequence(path) is None  # a GIF, which FFmpeg reads


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path):
    for number in (10, 9, 1, 100, 11):
        write_picture(tmp_path / f"frame {number}.png", np.full((24, 32, 3), number, np.uint8))
    (tmp_path / ".hidden.png").touch()
    (tmp_path / "Thumbs.db").touch()
    (tmp_path / "folder.png").mkdir()
    sequence = open_sequence(tmp_path)
    assert [frame.mean() for frame in sequence.frames()] == [1, 9, 10, 11, 100]
    np.testing.assert_allclose(sequence.times, np.arange(6) / 25)


def test_pictures_of_a_folder_are_scaled_to_the_first(tmp_path):
    for number, shape in enumerate([(24, 32), (48, 64), (32, 24)]):
        write_picture(tmp_path / f"{number}.png", np.full((*shape, 3), 90, np.uint8))
    frames = list(open_sequence(tmp_path).frames())
    np.testing.assert_array_equal(frames, np.full((3, 24, 32, 3), 90))


def test_the_picture_before_a_damaged_one_stands(tmp_path, capsys):
    for number in range(1, 4):
        write_picture(tmp_path / f"{number}.png", np.full((24, 32, 3), number, np.uint8))
    for name in ("0.png", "2.png"):
        (tmp_path / name).write_bytes(b"no picture")
    frames, levels = open_sequence(tmp_path).frames(), []
    with pytest.raises(DamagedFramesError, match=r": number of damaged pictures: 2; .*0\.png"):
        levels.extend(frame.mean() for frame in frames)
    assert levels == [1, 1, 1, 3]
    assert not capsys.readouterr().err


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r": has no pictures; expected one for each frame$"):
        open_sequence(tmp_path)


def test_other_files_are_left_to_other_readers(tmp_path):
    (tmp_path / "text.mp4").write_text("text")
    assert open_sequence(tmp_path / "text.mp4") is None
    with pytest.raises(InputError, match=r"absent\.mp4: there is no such file"):
        open_sequence(tmp_path / "absent.mp4")


def test_faulty_files(shared):
    media = shared / "faults" / "media"
    for name in ("E3_animated.webp", "E3_animated.png", "E3_animated.avif"):
        sequence = open_sequence(media / name)
        assert len(list(sequence.frames())) == len(sequence.times) - 1 in (8, 10)
        assert sequence.times[-1] == pytest.approx(1.0)
    for name in ("E2_photo.avif", "E1_iphone_photo.heic", "E1_photo_alpha.heic", "source_200.png"):
        with pytest.raises(InputError, match=f"{name}: is a picture, expected a video"):
            next(read_as_video(media / name))


@pytest.mark.parametrize("name", ["a.webp", "a.png"])  # Pillow crashes while it writes an AVIF
def test_an_animation_is_turned_upright(tmp_path, name):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # the left side of the picture is at the top
    frames = open_sequence(write_animation(tmp_path / name, exif=exif)).frames()
    for number, frame in enumerate(frames):
        assert frame.shape == (32, 24, 3)
        np.testing.assert_allclose(frame[31, 0], (50 * number, 0, 0), atol=30)


def test_an_animation_with_damaged_metadata_moves(tmp_path, capsys):
    path = write_animation(tmp_path / "a.png", pnginfo=commented())
    content = path.read_bytes()
    path.write_bytes(content.replace(b"Comment\0note", b"Comment\0noto"))  # not its checksum
    sequence = open_sequence(path)
    assert len(sequence.times) == 5
    np.testing.assert_array_equal([frame[0, 0] for frame in sequence.frames()], COLOURS)
    assert capsys.readouterr().err == (
        f"warning: {path}: is damaged, but not in its pixels; they are used\n"
    )


def commented():
    chunks = PngInfo()
    chunks.add_text("Comment", "note")
    return chunks
