"""Draw videos of moving figures, to try training without any data at hand.

    python -m input_pipeline.figures --output=DIR [--size=64 --videos=40 --frames=32 --seed=0]

Each video shows one figure with a head, a body, two arms and two legs, whose joints swing over a
smooth background that stands still. A fifth of the videos goes to DIR/test, the rest to DIR/train;
each is a picture of its frames side by side.
"""

import argparse
import colorsys
import dataclasses
import math
import shutil
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from tqdm import tqdm

from fomm_jax.command_line import one_line_errors
from fomm_jax.errors import InputError
from fomm_jax.picture_io import write_picture

SUPERSAMPLING = 4  # pixels drawn for each pixel kept, along either axis
TEST_SHARE = 0.2

Point = tuple[float, float]  # (x, y) in units of the frame's side
Color = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class Swing:
    """An angle or a position that follows a sinusoid: centre + amplitude·sin(2π·rate·t + phase)."""

    center: float
    amplitude: float
    rate: float  # turns in a video
    phase: float

    def at(self, time: float) -> float:
        """Return the value at `time` from 0 to 1."""
        return self.center + self.amplitude * math.sin(math.tau * self.rate * time + self.phase)


@dataclasses.dataclass(frozen=True)
class Limb:
    """Two segments that hang from a joint of the body; angles are from straight down."""

    upper: Swing
    lower: Swing  # relative to the upper segment
    color: Color


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure and how it moves; lengths are in units of `scale`."""

    scale: float  # the body's length in units of the frame's side
    x: Swing
    y: Swing
    lean: Swing
    nod: Swing
    arms: tuple[Limb, Limb]
    legs: tuple[Limb, Limb]
    body_color: Color
    head_color: Color


def random_figure(rng: np.random.Generator) -> Figure:
    """Make a figure of random size, colours and habits."""

    def swing(center: float, amplitude: float, rate: float) -> Swing:
        return Swing(center, amplitude * rng.uniform(0.5, 1), rate, rng.uniform(0, math.tau))

    pace = rng.uniform(1.0, 2.0)
    hue = rng.uniform()

    def color(hue_offset: float, value: float) -> Color:
        red, green, blue = colorsys.hsv_to_rgb(
            (hue + hue_offset) % 1, rng.uniform(0.65, 0.95), value
        )
        return round(255 * red), round(255 * green), round(255 * blue)

    def arm(side: int) -> Limb:
        upper = swing(side * rng.uniform(0.7, 1.5), 0.8, pace)
        return Limb(upper, swing(side * 0.5, 0.7, pace), color(0.45 + 0.1 * side, 0.95))

    def leg(side: int, phase: float) -> Limb:
        upper = Swing(side * 0.3, rng.uniform(0.2, 0.45), pace, phase)
        return Limb(upper, swing(-side * 0.15, 0.3, pace), color(0.2 + 0.06 * side, 0.8))

    stride = rng.uniform(0, math.tau)
    return Figure(
        scale=rng.uniform(0.22, 0.28),
        x=swing(0.5, 0.14, rng.uniform(0.4, 0.9)),
        y=swing(0.52, 0.04, pace),
        lean=swing(0.0, 0.25, pace / 2),
        nod=swing(0.0, 0.35, pace),
        arms=(arm(-1), arm(1)),
        legs=(leg(-1, stride), leg(1, stride + math.pi)),
        body_color=color(0.0, 0.9),
        head_color=color(0.1, 1.0),
    )


def random_background(size: int, rng: np.random.Generator) -> Image.Image:
    """Paint a square of `size` pixels: soft patches of pale colours, noise on a coarse grid."""
    noise = rng.uniform(-1, 1, size=(5, 5, 3)) * 20 + rng.uniform(-1, 1, size=(5, 5, 1)) * 22
    base = rng.uniform(160, 210) + rng.uniform(-25, 25, size=3)
    grid = np.clip(base + noise, 0, 255).astype(np.uint8)
    return Image.fromarray(grid).resize((size, size), Image.Resampling.BICUBIC)


def draw_frame(figure: Figure, background: Image.Image, time: float) -> np.ndarray:
    """Draw the figure at `time` from 0 to 1 over the square background: (h, h, 3) uint8."""
    size = background.width
    canvas = background.resize(
        (size * SUPERSAMPLING, size * SUPERSAMPLING), Image.Resampling.BICUBIC
    )
    pen = ImageDraw.Draw(canvas)
    scale = figure.scale

    def from_point(start: Point, angle: float, length: float) -> Point:
        return start[0] + length * math.sin(angle), start[1] + length * math.cos(angle)

    def dot(center: Point, radius: float, color: Color) -> None:
        x, y, r = (value * canvas.width for value in (*center, radius))
        pen.ellipse((x - r, y - r, x + r, y + r), fill=color)

    def bone(start: Point, end: Point, thickness: float, color: Color) -> None:
        ends = [value * canvas.width for value in (*start, *end)]
        pen.line(ends, fill=color, width=round(thickness * canvas.width))
        dot(start, thickness / 2, color)
        dot(end, thickness / 2, color)

    def limb(limb: Limb, start: Point, lean: float, length: float, thickness: float) -> None:
        upper = lean + limb.upper.at(time)
        middle = from_point(start, upper, length)
        end = from_point(middle, upper + limb.lower.at(time), length)
        bone(start, middle, thickness, limb.color)
        bone(middle, end, thickness * 0.8, limb.color)

    lean = figure.lean.at(time)
    hip = (figure.x.at(time), figure.y.at(time) + 0.3 * scale)
    neck = from_point(hip, math.pi + lean, scale)
    across = (math.cos(lean), -math.sin(lean))
    for side, leg in zip((-1, 1), figure.legs, strict=True):
        joint = (hip[0] + side * 0.12 * scale * across[0], hip[1] + side * 0.12 * scale * across[1])
        limb(leg, joint, lean / 2, 0.55 * scale, 0.26 * scale)
    bone(hip, neck, 0.5 * scale, figure.body_color)
    for side, arm in zip((-1, 1), figure.arms, strict=True):
        joint = (
            neck[0] + side * 0.22 * scale * across[0],
            neck[1] + side * 0.22 * scale * across[1],
        )
        limb(arm, joint, lean, 0.5 * scale, 0.24 * scale)
    up = math.pi + lean + figure.nod.at(time)
    head = from_point(neck, up, 0.55 * scale)
    dot(head, 0.34 * scale, figure.head_color)
    for side in (-1, 1):
        dot(from_point(head, up + side * math.pi / 2.5, 0.17 * scale), 0.06 * scale, (25, 25, 35))
    return np.asarray(canvas.resize((size, size), Image.Resampling.BOX))


def draw_video(size: int, num_frames: int, rng: np.random.Generator) -> np.ndarray:
    """Draw frames of `size` x `size` side by side: (size, num_frames * size, 3) uint8."""
    figure, background = random_figure(rng), random_background(size, rng)
    times = np.arange(num_frames) / num_frames
    return np.concatenate([draw_frame(figure, background, time) for time in times], axis=1)


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
            picture = draw_video(size, num_frames, np.random.default_rng([seed, number]))
            write_picture(partial / part / f"{number:04d}.png", picture)
        partial.chmod(0o755)  # mkdtemp's folder is closed to others
        partial.rename(output)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def main() -> None:
    """Run the command line; see the head of this file."""
    parser = argparse.ArgumentParser(description="Draw videos of moving figures.")
    parser.add_argument("--output", type=Path, required=True, help="folder to make")
    parser.add_argument("--size", type=int, default=64, help="height and width in pixels")
    parser.add_argument("--videos", type=int, default=40, help="number of videos, a fifth for test")
    parser.add_argument("--frames", type=int, default=32, help="frames in each video")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws other figures")
    options = parser.parse_args()
    with one_line_errors():
        write_dataset(options.output, options.size, options.videos, options.frames, options.seed)
    print(f"drew {options.videos} videos into {options.output}")


if __name__ == "__main__":
    main()
