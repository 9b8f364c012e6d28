"""Animate pairs of test videos, or a user's picture by a user's video."""

import pathlib

from fomm_jax.animate import animate_files, animate_pairs
from fomm_jax.animator import Animator
from fomm_jax.config import Config
from input_pipeline.evaluation import open_test_pairs


def run_pairs(config: Config, workdir: pathlib.Path, checkpoint: str | None) -> None:
    """Animate pairs of test videos with the networks of `checkpoint` or of `workdir`."""
    settings, folder = config.animate, workdir / "animation"
    pairs = open_test_pairs(config.dataset, settings.num_pairs)
    animator = Animator.from_checkpoint(checkpoint or workdir, config)
    animate_pairs(animator, pairs, folder, suffix=settings.format, visualize=config.visualize)
    print(f"Films and pictures of {len(pairs)} pairs are in {folder}")


def run_files(config: Config, checkpoint: str, source: str, driving: str, output: str) -> None:
    """Animate a picture by a video with the networks of `checkpoint`."""
    animator = Animator.from_checkpoint(checkpoint, config)
    animate_files(animator, source, driving, output, config.dataset.frame_shape[:2])
    print(f"The animation is in {output}")
