"""Draw a dataset of moving figures.

python -m input_pipeline.figures --output=DIR [--size=64 --videos=40 --frames=32 --seed=0]
"""

import argparse
from pathlib import Path

from fomm_jax import console
from fomm_jax.errors import one_line_errors
from input_pipeline.figures.scenes import write_dataset


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Draw videos of moving figures.")
    parser.add_argument("--output", type=Path, required=True, help="folder to make")
    parser.add_argument("--size", type=int, default=64, help="height and width in pixels")
    parser.add_argument("--videos", type=int, default=40, help="number of videos, a fifth for test")
    parser.add_argument("--frames", type=int, default=32, help="frames in each video")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws other figures")
    options = parser.parse_args()
    console.show_messages()
    with one_line_errors():
        write_dataset(options.output, options.size, options.videos, options.frames, options.seed)
    print(f"drew {options.videos} videos into {options.output}")


if __name__ == "__main__":
    main()
