"""The report on a reconstruction: the metrics of each video and of all, as JSON and CSV."""

import csv
import dataclasses
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fomm_jax.buckets import AnyPath
from fomm_jax.evaluation.metrics import COUNTS, METRICS
from fomm_jax.files import replacing

# By name, the values of the frames in which a metric or count is defined.
FrameValues = Mapping[str, Sequence[float]]
# By name, the mean of a metric (None if no frame defines it) or the sum of a count.
Averages = Mapping[str, float | int | None]


@dataclasses.dataclass(frozen=True)
class VideoReport:
    """The metrics of one video."""

    name: str
    num_frames: int
    averages: Averages

    def to_row(self) -> dict[str, Any]:
        """Return the video's row of the tables, by the titles of the columns."""
        return {"video": self.name, "frames": self.num_frames, **self.averages}


@dataclasses.dataclass(frozen=True)
class ReconstructionReport:
    """The metrics of all videos, and of each."""

    videos: Sequence[VideoReport]
    averages: Averages  # over the frames of all videos, each of which counts the same
    evaluator: str | None  # the name of the evaluator that measured AKD, MKR and AED
    left_out: Sequence[str]  # a sentence for each metric that was not measured, with the reason

    @property
    def num_frames(self) -> int:
        """The number of frames of all videos."""
        return sum(video.num_frames for video in self.videos)

    @property
    def l1(self) -> float:
        """Mean |generated - real| on [0, 1] over all frames."""
        mean = self.averages["l1"]
        assert mean is not None, "every frame has an L1"
        return mean

    def to_json(self) -> dict[str, Any]:
        """Return the contents of `metrics.json`."""
        return {
            "videos": len(self.videos),
            "frames": self.num_frames,
            **_finite_or_none(self.averages),
            "evaluator": self.evaluator,
            "left_out": self.left_out,
            "per_video": [_finite_or_none(video.to_row()) for video in self.videos],
        }


def average_frames(videos: Sequence[FrameValues]) -> Averages:
    """Average the metrics and add up the counts over the frames of some videos.

    Args:
      videos: the values of each video, at least one video. All have the same names, which are in
        `METRICS` or `COUNTS`.

    Returns:
      The averages in the order of `METRICS` and `COUNTS`.
    """
    averages: dict[str, float | int | None] = {}
    for name in itertools.chain(METRICS, COUNTS):
        if name not in videos[0]:
            continue
        values = np.concatenate([video[name] for video in videos])
        if name in COUNTS:
            averages[name] = int(values.sum())
        else:
            averages[name] = float(values.mean()) if len(values) else None
    return averages


def _finite_or_none(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with None for NaN and infinity, which JSON does not know."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }


def write_metrics(folder: AnyPath, report: ReconstructionReport) -> None:
    """Write `metrics.json`, the whole report, and `metrics.csv`, a row for each video.

    Raises:
      InputError: a file cannot be written.
    """
    with replacing(folder / "metrics.json") as unfinished:
        unfinished.write_text(
            json.dumps(report.to_json(), indent=2, allow_nan=False), encoding="utf-8"
        )
    # Every row names the evaluator, because rows are easily copied out of their table.
    evaluator = {"evaluator": report.evaluator} if report.evaluator else {}
    rows = [video.to_row() | evaluator for video in report.videos]
    with (
        replacing(folder / "metrics.csv") as unfinished,
        unfinished.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
