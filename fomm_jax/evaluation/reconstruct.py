"""Reconstruct test videos from their first frames, and measure the errors."""

import itertools
from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from fomm_jax.animation.animator import Animator
from fomm_jax.animation.smoothing import jitter
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.errors import InputError
from fomm_jax.evaluation.evaluators import Evaluator
from fomm_jax.evaluation.films import FilmOutputs, open_film, output_names
from fomm_jax.evaluation.meter import Meter
from fomm_jax.evaluation.reconstruction_page import write_reconstruction_page
from fomm_jax.evaluation.reconstruction_report import (
    FrameValues,
    ReconstructionReport,
    VideoReport,
    average_frames,
    write_metrics,
)
from fomm_jax.readable import readable
from fomm_jax.types import Curves, Video

ABSOLUTE_MOTION = NormalizationConfig(use_relative_movement=False, use_relative_jacobian=False)


def reconstruct(
    animator: Animator,
    videos: Sequence[Video],
    outputs: FilmOutputs,
    *,
    evaluator: Evaluator | None = None,
    curves: Curves | None = None,
) -> ReconstructionReport:
    """Reconstruct videos by absolute motion, measure the results, and write films and a report.

    The folder of the outputs gets a film and a picture of each video (see `open_film`),
    `metrics.json`, `metrics.csv`, and the page `report.html`. `metrics.METRICS` explains the
    metrics. L1 is the mean of |prediction - frame| on [0, 1] over pixels, channels and frames, the
    first frame included. The other metrics measure the predictions as they are written, in 8 bits.
    In the means over all videos every frame counts the same, as in the original.

    Args:
      animator: the trained model, made with `same_scene`.
      videos: at least one video.
      outputs: where films go, and how they are drawn and marked.
      evaluator: measures AKD, MKR and AED. Without it they are left out.
      curves: the scalars of the training run, for the page.

    Returns:
      The metrics.

    Raises:
      InputError: a video cannot be read, a file cannot be written, two different videos would be
        written under one name, or the model returns NaN.
    """
    names = output_names([[video] for video in videos])
    height, width = next(iter(videos[0])).shape[:2]
    meter = Meter(height, width, evaluator)
    frame_values, video_reports = [], []
    progress = tqdm(videos, desc="reconstruct", unit="video")
    for name, video in zip(names, progress, strict=True):
        values = _reconstruct_video(animator, meter, video, outputs, name)
        frame_values.append(values)
        averages = average_frames([values])
        video_reports.append(VideoReport(readable(video.name), len(values["l1"]), averages))
    report = ReconstructionReport(
        videos=video_reports,
        averages=average_frames(frame_values),
        evaluator=evaluator.name if evaluator else None,
        left_out=meter.left_out,
    )
    write_metrics(outputs.folder, report)
    write_reconstruction_page(report, videos, names, outputs, curves or {})
    return report


def _reconstruct_video(
    animator: Animator, meter: Meter, video: Video, outputs: FilmOutputs, name: str
) -> FrameValues:
    """Write the film of a reconstruction, and measure its frames on the way."""
    source = next(iter(video))
    frames, again = itertools.tee(animator.compare(source, video, normalization=ABSOLUTE_MOTION))
    detected = animator.detect(frame.prediction for frame in again)
    l1, measurements, real_points, generated_points = [], [], [], []
    with open_film(outputs, name, source, video) as add:
        for number, (frame, motion) in enumerate(zip(frames, detected, strict=True)):
            generated = animator.points(motion)
            for values in (frame.l1, frame.driving_points, generated):
                if not np.isfinite(values).all():
                    raise InputError(
                        f"{video.name}, frame {number}: the model returns NaN or infinite numbers;"
                        " expected the weights of a training that went well"
                    )
            add(frame)
            l1.append(frame.l1)
            measurements.append(meter.measure(frame.prediction, frame.driving))
            real_points.append(frame.driving_points)
            generated_points.append(generated)
    return {
        "l1": l1,
        "jitter": jitter(np.stack(generated_points)).tolist(),
        "jitter_real": jitter(np.stack(real_points)).tolist(),
    } | {
        metric: [values[metric] for values in measurements if metric in values]
        for metric in meter.names
    }
