"""Reconstruct the test videos from their first frames, and measure."""

import pathlib

from fomm_jax.animator import Animator
from fomm_jax.config import Config
from fomm_jax.evaluators import EVALUATORS
from fomm_jax.event_files import read_curves
from fomm_jax.marking import Marking
from fomm_jax.reconstruct import reconstruct
from input_pipeline.evaluation import open_test_videos


def run(
    config: Config, workdir: pathlib.Path, checkpoint: str | None, marking: Marking | None
) -> None:
    """Reconstruct with the networks of `checkpoint` or of `workdir`; write into `workdir`."""
    settings, folder = config.reconstruct, workdir / "reconstruction"
    report = reconstruct(
        Animator.from_checkpoint(checkpoint or workdir, config, batch_size=settings.batch_size),
        open_test_videos(config.dataset, settings.num_videos),
        folder,
        suffix=settings.format,
        visualize=config.visualize,
        evaluator=EVALUATORS[settings.evaluator]() if settings.evaluator else None,
        curves=read_curves(workdir),
        marking=marking,
    )
    print(f"L1 {report['l1']:.4f} over {report['frames']} frames of {report['videos']} videos")
    print(f"Films, pictures, metrics.json and report.html are in {folder}")
