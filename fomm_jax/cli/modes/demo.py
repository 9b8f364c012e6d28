"""Animate drawn heads with the model that the project carries, beside the true answers."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from fomm_jax import console
from fomm_jax.animation.animator import Animator
from fomm_jax.buckets import AnyPath, to_path
from fomm_jax.cli import marking_flags
from fomm_jax.cli.demo_scenes import draw_pair
from fomm_jax.cli.flags import WORKDIR
from fomm_jax.files import check_can_write
from fomm_jax.media.pictures import write_picture
from fomm_jax.media.writing.video_writer import FilmFormat, VideoWriter
from fomm_jax.provenance.mark import Marking, SourceType
from fomm_jax.reporting.html_page import contact_sheet, link, paragraph, table, write_page

SEED = 2  # of heads that the model was neither trained nor measured on
NUM_PAIRS, NUM_FRAMES, FPS = 4, 48, 16.0
SHEET_FRAMES = 6  # frames of each pair on the contact sheet
COLUMNS = ("source", "driving", "animation", "true answer")


def run() -> None:
    """Write a film, a contact sheet and a page into --workdir."""
    write_demo(to_path(WORKDIR.value or "demo"), marking_flags.read_marking(checkpoint=None))


def write_demo(folder: AnyPath, marking: Marking | None) -> None:
    """Write a film, a contact sheet and a page, and print where they are.

    Args:
      folder: the folder to write to.
      marking: marks of the film and the contact sheet; None: they carry no marks.

    Raises:
      InputError: the model is missing, or a file cannot be written.
    """
    film, sheet, page = (folder / name for name in ("demo.mp4", "demo.png", "demo.html"))
    check_can_write(film)
    animator = Animator.demo()
    size = animator.config.dataset.frame_shape[0]
    pairs = [
        _animate(animator, size, pair) for pair in tqdm(range(NUM_PAIRS), "animate", unit="pair")
    ]
    # A model made one of the four columns.
    marking = marking and dataclasses.replace(marking, source_type=SourceType.COMPOSITE)
    _write_film(film, pairs, marking)
    # One line of the contact sheet for each column of each pair.
    numbers = np.linspace(0, NUM_FRAMES - 1, SHEET_FRAMES).astype(int)
    lines = [[column[i] for i in numbers] for columns in pairs for column in columns]
    picture = np.concatenate([np.concatenate(line, axis=1) for line in lines])
    write_picture(sheet, picture, marking=marking)
    _write_page(page, film, pairs, lines)
    console.say(f"Film: {film}\nContact sheet: {sheet}\nReport: {page}")


def _animate(animator: Animator, size: int, pair: int) -> tuple[np.ndarray, ...]:
    """Return the columns of a pair in the order of `COLUMNS`, (t, h, w, c) uint8 each."""
    answer, driving = (scene.frames(NUM_FRAMES) for scene in draw_pair(size, SEED, pair))
    animation = np.stack([*animator.animate(answer[0], driving)])
    return np.broadcast_to(answer[0], answer.shape), driving, animation, answer


def _write_film(
    path: AnyPath, pairs: Sequence[tuple[np.ndarray, ...]], marking: Marking | None
) -> None:
    """Write a film that shows the pairs one above the other, their columns side by side."""
    rows = np.stack([np.concatenate(columns, axis=2) for columns in pairs])  # (pair, t, h, 4w, c)
    frames = np.concatenate(rows, axis=1)
    with VideoWriter(path, FilmFormat(*frames[0].shape[:2], fps=FPS), marking=marking) as writer:
        for frame in frames:
            writer.write(frame)


def _write_page(
    path: AnyPath,
    film: AnyPath,
    pairs: Sequence[tuple[np.ndarray, ...]],
    lines: Sequence[Sequence[np.ndarray]],
) -> None:
    """Write the page with the measured distances, a link to the film, and the contact sheet."""
    introduction = paragraph(
        "Each source, a head that the model has never seen, gets the motion of another head."
        " Since heads are drawn, the true answer is known. The table shows the mean |Δ| from it"
        " on [0, 1], for the animation and for the source left unmoved."
    )
    distances = table(("pair", "animation", "unmoved source"), _distances(pairs))
    sheet = contact_sheet(lines, f"From above, for each pair: {', '.join(COLUMNS)}")
    sections = [
        ("Heads", [introduction, distances, link("The film", film.name)]),
        ("Contact sheet", [sheet]),
    ]
    write_page(path, "Drawn heads, animated", sections)


def _distances(pairs: Sequence[tuple[np.ndarray, ...]]) -> list[tuple[int, float, float]]:
    """Return for each pair its number and the mean |Δ| of animation and source from the answer."""
    return [
        (
            number,
            float(np.abs(animation / 255 - answer / 255).mean()),
            float(np.abs(source / 255 - answer / 255).mean()),
        )
        for number, (source, _, animation, answer) in enumerate(pairs, 1)
    ]
