"""Values of the flags of an animation, and messages that name the flags."""

import pytest

from fomm_jax.cli.animation_flags import naming_flags, parse_crop
from fomm_jax.errors import InputError


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
