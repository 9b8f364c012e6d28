"""The page on a reconstruction: figures, contact sheets, links to the films, loss curves."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fomm_jax.evaluation.meter import COUNTS, FIGURES
from fomm_jax.media.pictures import read_picture
from fomm_jax.reporting.html_page import (
    Html,
    contact_sheet,
    link,
    paragraph,
    plot,
    table,
    write_page,
)
from fomm_jax.types import Curves, Video

SHEETS = 6  # videos that are shown
SHEET_COLUMNS = 6  # frames of each
NO_LOSSES = (  # curves that are not shown
    "gradient_norm",
    "keypoint_spread",
    "seconds_per_step",
    "input_wait",
    "pairs_per_second",
    "memory",
    "skipped_batches",
)


def write_reconstruction_page(
    folder: pathlib.Path,
    report: Mapping[str, Any],
    videos: Sequence[Video],
    films: Sequence[str],
    curves: Curves,
) -> None:
    """Write `page.html` into the folder of a reconstruction.

    Args:
      folder: holds the films, and `png/` with the generated frames of each.
      report: the contents of `metrics.json`.
      videos: the real ones, in the order of the report's rows.
      films: names of their films.
      curves: of the training run, {name: {step: value}}; may be empty.

    Raises:
      InputError: a file cannot be read or written.
    """
    count = f"{report['frames']} frames of {report['videos']} videos"
    sheets = [
        _sheet(folder, video, film, row["frames"])
        for video, film, row in list(zip(videos, films, report["per_video"], strict=True))[:SHEETS]
    ]
    sections = [
        ("Figures", [paragraph(f"Over {count}, every frame counting alike."), *_overall(report)]),
        ("Videos", [_per_video(report["per_video"], films)]),
        (
            "Contact sheets",
            [
                paragraph("Above the real frames, below what was made of the first of them."),
                *sheets,
            ],
        ),
    ]
    losses = {name: curve for name, curve in curves.items() if name not in NO_LOSSES}
    if losses:
        caption = "Losses of the training run, weighted, as written to its event files"
        sections.append(("Training", [plot(losses, "step", "loss", caption)]))
    write_page(folder / "report.html", "Reconstruction", sections)


def _overall(report: Mapping[str, Any]) -> list[Html]:
    meanings = FIGURES | COUNTS
    figures = [(name, report[name], meanings[name]) for name in meanings if name in report]
    pieces = [table(["figure", "value", "what it is"], figures)]
    if report["evaluator"]:
        pieces.append(
            paragraph(
                f"Evaluator: {report['evaluator']}. AKD, MKR and AED of different evaluators do not"
                " compare; the paper's are of face-alignment and OpenFace (faces) and of a pose"
                " and a re-identification network (bodies). Frames in which nothing was detected"
                " are not part of AKD and AED: their numbers are in the table."
            )
        )
    return pieces + [paragraph(sentence) for sentence in report["left_out"]]


def _per_video(rows: Sequence[Mapping[str, Any]], films: Sequence[str]) -> Html:
    columns = list(rows[0])
    cells = [
        [link(row["video"], film), *(row[name] for name in columns[1:])]
        for row, film in zip(rows, films, strict=True)
    ]
    return table(columns, cells)


def _sheet(folder: pathlib.Path, video: Video, film: str, num_frames: int) -> Html:
    strip = read_picture(folder / "png" / f"{pathlib.Path(film).stem}.png")
    width = strip.shape[1] // num_frames
    chosen = np.linspace(0, num_frames - 1, min(SHEET_COLUMNS, num_frames)).round().astype(int)
    real = [frame for i, frame in enumerate(video) if i in chosen]
    generated = [strip[:, i * width : (i + 1) * width] for i in chosen]
    return contact_sheet([real, generated], f"{video.name}, frames {', '.join(map(str, chosen))}")
