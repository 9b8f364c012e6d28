"""Draws a dataset of moving figures: to try training without any data, and to know the truth.

Each video shows one figure with a head, a body, two arms and two legs. Its joints swing before a
background that stands still. Since the figures are drawn, their joints are known, and so are the
frames that would show figure A in the motion of figure B.
"""

import dataclasses
import math
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fomm_jax.errors import InputError
from fomm_jax.media.pictures import write_picture
from input_pipeline.figures.drawing import (
    Appearance,
    draw_frame,
    random_appearance,
    random_background,
)
from input_pipeline.figures.motion import FigureMotion, random_motion
from input_pipeline.folders import new_folder

TEST_SHARE = 0.2  # of the videos
MINIMA = {"size": 16, "num_videos": 2, "num_frames": 2, "seed": 0}  # arguments of `write_dataset`


@dataclasses.dataclass(frozen=True)
class Scene:
    """A figure, its background and its motion."""

    appearance: Appearance
    background: np.ndarray  # (h, h, 3) in [0, 1]
    motion: FigureMotion

    def frames(self, num_frames: int) -> np.ndarray:
        """Draw the scene: (t, h, h, 3) uint8."""
        times = np.arange(num_frames) / num_frames
        return np.stack(
            [draw_frame(self.appearance, self.background, self.motion.at(time)) for time in times]
        )


def random_scene(size: int, seed: int, number: int) -> Scene:
    """Make the scene of one video of a dataset.

    Args:
      size: the height and width of the frames in pixels.
      seed: the seed of the dataset.
      number: the number of the video.
    """
    rng = np.random.default_rng([seed, number])
    return Scene(random_appearance(rng), random_background(size, rng), random_motion(rng))


def write_dataset(output: Path, size: int, num_videos: int, num_frames: int, seed: int) -> None:
    """Draw videos into the folders train/ and test/ of a new folder, all of them or nothing.

    The same arguments give the same pictures, and a video does not depend on `num_videos`.

    Args:
      output: the folder to make. A fifth of the videos goes into its folder test/, the others into
        train/; each is a picture of the frames side by side.
      size: the height and width of the frames in pixels, at least 16.
      num_videos: the number of videos, at least 2.
      num_frames: the number of frames in each video, at least 2.
      seed: the seed of all figures, at least 0.

    Raises:
      InputError: `output` exists and is not an empty folder, or cannot be written, or a number is
        too small.
    """
    numbers = {"size": size, "num_videos": num_videos, "num_frames": num_frames, "seed": seed}
    for argument, value in numbers.items():
        if value < MINIMA[argument]:
            raise InputError(f"{argument} is {value}; expected at least {MINIMA[argument]}")
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise InputError(f"{output}: exists already; remove it or name another folder")
    with new_folder(output) as partial:
        for part in ("train", "test"):
            (partial / part).mkdir()
        num_test = math.ceil(TEST_SHARE * num_videos)
        for number in tqdm(range(num_videos), desc="drawing figures", unit="video"):
            part = "test" if number < num_test else "train"
            frames = random_scene(size, seed, number).frames(num_frames)
            write_picture(partial / part / f"{number:04d}.png", np.concatenate(frames, axis=1))
