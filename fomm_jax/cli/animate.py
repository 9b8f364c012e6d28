"""Animate pairs of test videos, or a user's pictures by a user's videos."""

import contextlib
import logging
import pathlib
import sys
from collections.abc import Sequence

from ml_collections import ConfigDict

from fomm_jax.animation.animator import Animator
from fomm_jax.cli import animation_flags, marking_flags
from fomm_jax.cli.flags import CHECKPOINT, DRIVING, MOTION, OUTPUT, SOURCE, WORKDIR
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError
from fomm_jax.evaluation.animate_pairs import animate_pairs
from fomm_jax.evaluation.films import FilmOutputs
from fomm_jax.media.raw_frames import RawFormat
from fomm_jax.provenance.mark import Marking
from fomm_jax.rendering.animate_files import Pipes, animate_files
from fomm_jax.rendering.options import AnimationOptions
from fomm_jax.rendering.paths import PIPE, expand_patterns
from input_pipeline.test_videos import open_test_pairs

logger = logging.getLogger(__name__)


def run_pairs(
    config: Config, workdir: pathlib.Path, checkpoint: str | None, marking: Marking | None
) -> None:
    """Animate pairs of test videos with the networks of `checkpoint` or of `workdir`."""
    settings, folder = config.animate, workdir / "animation"
    pairs = open_test_pairs(config.dataset, settings.num_pairs)
    animator = Animator.from_checkpoint(checkpoint or workdir, config)
    animate_pairs(
        animator,
        pairs,
        FilmOutputs(
            folder=folder,
            suffix=settings.format,
            visualize=config.visualize,
            marking=marking,
        ),
    )
    print(f"Films and pictures of {len(pairs)} pairs are in {folder}")


def run_files(
    config: Config | None,
    checkpoint: str | None,
    sources: Sequence[str],
    drivings: Sequence[str],
    motions: Sequence[str],
    output: str,
    options: AnimationOptions,
    *,
    raw_format: RawFormat | None,
    batch_size: int | None,
    marking: Marking | None,
) -> None:
    """Animate each picture by each video or motion.

    Args:
      config: of the model; None where the checkpoint carries it.
      checkpoint: None is the demo model.
      sources: paths of pictures.
      drivings: paths of videos, or `PIPE`.
      motions: paths of motions that were kept.
      output: a film, a folder, or `PIPE`; see `output_paths`.
      options: what is wanted.
      raw_format: of the frames that come through standard input.
      batch_size: frames a call; None as the config has it.
      marking: of the films; None is none.
    """
    if checkpoint is not None:
        animator = Animator.from_checkpoint(checkpoint, config, batch_size=batch_size)
    elif config is not None:
        raise InputError("--workdir or --checkpoint: expected one of them, to find the networks")
    else:
        animator = Animator.demo(batch_size=batch_size)
    pipes = Pipes(sys.stdin.buffer, sys.stdout.buffer, raw_format)
    # Where frames go to standard output, nothing else may.
    with contextlib.redirect_stdout(sys.stderr) if output == PIPE else contextlib.nullcontext():
        paths = animate_files(
            animator, sources, drivings, motions, output, options, pipes, marking=marking
        )
    if output != PIPE:
        print("\n".join(f"The animation is in {path}" for path in paths))
    if checkpoint is None:
        logger.info(
            "The demo model was used, which knows drawn figures alone; --checkpoint=PATH names"
            " another one"
        )


def run_file_animation(config_dict: ConfigDict | None) -> None:
    """Animate pictures by videos."""

    drivings, motions = DRIVING.value or [], MOTION.value or []
    if not (SOURCE.value and (drivings or motions) and OUTPUT.value):
        raise InputError(
            "--source, --driving (or --motion), --output: expected all three, or none of them"
        )
    checkpoint = CHECKPOINT.value or WORKDIR.value
    run_files(
        config_dict and from_config_dict(config_dict),
        checkpoint,
        expand_patterns(SOURCE.value, "--source"),
        expand_patterns(drivings, "--driving"),
        expand_patterns(motions, "--motion"),
        OUTPUT.value,
        animation_flags.read_options(),
        raw_format=animation_flags.read_raw_format(reads_pipe=PIPE in drivings),
        batch_size=animation_flags.BATCH_SIZE.value,
        marking=marking_flags.read_marking(checkpoint),
    )
