"""Drawn heads and motions that the page of --mode=app offers."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from fomm_jax.cli.demo_scenes import draw_pair
from fomm_jax.media.pictures import write_picture
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter

SEED = 4  # of heads that the model was not trained on
SIZE, NUM_FRAMES, FPS = 256, 48, 16.0  # pleasant to look at; the model gets smaller frames


@dataclasses.dataclass(frozen=True)
class Examples:
    """Files that are ready to use."""

    pairs: Sequence[tuple[str, str]]  # paths of a picture and a video each
    motions: Mapping[str, str]  # paths of videos, by their titles


def draw_examples(folder: pathlib.Path, count: int = 3) -> Examples:
    """Draw heads, and for each a video of another head that begins in the same pose."""
    pairs, motions = [], {}
    for number in range(count):
        posed, mover = draw_pair(SIZE, SEED, number)
        picture, video = folder / f"head_{number + 1}.png", folder / f"motion_{number + 1}.mp4"
        write_picture(picture, posed.frames(1)[0])
        with VideoWriter(video, FilmFormat(SIZE, SIZE, fps=FPS)) as writer:
            for frame in mover.frames(NUM_FRAMES):
                writer.write(frame)
        pairs.append((str(picture), str(video)))
        motions[f"motion {number + 1}"] = str(video)
    return Examples(pairs, motions)
