"""Reconstruction: test videos from their first frame, and how far off they are."""

import csv
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from fomm_jax.animate import write_animation
from fomm_jax.animator import Animator
from fomm_jax.atomic_files import replacing
from fomm_jax.config import VisualizeConfig
from fomm_jax.types import Video


def reconstruct(
    animator: Animator,
    videos: Sequence[Video],
    folder: pathlib.Path,
    *,
    suffix: str,
    visualize: VisualizeConfig,
) -> dict[str, Any]:
    """Reconstruct videos by absolute motion, write what came out, and measure it.

    For each video, `folder` gets a film of source, driving frame with keypoints and prediction,
    and `png/` the predictions side by side, lossless. `metrics.json` and `metrics.csv` hold the
    figures. L1 is the mean of |prediction - frame| on [0, 1] over pixels, channels and frames,
    the first frame included; the mean over all videos counts every frame alike, as the original
    does.

    Args:
      animator: with a config of absolute motion.
      videos: at least one.
      folder: made where it is missing.
      suffix: of the films, `.mp4` or `.gif`.
      visualize: how keypoints are drawn.

    Returns:
      The contents of `metrics.json`.
    """
    rows = []
    for video in tqdm(videos, desc="reconstruct", unit="video"):
        source = next(iter(video))
        frames = animator.animate(source, video)
        name = pathlib.Path(video.name).stem
        l1 = write_animation(
            source, frames, folder, name, suffix=suffix, fps=video.fps, visualize=visualize
        )
        rows.append({"video": video.name, "frames": len(l1), "l1": float(np.mean(l1))})
    num_frames = sum(row["frames"] for row in rows)
    report = {
        "videos": len(rows),
        "frames": num_frames,
        "l1": sum(row["l1"] * row["frames"] for row in rows) / num_frames,
        "per_video": rows,
    }
    with replacing(folder / "metrics.json") as unfinished:
        unfinished.write_text(json.dumps(report, indent=2), encoding="utf-8")
    with (
        replacing(folder / "metrics.csv") as unfinished,
        unfinished.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return report
