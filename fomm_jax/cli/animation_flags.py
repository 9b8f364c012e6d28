"""The flags of `main.py --mode=animate --source=PICTURE`, and the options that they make."""

from absl import flags

from fomm_jax.errors import InputError
from fomm_jax.media.raw_frames import RawFormat, parse_raw_format
from fomm_jax.rendering.cropping import parse_crop
from fomm_jax.rendering.options import AnimationOptions

CROP = flags.DEFINE_string(
    "crop",
    "auto",
    "Part of the pictures to animate: x,y,width,height in pixels; none (all of it); centre; face"
    " (fails where there is none); or auto, a face where the model is one of faces, a detector is"
    " installed and finds one, else the centre.",
)
CROP_DRIVING = flags.DEFINE_string(
    "crop_driving", "auto", "Part of the driving videos, the same in all their frames; as --crop."
)
PASTE_BACK = flags.DEFINE_boolean(
    "paste_back", False, "Show the whole picture, with the animated part in its place."
)
SIDE_BY_SIDE = flags.DEFINE_boolean(
    "side_by_side", False, "Show source, driving frame with its keypoints, and animation."
)
RELATIVE = flags.DEFINE_boolean(
    "relative",
    None,
    "Motion relative to the driving frame of --best_frame; default: as the model's configuration"
    " says, which is so as a rule.",
)
ABSOLUTE = flags.DEFINE_boolean(
    "absolute", False, "The driving keypoints as they are, in place of relative motion."
)
ADAPT_SCALE = flags.DEFINE_boolean(
    "adapt_scale",
    None,
    "Movements grow or shrink by the ratio of the sizes of source and driving; default: as the"
    " model's configuration says.",
)
BEST_FRAME = flags.DEFINE_string(
    "best_frame",
    None,
    "Driving frame that relative motion starts from, since it shows the pose of the picture: its"
    " number from 0; face, that whose face is most like the picture's; or auto, by faces where the"
    " evaluator is installed and finds them, else by keypoints. Default: the first.",
)
SMOOTH = flags.DEFINE_boolean(
    "smooth", False, "Smooth the driving keypoints over time, and tell how much they shook."
)
SAVE_MOTION = flags.DEFINE_string(
    "save_motion", None, "File to keep the driving motion in, for --motion."
)
SOUND = flags.DEFINE_boolean(
    "sound",
    None,
    "The driving video's sound: must go along, or --nosound; default: where there is one and the"
    " output can hold it.",
)
PIPE_SIZE = flags.DEFINE_string(
    "pipe_size", None, "WIDTHxHEIGHT of the raw RGB24 frames that --driving=- reads."
)
FPS = flags.DEFINE_string("fps", "25", "Frames a second that --driving=- reads.")
BATCH_SIZE = flags.DEFINE_integer(
    "batch_size",
    None,
    "Frames that are animated together; 1 gives each as soon as it comes; default: the model's.",
    lower_bound=1,
)


def check_unused() -> None:
    """Refuse these flags where no picture is animated.

    Raises:
      InputError: one of them is given.
    """
    for flag in flags.FLAGS.get_flags_for_module(__name__):
        if flag.present:
            raise InputError(
                f"--{flag.name}: expected with --mode=animate, --source, --driving and --output"
            )


def read_options() -> AnimationOptions:
    """Make options of the flags.

    Raises:
      InputError: a value is none, or two do not go together.
    """
    if ABSOLUTE.value and RELATIVE.value:
        raise InputError("--relative, --absolute: expected one of them")
    relative = False if ABSOLUTE.value else RELATIVE.value
    if relative is False and (BEST_FRAME.value is not None or ADAPT_SCALE.value):
        raise InputError("--best_frame, --adapt_scale: expected with relative motion alone")
    best_frame: int | str | None = BEST_FRAME.value
    if isinstance(best_frame, str) and best_frame.isdecimal():
        best_frame = int(best_frame)
    elif best_frame not in (None, "auto", "face"):
        raise InputError(f"--best_frame={best_frame}: expected auto, face or the number of a frame")
    return AnimationOptions(
        crop=parse_crop(CROP.value, "--crop"),
        crop_driving=parse_crop(CROP_DRIVING.value, "--crop_driving"),
        paste_back=PASTE_BACK.value,
        side_by_side=SIDE_BY_SIDE.value,
        relative=relative,
        adapt_scale=ADAPT_SCALE.value,
        best_frame=best_frame,
        smooth=SMOOTH.value,
        sound=SOUND.value,
        save_motion=SAVE_MOTION.value,
    )


def read_raw_format(*, reads_pipe: bool) -> RawFormat | None:
    """What `--pipe_size` and `--fps` tell of raw frames; None where none are read.

    Raises:
      InputError: a value is missing or none, or none is expected.
    """
    if not reads_pipe:
        if flags.FLAGS["pipe_size"].present or flags.FLAGS["fps"].present:
            raise InputError("--pipe_size, --fps: expected with --driving=- alone")
        return None
    return parse_raw_format(PIPE_SIZE.value, FPS.value)
