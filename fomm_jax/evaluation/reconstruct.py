"""Reconstruction: test videos from their first frame, and how far off they are."""

import csv
import itertools
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from fomm_jax.animation.animator import AnimatedFrame, Animator
from fomm_jax.animation.smoothing import jitter
from fomm_jax.config.schema import NormalizationConfig, VisualizeConfig
from fomm_jax.evaluation.animate_pairs import output_names, write_animation
from fomm_jax.evaluation.evaluators import Evaluator
from fomm_jax.evaluation.meter import Meter, summarize
from fomm_jax.evaluation.reconstruction_page import write_reconstruction_page
from fomm_jax.files import replacing
from fomm_jax.provenance.mark import Marking
from fomm_jax.types import Curves, Video

ABSOLUTE = NormalizationConfig(use_relative_movement=False, use_relative_jacobian=False)


def reconstruct(
    animator: Animator,
    videos: Sequence[Video],
    folder: pathlib.Path,
    *,
    suffix: str,
    visualize: VisualizeConfig,
    evaluator: Evaluator | None = None,
    curves: Curves | None = None,
    marking: Marking | None,
) -> dict[str, Any]:
    """Reconstruct videos by absolute motion, write what came out, and measure it.

    For each video, `folder` gets a film of source, driving frame with keypoints and prediction,
    and `png/` the predictions side by side, lossless. `metrics.json`, `metrics.csv` and the page
    `page.html` hold the figures, which `meter.FIGURES` explains. L1 is the mean of
    |prediction - frame| on [0, 1] over pixels, channels and frames, the first frame included; the
    other figures are of the predictions as written, in 8 bits. The means over all videos count
    every frame alike, as the original does.

    Args:
      animator: of the model.
      videos: at least one.
      folder: made where it is missing.
      suffix: of the films, `.mp4` or `.gif`.
      visualize: how keypoints are drawn.
      evaluator: for AKD, MKR and AED; without it they are left out.
      curves: of the training run, {name: {step: value}}, for the page.
      marking: what films and pictures say of how they were made; None is nothing.

    Returns:
      The contents of `metrics.json`.

    Raises:
      InputError: a video cannot be read, a file not be written, or two videos would be written
        under one name.
    """
    names = output_names([[video] for video in videos])
    height, width = next(iter(videos[0])).shape[:2]
    meter = Meter(height, width, evaluator)
    measured, rows = [], []
    progress = tqdm(videos, desc="reconstruct", unit="video")
    for name, video in zip(names, progress, strict=True):
        source = next(iter(video))
        watched = _Watched(animator, meter)
        l1 = write_animation(
            source,
            watched.pass_on(animator.compare(source, video, normalization=ABSOLUTE)),
            folder,
            name,
            suffix=suffix,
            fps=video.fps,
            visualize=visualize,
            marking=marking,
        )
        measured.append({"l1": l1} | watched.values())
        rows.append({"video": video.name, "frames": len(l1)} | summarize(measured[-1:]))
    report = {
        "videos": len(rows),
        "frames": sum(row["frames"] for row in rows),
        **summarize(measured),
        "evaluator": evaluator.name if evaluator else None,
        "left_out": meter.left_out,
        "per_video": rows,
    }
    _write_figures(folder, report)
    write_reconstruction_page(
        folder, report, videos, [f"{name}{suffix}" for name in names], curves or {}
    )
    return report


def _write_figures(folder: pathlib.Path, report: Mapping[str, Any]) -> None:
    """Write `metrics.json`, which is the report, and `metrics.csv`, a row for each video."""
    with replacing(folder / "metrics.json") as unfinished:
        unfinished.write_text(json.dumps(report, indent=2), encoding="utf-8")
    # A row of a table is taken out of its context easily: each names the evaluator.
    evaluator = {"evaluator": report["evaluator"]} if report["evaluator"] else {}
    rows = [row | evaluator for row in report["per_video"]]
    with (
        replacing(folder / "metrics.csv") as unfinished,
        unfinished.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


class _Watched:
    """Measures the frames of a video while they are on their way to its film."""

    def __init__(self, animator: Animator, meter: Meter):
        self._animator = animator
        self._meter = meter
        self._figures: list[dict[str, float]] = []
        self._generated_keypoints: list[np.ndarray] = []
        self._real_keypoints: list[np.ndarray] = []

    def pass_on(self, frames: Iterator[AnimatedFrame]) -> Iterator[AnimatedFrame]:
        frames, again = itertools.tee(frames)
        keypoints = self._animator.detect(frame.prediction for frame in again)
        for frame, generated in zip(frames, keypoints, strict=True):
            self._figures.append(self._meter.measure(frame.prediction, frame.driving))
            self._generated_keypoints.append(np.asarray(generated.value))
            self._real_keypoints.append(frame.driving_keypoints)
            yield frame

    def values(self) -> dict[str, Sequence[float]]:
        """By name, the values of the frames in which a figure or count is defined."""
        return {
            "jitter": jitter(np.stack(self._generated_keypoints)).tolist(),
            "jitter_real": jitter(np.stack(self._real_keypoints)).tolist(),
        } | {
            name: [figures[name] for figures in self._figures if name in figures]
            for name in self._meter.names
        }
