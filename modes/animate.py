"""Animate pairs of test videos, or a user's picture by a user's video."""

import pathlib

from fomm_jax.animate import animate_files, animate_pairs
from fomm_jax.animator import Animator
from fomm_jax.config import Config
from fomm_jax.pretrained import load_pretrained
from input_pipeline.evaluation import open_test_pairs


def run_pairs(config: Config, workdir: pathlib.Path, checkpoint: str | None) -> None:
    """Animate pairs of test videos with the networks of `checkpoint` or of `workdir`."""
    settings, folder = config.animate, workdir / "animation"
    pairs = open_test_pairs(config.dataset, settings.num_pairs)
    animator = Animator(
        load_pretrained(checkpoint or workdir, config), settings.normalization, settings.batch_size
    )
    animate_pairs(animator, pairs, folder, suffix=settings.format, visualize=config.visualize)
    print(f"Films and pictures of {len(pairs)} pairs are in {folder}")


def run_files(config: Config, checkpoint: str, source: str, driving: str, output: str) -> None:
    """Animate a picture by a video with the networks of `checkpoint`."""
    settings, size = config.animate, config.dataset.frame_shape[:2]
    animator = Animator(
        load_pretrained(checkpoint, config), settings.normalization, settings.batch_size
    )
    animate_files(animator, source, driving, output, size)
    print(f"The animation is in {output}")
