"""Draws a dataset of moving figures or heads: to try training without data, and to know the truth.

Each video shows one figure with a head, a body, two arms and two legs, or the head of one person,
before a background that stands still. Since they are drawn, the frames are known that would show
figure A in the motion of figure B.
"""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fomm_jax.errors import InputError
from fomm_jax.media.pictures import write_picture
from input_pipeline.figures.drawing import (
    draw_frame,
    find_joints,
    random_appearance,
    random_background,
)
from input_pipeline.figures.motion import random_motion
from input_pipeline.figures.portrait_drawing import draw_portrait, find_landmarks
from input_pipeline.figures.portrait_looks import random_looks
from input_pipeline.figures.portrait_motion import random_calm_motion, random_head_motion
from input_pipeline.folders import new_folder

TEST_SHARE = 0.2  # of the videos
MINIMA = {"size": 16, "num_videos": 2, "num_frames": 2, "seed": 0}  # arguments of `write_dataset`


@dataclasses.dataclass(frozen=True)
class Subject:
    """What the videos of a dataset show."""

    random_looks: Callable[[np.random.Generator], Any]
    random_motion: Callable[[np.random.Generator], Any]  # has a method `at`, which returns a pose
    draw: Callable[[Any, np.ndarray, Any], np.ndarray]  # draws looks, a background and a pose
    # The joints or landmarks of looks in a pose: (n, 2) in units of the frame's side.
    find_points: Callable[[Any, Any], np.ndarray]


SUBJECTS = {
    "figures": Subject(random_appearance, random_motion, draw_frame, find_joints),
    "portraits": Subject(random_looks, random_head_motion, draw_portrait, find_landmarks),
    "calm_portraits": Subject(random_looks, random_calm_motion, draw_portrait, find_landmarks),
}


@dataclasses.dataclass(frozen=True)
class Scene:
    """A figure or a head, its background and its motion."""

    subject: Subject
    appearance: Any
    background: np.ndarray  # (h, h, 3) in [0, 1]
    motion: Any

    def frames(self, num_frames: int) -> np.ndarray:
        """Draw the scene: (t, h, h, 3) uint8."""
        times = np.arange(num_frames) / num_frames
        return np.stack(
            [
                self.subject.draw(self.appearance, self.background, self.motion.at(time))
                for time in times
            ]
        )

    def points(self, num_frames: int) -> np.ndarray:
        """Compute the joints or landmarks in each frame: (t, n, 2), see `Subject.find_points`."""
        times = np.arange(num_frames) / num_frames
        return np.stack(
            [self.subject.find_points(self.appearance, self.motion.at(time)) for time in times]
        )

    def moved_as(self, other: "Scene") -> "Scene":
        """Return this scene in the motion of another one."""
        return dataclasses.replace(self, motion=other.motion)


def random_scene(size: int, seed: int, number: int, subject: str = "figures") -> Scene:
    """Make the scene of one video of a dataset.

    Args:
      size: the height and width of the frames in pixels.
      seed: the seed of the dataset.
      number: the number of the video.
      subject: what it shows, of `SUBJECTS`.
    """
    rng = np.random.default_rng([seed, number])
    kind = SUBJECTS[subject]
    return Scene(
        subject=kind,
        appearance=kind.random_looks(rng),
        background=random_background(size, rng),
        motion=kind.random_motion(rng),
    )


def write_dataset(
    output: Path,
    size: int,
    num_videos: int,
    num_frames: int,
    seed: int,
    subject: str = "figures",
) -> None:
    """Draw videos into the folders train/ and test/ of a new folder, all of them or nothing.

    The same arguments give the same pictures, and a video does not depend on `num_videos`.

    Args:
      output: the folder to make. A fifth of the videos goes into its folder test/, the others into
        train/; each is a picture of the frames side by side.
      size: the height and width of the frames in pixels, at least 16.
      num_videos: the number of videos, at least 2.
      num_frames: the number of frames in each video, at least 2.
      seed: the seed of all videos, at least 0.
      subject: what they show, of `SUBJECTS`.

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
        for number in tqdm(range(num_videos), desc=f"drawing {subject}", unit="video"):
            part = "test" if number < num_test else "train"
            frames = random_scene(size, seed, number, subject).frames(num_frames)
            write_picture(partial / part / f"{number:04d}.png", np.concatenate(frames, axis=1))
