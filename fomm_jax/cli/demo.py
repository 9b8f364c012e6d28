"""Animate drawn figures with the model that the project carries, beside the true answers."""

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from fomm_jax.animation.animator import Animator
from fomm_jax.media.pictures import write_picture
from fomm_jax.media.video_writer import FilmFormat, VideoWriter
from fomm_jax.provenance.mark import Marking, SourceType
from fomm_jax.reporting.html_page import contact_sheet, link, paragraph, table, write_page
from input_pipeline.figures.scenes import Scene, random_scene

SEED = 2  # of figures that were neither trained on nor measured
NUM_PAIRS, NUM_FRAMES, FPS = 4, 48, 16.0
SHEET_FRAMES = 6  # of each pair
ENLARGED = 2  # times; the model's frames are small
COLUMNS = ("source", "driving", "animation", "true answer")


def run(workdir: pathlib.Path, marking: Marking | None) -> None:
    """Write a film, a contact sheet and a page into `workdir`.

    Args:
      workdir: the folder.
      marking: of film and contact sheet; None is none.

    Raises:
      InputError: the model is missing, or nothing can be written.
    """
    animator = Animator.demo()
    size = animator.config.dataset.frame_shape[0]
    pairs = [
        _animate(animator, size, pair) for pair in tqdm(range(NUM_PAIRS), "animate", unit="pair")
    ]
    film, sheet, page = (workdir / name for name in ("demo.mp4", "demo.png", "demo.html"))
    rows = np.stack([np.concatenate(columns, axis=2) for columns in pairs])  # (pair, t, h, 4w, c)
    frames = [_enlarge(frame) for frame in np.concatenate(rows, axis=1)]
    # Of the four columns a model made one.
    mark = marking and dataclasses.replace(marking, source_type=SourceType.COMPOSITE)
    with VideoWriter(film, FilmFormat(*frames[0].shape[:2], fps=FPS), marking=mark) as writer:
        for frame in frames:
            writer.write(frame)
    chosen = np.linspace(0, NUM_FRAMES - 1, SHEET_FRAMES).astype(int)
    lines = [[_enlarge(column[i]) for i in chosen] for columns in pairs for column in columns]
    picture = np.concatenate([np.concatenate(line, axis=1) for line in lines])
    write_picture(sheet, picture, marking=mark)
    write_page(
        page,
        "Drawn figures, animated",
        [
            (
                "Figures",
                [
                    paragraph(
                        "Each source, a figure that the model has never seen, gets the motion of"
                        " another figure. Since figures are drawn, the true answer is known: below,"
                        " the mean |Δ| from it on [0, 1], beside that of the source left unmoved."
                    ),
                    table(("pair", "animation", "unmoved source"), _distances(pairs)),
                    link("The film", film.name),
                ],
            ),
            (
                "Contact sheet",
                [
                    contact_sheet(
                        lines,
                        f"From above, for each pair: {', '.join(COLUMNS)}",
                    )
                ],
            ),
        ],
    )
    print(f"Film: {film}\nContact sheet: {sheet}\nReport: {page}")


def _animate(animator: Animator, size: int, pair: int) -> tuple[np.ndarray, ...]:
    """The columns of a pair, (t, h, w, c) uint8 each."""
    figure, mover = (random_scene(size, SEED, 2 * pair + i) for i in range(2))
    answer = Scene(figure.appearance, figure.background, mover.motion).frames(NUM_FRAMES)
    driving = mover.frames(NUM_FRAMES)
    animation = np.stack([*animator.animate(answer[0], driving)])
    return np.broadcast_to(answer[0], answer.shape), driving, animation, answer


def _distances(pairs: Sequence[tuple[np.ndarray, ...]]) -> list[tuple[int, float, float]]:
    return [
        (
            number,
            float(np.abs(animation / 255 - answer / 255).mean()),
            float(np.abs(source / 255 - answer / 255).mean()),
        )
        for number, (source, _, animation, answer) in enumerate(pairs, 1)
    ]


def _enlarge(picture: np.ndarray) -> np.ndarray:
    return picture.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)
