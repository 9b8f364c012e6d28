"""Draw a dataset of moving figures or heads.

python -m input_pipeline.figures --output=DIR [--size=64 --videos=40 --frames=32 --seed=0]
    [--subject=portraits]
"""

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # While the program loads, Ctrl-C ends it without a word. `ending_by_signals` changes that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
from pathlib import Path

from fomm_jax import console
from fomm_jax.errors import InputError, naming, one_line_errors
from fomm_jax.signals import ending_by_signals
from fomm_jax.user_paths import check_current_folder, parse_path
from input_pipeline.figures.scenes import MINIMA, SUBJECTS, write_dataset

# The flags of the arguments of `write_dataset`.
FLAGS = {"size": "--size", "num_videos": "--videos", "num_frames": "--frames", "seed": "--seed"}


def main() -> None:
    """Run the command; see the head of this file."""
    parser = argparse.ArgumentParser(
        prog="python -m input_pipeline.figures", description="Draw videos of moving figures."
    )
    add = parser.add_argument
    add("--output", required=True, help="the folder to make")
    add("--size", type=int, default=64, help="the height and width of the frames in pixels")
    add(
        "--videos",
        dest="num_videos",
        type=int,
        default=40,
        help="the number of videos; a fifth of them is for testing",
    )
    add(
        "--frames",
        dest="num_frames",
        type=int,
        default=32,
        help="the number of frames in each video",
    )
    add("--seed", type=int, default=0, help="another seed gives other figures")
    add(
        "--subject",
        choices=sorted(SUBJECTS),
        default="figures",
        help="what the videos show (calm_portraits: heads that move little, but blink slowly and "
        "talk); default: %(default)s",
    )
    options = parser.parse_args()
    console.show_messages()
    numbers = {argument: getattr(options, argument) for argument in FLAGS}
    with ending_by_signals(), one_line_errors():
        check_current_folder()
        with naming("--output"):
            output = Path(parse_path(options.output))
        for argument, value in numbers.items():
            if value < MINIMA[argument]:
                raise InputError(
                    f"{FLAGS[argument]} is {value}; expected at least {MINIMA[argument]}"
                )
        write_dataset(output, **numbers, subject=options.subject)
        console.say(f"drew {options.num_videos} videos into {output}")


if __name__ == "__main__":
    console.hide_warnings_of_libraries()
    main()
