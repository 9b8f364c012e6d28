"""Train, or go on with training."""

import contextlib
import pathlib
import sys

import jax

from fomm_jax.config.schema import Config
from fomm_jax.training.loop import NotFiniteError, train
from fomm_jax.training.preemption import STATUS, TerminatedError
from fomm_jax.weights.vgg import load_vgg
from input_pipeline.loader import training_batches


def run(config: Config, workdir: pathlib.Path, begin_from: str | None) -> None:
    """Train in `workdir`, from `begin_from` where it has no checkpoint; exit 1 on divergence."""
    settings = config.train
    batches = training_batches(
        config.dataset,
        batch_size=settings.batch_size,
        num_repeats=settings.num_repeats,
        seed=settings.seed,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )
    vgg = load_vgg(config.perceptual) if any(settings.loss_weights.perceptual) else {}
    try:
        with contextlib.closing(batches):
            steps = train(
                config, workdir, batches, batches.steps_per_epoch, vgg, begin_from=begin_from
            )
    except NotFiniteError as error:
        sys.exit(f"main.py: {error}")
    except TerminatedError as error:
        print(f"main.py: {error}", file=sys.stderr)
        sys.exit(STATUS)
    if jax.process_index() == 0:
        done = f"Trained {steps} steps" if steps else "All steps were done before; nothing to train"
        left_out = f"; {batches.num_bad} damaged videos were left out" if batches.num_bad else ""
        print(f"{done}{left_out}; checkpoints, event files and pictures are in {workdir}")
