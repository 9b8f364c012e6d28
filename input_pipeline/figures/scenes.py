"""Draw videos of moving figures: to try training without any data, and to know the truth.

Each video shows one figure with a head, a body, two arms and two legs, whose joints swing over a
background that stands still. A fifth of the videos goes to DIR/test, the rest to DIR/train; each is
a picture of its frames side by side. Since the figures are drawn, their joints are known, and so is
what figure A looks like in the motion of figure B.
"""

import dataclasses
import math
import shutil
import tempfile
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
from input_pipeline.figures.motion import Motion, random_motion

TEST_SHARE = 0.2


@dataclasses.dataclass(frozen=True)
class Scene:
    """A figure in front of its background, and its motion."""

    appearance: Appearance
    background: np.ndarray  # (h, h, 3) in [0, 1]
    motion: Motion

    def frames(self, num_frames: int) -> np.ndarray:
        """Draw the scene: (t, h, h, 3) uint8."""
        times = np.arange(num_frames) / num_frames
        return np.stack(
            [draw_frame(self.appearance, self.background, self.motion.at(time)) for time in times]
        )


def random_scene(size: int, seed: int, number: int) -> Scene:
    """The scene of a video of a data set, (size, size) in pixels."""
    rng = np.random.default_rng([seed, number])
    return Scene(random_appearance(rng), random_background(size, rng), random_motion(rng))


def write_dataset(output: Path, size: int, num_videos: int, num_frames: int, seed: int) -> None:
    """Draw the videos into the folders train/ and test/ of `output`, all or nothing.

    The same arguments give the same pictures, and a video does not depend on how many there are.

    Raises:
      InputError: `output` exists and is no empty folder, it cannot be written, or a number is too
        small.
    """
    for option, value, least in (
        ("size", size, 16),
        ("videos", num_videos, 2),
        ("frames", num_frames, 2),
        ("seed", seed, 0),
    ):
        if value < least:
            raise InputError(f"--{option} is {value}; expected at least {least}")
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise InputError(f"--output: {output} exists already; remove it or name another folder")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    except OSError as error:
        raise InputError(f"--output: {output} cannot be written ({error.strerror})") from error
    try:
        for part in ("train", "test"):
            (partial / part).mkdir()
        num_test = math.ceil(TEST_SHARE * num_videos)
        for number in tqdm(range(num_videos), desc="drawing figures", unit="video"):
            part = "test" if number < num_test else "train"
            frames = random_scene(size, seed, number).frames(num_frames)
            write_picture(partial / part / f"{number:04d}.png", np.concatenate(frames, axis=1))
        partial.chmod(0o755)  # mkdtemp's folder is closed to others
        partial.rename(output)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
