"""Reconstruct the test videos from their first frames, and measure the errors."""

from fomm_jax import console
from fomm_jax.animation.animator import Animator
from fomm_jax.cli import marking_flags
from fomm_jax.cli.flags import CHECKPOINT, model_path, read_config_and_workdir
from fomm_jax.evaluation.evaluators import make_evaluator
from fomm_jax.evaluation.films import FilmOutputs
from fomm_jax.evaluation.reconstruct import reconstruct
from fomm_jax.files import check_can_write
from fomm_jax.reporting.events import read_curves
from input_pipeline.evaluation_videos import open_test_videos


def run() -> None:
    """Reconstruct with the networks of --checkpoint or of the workdir; write into the workdir."""
    config, workdir = read_config_and_workdir()
    marking = marking_flags.read_marking(model_path())
    settings, folder = config.reconstruct, workdir / "reconstruction"
    check_can_write(folder / "metrics.json")
    evaluator = make_evaluator(settings.evaluator) if settings.evaluator else None
    report = reconstruct(
        Animator.from_checkpoint(
            CHECKPOINT.value or workdir, config, batch_size=settings.batch_size, same_scene=True
        ),
        open_test_videos(config.dataset, settings.num_videos),
        FilmOutputs(
            folder=folder,
            suffix=settings.format,
            visualize=config.visualize,
            marking=marking,
        ),
        evaluator=evaluator,
        curves=read_curves(workdir),
    )
    console.say(
        f"L1 {report.l1:.4f} over {report.num_frames} frames of {len(report.videos)} videos"
    )
    console.say(f"Films, pictures, metrics.json and report.html are in {folder}")
