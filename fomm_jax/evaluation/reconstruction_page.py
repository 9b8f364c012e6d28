"""The page on a reconstruction: metrics, contact sheets, links to films, curves of the losses."""

import itertools
from collections.abc import Sequence

import numpy as np

from fomm_jax.buckets import AnyPath
from fomm_jax.evaluation.films import FilmOutputs
from fomm_jax.evaluation.metrics import COUNTS, METRICS
from fomm_jax.evaluation.reconstruction_report import ReconstructionReport, VideoReport
from fomm_jax.files import local_file
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

SHEETS = 6  # the number of videos with a contact sheet
SHEET_COLUMNS = 6  # the number of frames on a contact sheet
# Scalars of a training run that are not losses.
NOT_LOSSES = (
    "gradient_norm",
    "keypoint_spread",
    "seconds_per_step",
    "input_wait",
    "pairs_per_second",
    "memory",
    "skipped_batches",
)


def is_loss(name: str) -> bool:
    """Tell whether a scalar of an event file is a loss; a "share_of_time/steps" is none."""
    return name not in NOT_LOSSES and "/" not in name


def write_reconstruction_page(
    report: ReconstructionReport,
    videos: Sequence[Video],
    names: Sequence[str],
    outputs: FilmOutputs,
    curves: Curves,
) -> None:
    """Write `report.html` into the folder of a reconstruction.

    Args:
      report: the metrics.
      videos: the real videos, in the order of the report.
      names: the names of their films.
      outputs: where the films are, and the pictures of the generated frames.
      curves: the scalars of the training run; may be empty.

    Raises:
      InputError: a file cannot be read or written.
    """
    films = [outputs.film_path(name).name for name in names]
    sheets = [
        _make_sheet(video, outputs.picture_path(name), video_report.num_frames)
        for video, name, video_report in itertools.islice(
            zip(videos, names, report.videos, strict=True), SHEETS
        )
    ]
    sections = [
        ("Metrics", _metrics(report)),
        ("Videos", [_table_of_videos(report.videos, films)]),
        (
            "Contact sheets",
            [
                paragraph("Above: real frames. Below: frames generated from the first real one."),
                *sheets,
            ],
        ),
    ]
    losses = {name: curve for name, curve in curves.items() if is_loss(name)}
    if losses:
        caption = "Weighted losses of the training run, from its event files"
        sections.append(("Training", [plot(losses, "step", "loss", caption)]))
    write_page(outputs.folder / "report.html", "Reconstruction", sections)


def _metrics(report: ReconstructionReport) -> list[Html]:
    meanings = METRICS | COUNTS
    rows = [(name, value, meanings[name]) for name, value in report.averages.items()]
    elements = [
        paragraph(
            f"Means over {report.num_frames} frames of {len(report.videos)} videos. Every frame"
            " counts the same."
        ),
        table(["metric", "value", "meaning"], rows),
    ]
    if report.evaluator:
        elements.append(
            paragraph(
                f"Evaluator: {report.evaluator}. Values of AKD, MKR and AED are comparable only if"
                " the same evaluator measured them. The paper's are from face-alignment and"
                " OpenFace (faces), and from a pose estimator and a re-identification network"
                " (bodies). Frames in which the evaluator detected nothing do not count in AKD and"
                " AED; the table gives their numbers."
            )
        )
    return elements + [paragraph(sentence) for sentence in report.left_out]


def _table_of_videos(videos: Sequence[VideoReport], films: Sequence[str]) -> Html:
    rows = [video.to_row() for video in videos]
    cells = [
        row | {"video": link(row["video"], film)} for row, film in zip(rows, films, strict=True)
    ]
    return table(list(rows[0]), [list(row.values()) for row in cells])


def _make_sheet(video: Video, picture: AnyPath, num_frames: int) -> Html:
    """Make a contact sheet of a video's frames above the generated ones.

    Args:
      video: the real video.
      picture: the file that holds the generated frames side by side.
      num_frames: the number of these frames.
    """
    with local_file(picture) as file:
        strip = read_picture(file)
    width = strip.shape[1] // num_frames
    chosen = np.linspace(0, num_frames - 1, min(SHEET_COLUMNS, num_frames)).round().astype(int)
    real = [frame for i, frame in enumerate(video) if i in chosen]
    generated = [strip[:, i * width : (i + 1) * width] for i in chosen]
    return contact_sheet([real, generated], f"{video.name}, frames {', '.join(map(str, chosen))}")
