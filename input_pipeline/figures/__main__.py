"""Draw a dataset of moving figures.

python -m input_pipeline.figures --output=DIR [--size=64 --videos=40 --frames=32 --seed=0]
"""

import argparse
from pathlib import Path

from fomm_jax import console
from fomm_jax.errors import InputError, one_line_errors
from input_pipeline.figures.scenes import MINIMA, write_dataset

# The flags of the arguments of `write_dataset`.
FLAGS = {"size": "--size", "num_videos": "--videos", "num_frames": "--frames", "seed": "--seed"}


def main() -> None:
    """Run the command; see the head of this file."""
    parser = argparse.ArgumentParser(
        prog="python -m input_pipeline.figures", description="Draw videos of moving figures."
    )
    add = parser.add_argument
    add("--output", type=Path, required=True, help="the folder to make")
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
    options = parser.parse_args()
    console.show_messages()
    numbers = {argument: getattr(options, argument) for argument in FLAGS}
    with one_line_errors():
        for argument, value in numbers.items():
            if value < MINIMA[argument]:
                raise InputError(
                    f"{FLAGS[argument]} is {value}; expected at least {MINIMA[argument]}"
                )
        write_dataset(options.output, **numbers)
    print(f"drew {options.num_videos} videos into {options.output}")


if __name__ == "__main__":
    main()
