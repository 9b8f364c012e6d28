"""The flags of `--mode=live`."""

from absl import flags

from fomm_jax.errors import InputError

CAMERA = flags.DEFINE_string(
    "camera",
    None,
    "With --mode=live: camera to use, by the system's name for it, such as /dev/video0; or a film"
    " that plays in place of one; or - for raw frames from standard input. Default: the first"
    " camera.",
)
LABEL = flags.DEFINE_boolean(
    "label",
    True,
    "With --mode=live: write 'generated' into the corner of each picture, since live pictures carry"
    " no other mark; --nolabel leaves it out.",
)


def check_unused() -> None:
    """Raise an `InputError` if one of these flags is given, where nothing is live."""
    for flag in flags.FLAGS.get_flags_for_module(__name__):
        if flag.present:
            raise InputError(f"--{flag.name}: expected with --mode=live")
