"""The page on a comparison: tables, curves of the losses, contact sheets, films."""

import pathlib
from collections.abc import Sequence

import numpy as np

from fomm_jax.media.video_writer import FilmFormat, VideoWriter
from fomm_jax.parity.findings import Comparisons, Findings, Frames, StepLosses
from fomm_jax.parity.report import COLUMNS, JSON_NAME, MARKDOWN_NAME, cells, describe, summarize
from fomm_jax.reporting import html_page
from fomm_jax.reporting.drawing import side_by_side
from fomm_jax.reporting.html_page import Html

SHEET_ROWS = 4  # frames of a clip that are shown
WIDTH = 128  # of a picture in pixels; smaller ones are enlarged by a whole number
FILM_FPS = 5  # slow enough to see a difference; the recordings do not tell
ROUNDING = float(np.finfo(np.float64).eps)


def write_page(comparisons: Comparisons, folder: pathlib.Path) -> None:
    """Write `comparison.html` into the folder of the other forms, and the films of clips beside it.

    Raises:
      InputError: nothing can be written there.
    """
    links = ", ".join(html_page.link(name, name) for name in (JSON_NAME, MARKDOWN_NAME))
    summary = [html_page.paragraph(summarize(comparisons)), Html(f"<p>All figures: {links}</p>")]
    sections = [(name, _section(name, findings, folder)) for name, findings in comparisons.items()]
    title = "Comparison with the original"
    html_page.write_page(folder / "comparison.html", title, [("Summary", summary), *sections])


def _section(name: str, findings: Findings, folder: pathlib.Path) -> list[Html]:
    pieces = [html_page.paragraph(summarize({name: findings}))]
    if findings.timing is not None:
        pieces.append(html_page.paragraph(describe(findings.timing)))
    pieces += _plots(findings.losses)
    for frames in findings.frames:
        shapes = {array.shape for array in _columns(frames)}
        if len(shapes) > 1:
            continue  # the table has it as infinitely far off
        pieces += _pictures(name, frames, folder)
    return [*pieces, html_page.table(COLUMNS, map(cells, findings.rows))]


def _plots(losses: Sequence[StepLosses]) -> list[Html]:
    """Of the runs that have more than one step."""
    by_run: dict[str, list[StepLosses]] = {}
    for each in losses:
        by_run.setdefault(each.run, []).append(each)
    runs = {run: steps for run, steps in by_run.items() if len(steps) > 1}
    if not runs:
        return []
    sums, differences = {}, {}
    for run, steps in runs.items():
        sums[f"{run}: original"] = {each.step: each.original for each in steps}
        sums[f"{run}: ours"] = {each.step: each.ours for each in steps}
        # A logarithmic axis has no 0.
        differences[run] = {each.step: max(each.difference, ROUNDING) for each in steps}
    differences["tolerance"] = {
        each.step: each.tolerance
        for steps in runs.values()
        for each in steps
        if each.tolerance is not None
    }
    return [
        html_page.plot(
            sums,
            "step",
            "sum of the losses",
            "Losses of both; where the dashed curve covers the other one, they agree",
            dashed=[f"{run}: ours" for run in runs],
        ),
        html_page.plot(
            differences,
            "step",
            "relative difference",
            "The largest relative difference among the losses of a step. Rounding grows from step"
            " to step; the table says which steps are held to the tolerance.",
            dashed=["tolerance"],
        ),
    ]


def _pictures(name: str, frames: Frames, folder: pathlib.Path) -> list[Html]:
    """A contact sheet, and of a clip a film too."""
    difference, factor = _magnified(frames)
    columns = [_enlarged(column) for column in (*_columns(frames), difference)]
    rows = [side_by_side(row) for row in zip(*columns, strict=True)]
    chosen = np.linspace(0, len(rows) - 1, min(SHEET_ROWS, len(rows))).round().astype(int)
    caption = (
        f"{frames.array}; source, driving frame, original, ours,"
        f" and the difference of these two times {factor:,}"
    )
    if frames.is_clip:
        caption += f"; frames {', '.join(map(str, chosen))}"
    pieces = [html_page.contact_sheet([[rows[i]] for i in chosen], caption)]
    if frames.is_clip:
        film = f"{name}_{frames.array}.mp4".replace("/", "_")
        with VideoWriter(folder / film, FilmFormat(*rows[0].shape[:2], fps=FILM_FPS)) as writer:
            for row in rows:
                writer.write(row)
        link = html_page.link(f"Film of all {len(rows)} frames", film)
        pieces.append(Html(f"<p>{link}</p>"))
    return pieces


def _columns(frames: Frames) -> tuple[np.ndarray, ...]:
    """What is shown side by side."""
    return frames.source, frames.driving, frames.original, frames.ours


def _magnified(frames: Frames) -> tuple[np.ndarray, int]:
    """|ours - original| times a round number that brings its largest value near 1, and that."""
    difference = np.abs(frames.ours.astype(np.float64) - frames.original)
    largest = np.max(difference, where=np.isfinite(difference), initial=0)
    factor = max(1, int(float(f"{1 / largest:.0e}"))) if largest else 1
    return difference * factor, factor


def _enlarged(frames: np.ndarray) -> np.ndarray:
    """Pixels repeated, and white where a value is not finite, which no uint8 could tell."""
    times = max(1, WIDTH // frames.shape[2])
    finite = np.nan_to_num(frames, nan=1, posinf=1, neginf=1)
    return finite.repeat(times, axis=1).repeat(times, axis=2)
