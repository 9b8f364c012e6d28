"""Animate a user's pictures by a user's videos, or pairs of test videos."""

import contextlib
import logging
import sys

from fomm_jax import console
from fomm_jax.animation.animator import Animator
from fomm_jax.cli import animation_flags, marking_flags
from fomm_jax.cli.extras import check_can_train
from fomm_jax.cli.file_patterns import expand_patterns
from fomm_jax.cli.flags import (
    CHECKPOINT,
    DRIVING,
    MOTION,
    OUTPUT,
    SOURCE,
    model_path,
    names_files,
    read_config,
    read_config_and_workdir,
)
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError
from fomm_jax.files import check_can_write
from fomm_jax.media.raw_frames import RawFormat
from fomm_jax.rendering.animate_files import animate_files
from fomm_jax.rendering.job import AnimationJob, Pipes
from fomm_jax.rendering.paths import PIPE

logger = logging.getLogger(__name__)


def run() -> None:
    """Animate the files that flags name; without such flags, pairs of the config's test videos."""
    if names_files():
        _animate_files()
    else:
        _animate_pairs()


def _animate_pairs() -> None:
    check_can_train("--mode=animate without --source")
    # These take a second, which the animation of files does without.
    from fomm_jax.evaluation.animate_pairs import animate_pairs
    from fomm_jax.evaluation.films import FilmOutputs
    from input_pipeline.evaluation_videos import open_test_pairs

    config, workdir = read_config_and_workdir()
    marking = marking_flags.read_marking(model_path())
    settings, folder = config.animate, workdir / "animation"
    check_can_write(folder / "film.mp4")
    pairs = open_test_pairs(config.dataset, settings.num_pairs)
    animate_pairs(
        Animator.from_checkpoint(CHECKPOINT.value or workdir, config),
        pairs,
        FilmOutputs(
            folder=folder,
            suffix=settings.format,
            visualize=config.visualize,
            marking=marking,
        ),
    )
    console.say(f"Films and pictures of {len(pairs)} pairs are in {folder}")


def _animate_files() -> None:
    config, job = read_config(), _read_job()
    animator = _open_model(config, model_path(), animation_flags.BATCH_SIZE.value)
    to_pipe = job.output == PIPE
    with contextlib.ExitStack() as stack:
        if to_pipe:  # where frames go to standard output, nothing else may
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        stack.enter_context(animation_flags.naming_flags())
        paths = animate_files(animator, job)
    if not to_pipe:
        console.say("\n".join(f"The animation is in {path}" for path in paths))
    if model_path() is None:
        logger.info(
            "The demo model was used, which knows drawn heads alone; --checkpoint=PATH names"
            " another one"
        )


def _read_job() -> AnimationJob:
    drivings, motions = DRIVING.value or [], MOTION.value or []
    if not (SOURCE.value and (drivings or motions) and OUTPUT.value):
        raise InputError(
            "--source, --driving (or --motion), --output: expected all three, or none of them"
        )
    raw_format = animation_flags.read_raw_format(reads_pipe=PIPE in drivings)
    return AnimationJob(
        sources=expand_patterns(SOURCE.value, "--source"),
        drivings=expand_patterns(drivings, "--driving"),
        motions=expand_patterns(motions, "--motion"),
        output=OUTPUT.value,
        options=animation_flags.read_options(),
        marking=marking_flags.read_marking(model_path()),
        pipes=_open_pipes(raw_format, reads=PIPE in drivings, writes=OUTPUT.value == PIPE),
    )


def _open_pipes(raw_format: RawFormat | None, *, reads: bool, writes: bool) -> Pipes:
    # Python has no stream where the caller has closed it, as `<&-` does.
    if reads and sys.stdin is None:
        raise InputError("--driving=-: standard input is closed")
    if writes and sys.stdout is None:
        raise InputError("--output=-: standard output is closed")
    return Pipes(
        sys.stdin.buffer if reads else None, sys.stdout.buffer if writes else None, raw_format
    )


def _open_model(config: Config | None, checkpoint: str | None, batch_size: int | None) -> Animator:
    if checkpoint is not None:
        return Animator.from_checkpoint(checkpoint, config, batch_size=batch_size)
    if config is not None:
        raise InputError("--workdir or --checkpoint: expected one of them, to find the networks")
    return Animator.demo(batch_size=batch_size)
