"""Values of the flags of an animation, and messages that name the flags."""

import pytest

from fomm_jax.cli.animation_flags import naming_flags, parse_colour, parse_crop, parse_raw_format
from fomm_jax.errors import InputError
from fomm_jax.media.raw_frames import RawFormat


def test_values_of_the_crop_flags():
    assert [parse_crop(text, "--crop") for text in ("auto", "centre", "none")] == [
        "auto", "centre", "none"
    ]  # fmt: skip
    assert parse_crop("3,4,50,60", "--crop") == (3, 4, 50, 60)


@pytest.mark.parametrize("text", ["", "middle", "1,2,3", "1,2,3,4,5", "-1,2,3,4", "1,2,0,4", "a,b"])
def test_other_values_are_refused(text):
    with pytest.raises(
        InputError, match=f"^--crop_driving={text}: expected auto, face, centre, none or x"
    ):
        parse_crop(text, "--crop_driving")


def test_values_of_the_background_flag():
    assert parse_colour("white") == (255, 255, 255)
    assert parse_colour("#00b140") == (0, 177, 64)


@pytest.mark.parametrize("text", ["", "whitish", "#12345", "#00b14080", "1,2,3"])
def test_other_colours_are_refused(text):
    with pytest.raises(InputError, match=f"^--background={text}: expected the name of a colour"):
        parse_colour(text)


def test_values_of_the_pipe_flags():
    assert parse_raw_format("640x480", "25") == RawFormat(480, 640, 25.0)
    assert parse_raw_format("4x6", "30000/1001").fps == 30000 / 1001
    assert parse_raw_format("4x6", "12.5").fps == 12.5


@pytest.mark.parametrize("size", [None, "", "640", "640x", "0x480", "640X480", "-4x6", "4x6x3"])
def test_other_sizes_are_refused(size):
    with pytest.raises(InputError, match=f"^--pipe_size={size or ''}: expected WIDTHxHEIGHT"):
        parse_raw_format(size, "25")


@pytest.mark.parametrize("fps", ["", "0", "-1", "abc", "1/0", "nan"])
def test_other_rates_are_refused(fps):
    with pytest.raises(InputError, match=f"^--fps={fps}: expected a number above 0"):
        parse_raw_format("4x6", fps)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("best_frame=9: expected less", "--best_frame=9: expected less"),
        ("paste_back, side_by_side: expected", "--paste_back, --side_by_side: expected"),
        ("output=a.xyz: expected", "--output=a.xyz: expected"),
        ("sound.mp4: there is no such file", "sound.mp4: there is no such file"),
        ("a picture: crop=face: no", "a picture: crop=face: no"),
        ("config.model.num_kp: expected", "config.model.num_kp: expected"),
    ],
)
def test_a_message_about_an_option_names_its_flag(message, shown):
    with pytest.raises(InputError) as error, naming_flags():
        raise InputError(message)
    assert str(error.value) == shown


def test_a_file_that_is_named_as_a_flag_is_meant_itself(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "source").touch()
    with pytest.raises(InputError, match=r"^source: cannot be read"), naming_flags():
        raise InputError("source: cannot be read as a picture")
