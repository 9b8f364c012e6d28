"""Train a model, or continue its training."""

import contextlib
import logging
import sys

import jax

from fomm_jax import console
from fomm_jax.cli.flags import (
    CHECKPOINT,
    COORDINATOR,
    DISTRIBUTED,
    NUM_PROCESSES,
    PROCESS_ID,
    read_config_and_workdir,
)
from fomm_jax.errors import InputError
from fomm_jax.training.loop import NotFiniteError, train
from fomm_jax.training.preemption import STATUS, TerminatedError
from fomm_jax.weights.vgg import load_vgg
from input_pipeline.loader import training_batches


def run() -> None:
    """Train in --workdir, starting from --checkpoint if the workdir has no checkpoint of its own.

    The program ends with status 1 if training diverges, and with `preemption.STATUS` if it was
    asked to end before its last step.
    """
    config, workdir = read_config_and_workdir()
    if DISTRIBUTED.value:
        _join_processes()
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
                config, workdir, batches, batches.steps_per_epoch, vgg, begin_from=CHECKPOINT.value
            )
    except NotFiniteError as error:
        sys.exit(f"main.py: {error}")
    except TerminatedError as error:
        print(f"main.py: {error}", file=sys.stderr)
        sys.exit(STATUS)
    if jax.process_index() == 0:
        done = f"Trained {steps} steps" if steps else "All steps were done before; nothing to train"
        left_out = f"; {batches.num_bad} damaged videos were left out" if batches.num_bad else ""
        console.say(f"{done}{left_out}; checkpoints, event files and pictures are in {workdir}")


def _join_processes() -> None:
    """Connect to the other processes of the run."""
    try:
        jax.distributed.initialize(COORDINATOR.value, NUM_PROCESSES.value, PROCESS_ID.value)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            "--distributed: the processes do not find each other; expected Cloud TPU, Slurm,"
            " Kubernetes, or --coordinator=HOST:PORT, --num_processes and --process_id"
            f" ({' '.join(str(error).split())})"
        ) from error
    if jax.process_index() > 0:  # the first process tells what all of them would
        logging.getLogger("fomm_jax").setLevel(logging.ERROR)
