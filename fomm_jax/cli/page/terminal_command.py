"""The command that does in a terminal what the page has done."""

import pathlib
import shlex

from fomm_jax.errors import program_name
from fomm_jax.rendering.options import AnimationOptions


def terminal_command(
    checkpoint: str | None, picture: str, driving: str, options: AnimationOptions
) -> str:
    """Return the command line; files are called by their names alone, as the user knows them.

    Args:
      checkpoint: the path of the model; None: the demo model.
      picture: the path of the picture.
      driving: the path of the video.
      options: the options of the animation.
    """
    default = AnimationOptions()
    program = program_name()
    words = ["python", program] if program.endswith(".py") else [program]
    words.append("--mode=animate")
    if checkpoint is not None:
        words.append(f"--checkpoint={checkpoint}")
    words += [f"--source={pathlib.Path(picture).name}", f"--driving={pathlib.Path(driving).name}"]
    words.append("--output=film.mp4")
    if options.crop != default.crop:
        words.append(f"--crop={options.crop}")
    if options.faces is not None:
        words.append(f"--faces={options.faces}")
    for name in ("paste_back", "side_by_side", "adapt_scale", "smooth"):
        if getattr(options, name):
            words.append(f"--{name}")
    if options.motion_transfer in ("absolute", "avd"):
        words.append(f"--motion_transfer={options.motion_transfer}")
    if options.best_frame is not None:
        words.append(f"--best_frame={options.best_frame}")
    return shlex.join(words)
