"""The flags of `--mode=animate --source=PICTURE`, and the options that they set."""

import contextlib
import re
from collections.abc import Collection
from contextlib import AbstractContextManager
from fractions import Fraction
from typing import cast

from absl import flags
from PIL import ImageColor

from fomm_jax.cli.flags import names_as_flags
from fomm_jax.cli.path_flags import PATH
from fomm_jax.errors import InputError
from fomm_jax.media.colours import Colour
from fomm_jax.media.raw_frames import RawFormat
from fomm_jax.rendering.options import (
    AnimationOptions,
    Crop,
    DrivingCrop,
    Faces,
    MotionTransfer,
    SoundFrom,
)

CROP = flags.DEFINE_string(
    "crop",
    "auto",
    "Part of the pictures to animate. x,y,width,height: a box in pixels. centre: the largest part"
    " of the middle that suits the model. face: a face with a margin; fails if there is none. none:"
    " the whole picture. auto: face if the model animates faces, a detector is installed and it"
    " finds one, otherwise centre.",
)
CROP_DRIVING = flags.DEFINE_string(
    "crop_driving",
    "auto",
    "Part of the driving videos to use. The values are those of --crop, for a part that is the same"
    " in all frames; or follow: a part that goes with the face.",
)
FACES = flags.DEFINE_string(
    "faces",
    None,
    "Faces of the pictures to animate, each in its place, in place of --crop: all, largest, or"
    " their numbers from left to right, such as 1,3. One --driving moves all of them, or one each.",
)
BACKGROUND = flags.DEFINE_string(
    "background",
    "white",
    "Colour that is seen where a picture is transparent: a name, such as black, or #rrggbb.",
)
PASTE_BACK = flags.DEFINE_boolean(
    "paste_back", False, "Show the whole picture, with the animated part in its place."
)
SIDE_BY_SIDE = flags.DEFINE_boolean(
    "side_by_side",
    False,
    "Show the picture, the driving frame with its keypoints, and the animation.",
)
MOTION_TRANSFER = flags.DEFINE_enum(
    "motion_transfer",
    None,
    ["relative", "absolute", "avd"],
    "How the picture takes over motion. relative: add to its keypoints the motion since the driving"
    " frame of --best_frame. absolute: use the driving keypoints as they are. avd: let a network"
    " give it the pose of each frame; for thin-plate models alone. Default: what the model's"
    " configuration says, which is usually relative.",
)
RELATIVE = flags.DEFINE_boolean(
    "relative", None, "Short for --motion_transfer=relative; --norelative is --absolute."
)
ABSOLUTE = flags.DEFINE_boolean("absolute", False, "Short for --motion_transfer=absolute.")
ADAPT_SCALE = flags.DEFINE_boolean(
    "adapt_scale",
    None,
    "Scale movements by the ratio of the sizes of the objects in picture and video. Default: what"
    " the model's configuration says.",
)
BEST_FRAME = flags.DEFINE_string(
    "best_frame",
    None,
    "Driving frame that relative motion starts from, because it shows the pose of the picture. A"
    " number, from 0: that frame. face: the frame whose face is most like the picture's. auto: the"
    " most similar frame by faces if the face packages are installed and find them, otherwise by"
    " keypoints. Default: the first frame.",
)
SMOOTH = flags.DEFINE_boolean(
    "smooth",
    False,
    "Smooth the driving keypoints over time, and report how much they trembled before and after.",
)
SAVE_MOTION = flags.DEFINE(
    PATH, "save_motion", None, "File to write the driving motion to, which --motion reads."
)
SOUND = flags.DEFINE_boolean(
    "sound",
    None,
    "Copy the driving video's sound, and fail if that is impossible; --nosound leaves it out."
    " Default: copy it if there is sound and the output can hold it.",
)
SOUND_FROM = flags.DEFINE_enum(
    "sound_from",
    "driving",
    ["driving", "source"],
    "If the source is a video: which of the two sets the times of the film, and gives its sound.",
)
PIPE_SIZE = flags.DEFINE_string(
    "pipe_size", None, "WIDTHxHEIGHT of the raw RGB24 frames that --driving=- reads."
)
FPS = flags.DEFINE_string("fps", "25", "Frames a second that --driving=- brings.")
BATCH_SIZE = flags.DEFINE_integer(
    "batch_size",
    None,
    "Number of frames that are animated together. 1 writes each frame as soon as its driving frame"
    " has come. Default: what the model's configuration says.",
    lower_bound=1,
)


def check_unused() -> None:
    """Raise an `InputError` if one of these flags is given, where no picture is animated."""
    for flag in flags.FLAGS.get_flags_for_module(__name__):
        if flag.present:
            raise InputError(
                f"--{flag.name}: expected with --mode=animate, --source, --driving and --output"
            )


def check_only(names: Collection[str]) -> None:
    """Raise an `InputError` if one of these flags is given that is not among `names`."""
    for flag in flags.FLAGS.get_flags_for_module(__name__):
        if flag.present and flag.name not in names:
            raise InputError(f"--{flag.name}: has no meaning with --mode=live")


def read_options() -> AnimationOptions:
    """Return the options that the flags set.

    Raises:
      InputError: a flag has an unknown value, or two flags exclude each other.
    """
    motion_transfer = _read_motion_transfer()
    if motion_transfer in ("absolute", "avd") and (
        BEST_FRAME.value is not None or ADAPT_SCALE.value
    ):
        raise InputError("--best_frame, --adapt_scale: expected with relative motion alone")
    return AnimationOptions(
        crop=parse_crop(CROP.value, "--crop"),
        crop_driving=_parse_crop_driving(CROP_DRIVING.value),
        faces=_parse_faces(FACES.value),
        background=parse_colour(BACKGROUND.value),
        paste_back=PASTE_BACK.value,
        side_by_side=SIDE_BY_SIDE.value,
        motion_transfer=motion_transfer,
        adapt_scale=ADAPT_SCALE.value,
        best_frame=_parse_best_frame(BEST_FRAME.value),
        smooth=SMOOTH.value,
        sound=SOUND.value,
        sound_from=cast(SoundFrom, SOUND_FROM.value),
        save_motion=SAVE_MOTION.value,
    )


def _read_motion_transfer() -> MotionTransfer | None:
    """Return the mode of motion transfer, from the flag that names it or a short one."""
    if ABSOLUTE.value and RELATIVE.value:
        raise InputError("--relative, --absolute: expected one of them")
    short: MotionTransfer | None = None
    if RELATIVE.value is not None or ABSOLUTE.value:
        short = "relative" if RELATIVE.value else "absolute"
    if short is not None and MOTION_TRANSFER.value is not None:
        raise InputError(
            "--motion_transfer: expected without --relative and --absolute, which are short for it"
        )
    return MOTION_TRANSFER.value or short  # type: ignore[return-value]


def parse_crop(text: str, flag: str) -> Crop:
    """Return the crop that the value of a flag describes.

    Args:
      text: the value.
      flag: the flag, for messages.

    Raises:
      InputError: the value is not a crop.
    """
    if text in ("auto", "face", "centre", "none"):
        return text  # type: ignore[return-value]
    if match := re.fullmatch(r"(\d+),(\d+),(\d+),(\d+)", text):
        x, y, width, height = map(int, match.groups())
        if width and height:
            return x, y, width, height
    raise InputError(
        f"{flag}={text}: expected auto, face, centre, none or x,y,width,height in whole pixels from"
        " the upper left corner"
    )


def _parse_crop_driving(text: str) -> DrivingCrop:
    return "follow" if text == "follow" else parse_crop(text, "--crop_driving")


def _parse_faces(text: str | None) -> Faces | None:
    if text is None or text in ("all", "largest"):
        return text  # type: ignore[return-value]
    if re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", text):
        return tuple(map(int, text.split(",")))
    raise InputError(f"--faces={text}: expected all, largest, or numbers from 1 such as 1,3")


def parse_colour(text: str) -> Colour:
    """Return the colour that the value of `--background` names.

    Raises:
      InputError: it names none.
    """
    with contextlib.suppress(ValueError):
        colour = ImageColor.getrgb(text)
        if len(colour) == 3:  # the fourth would be a degree of transparency
            return colour
    raise InputError(
        f"--background={text}: expected the name of a colour, such as black, or #rrggbb"
    )


def _parse_best_frame(text: str | None) -> int | str | None:
    if text is None or text in ("auto", "face"):
        return text
    if text.isdecimal():
        return int(text)
    raise InputError(f"--best_frame={text}: expected auto, face or the number of a frame")


def read_raw_format(*, reads_pipe: bool) -> RawFormat | None:
    """Return the format that `--pipe_size` and `--fps` describe; None if no pipe is read.

    Raises:
      InputError: a value is missing or unknown, or a flag is given though no pipe is read.
    """
    if not reads_pipe:
        if flags.FLAGS["pipe_size"].present or flags.FLAGS["fps"].present:
            raise InputError("--pipe_size, --fps: expected with --driving=- alone")
        return None
    return parse_raw_format(PIPE_SIZE.value, FPS.value)


def parse_raw_format(size: str | None, fps: str) -> RawFormat:
    """Return the format that the values of `--pipe_size` and `--fps` describe.

    Args:
      size: WIDTHxHEIGHT.
      fps: a number, or a ratio such as 30000/1001.

    Raises:
      InputError: a value is not of this form.
    """
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", size or "")
    if match is None:
        raise InputError(
            f"--pipe_size={size or ''}: expected WIDTHxHEIGHT of the raw frames that are read, such"
            " as 640x480"
        )
    try:
        rate = Fraction(fps)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise InputError(f"--fps={fps}: expected a number above 0, such as 25 or 30000/1001")
    return RawFormat(int(match[2]), int(match[1]), float(rate))


def naming_flags() -> AbstractContextManager[None]:
    """Write flags for the animation's options at the beginning of an `InputError`'s message."""
    options = {flag.name for flag in flags.FLAGS.get_flags_for_module(__name__)} | {"output"}
    return names_as_flags(options)
