"""Train a model, or continue its training."""

import contextlib
import functools
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

from fomm_jax import console
from fomm_jax.buckets import AnyPath
from fomm_jax.cli.flags import (
    CHECKPOINT,
    COORDINATOR,
    DISTRIBUTED,
    NUM_PROCESSES,
    PROCESS_ID,
    read_config_and_workdir,
)
from fomm_jax.config.schema import Config, TrainConfig
from fomm_jax.errors import InputError, naming, program_name
from fomm_jax.training.lost_hosts import HostWatch
from fomm_jax.training.open_files import allow_open_files
from fomm_jax.training.signals import HOW_TO_GO_ON, SECONDS_TO_TELL, WORDS, EndingSignals
from fomm_jax.training.workdir_lock import check_can_run_in, check_can_write_in
from fomm_jax.weights.find_checkpoint import (
    FOLDER,
    check_is_model,
    check_is_state,
    list_checkpoints,
)
from fomm_jax.weights.vgg import VggArrays, load_vgg
from input_pipeline.data_checks import check_training_data
from input_pipeline.splits import VideoLocation

logger = logging.getLogger(__name__)


class Task(NamedTuple):
    """What to train, where, and from which checkpoint; None is from the start."""

    config: Config
    workdir: AnyPath
    begin_from: str | None


def run() -> None:
    """Train in --workdir, from --checkpoint on if the workdir has no checkpoint of its own."""
    run_task(lambda: Task(*read_config_and_workdir(), CHECKPOINT.value))


def run_task(read: Callable[[], Task]) -> None:
    """Train what `read` reads from the flags.

    The program ends with status 1 if training diverges, with 128 plus the number of the signal if
    one ends it before its last step, and with status 75 if another host of the run is gone or
    nothing goes on.
    """
    with EndingSignals(_end_at_once, _end_to_repeat) as signals, contextlib.ExitStack() as stack:
        task = read()
        if DISTRIBUTED.value:
            watch = _join_processes(task.config.train, signals)
            stack.enter_context(watch.finding_out(task.config.train.host_timeout))
        videos, vgg = _check(task)
        _train(task, videos, vgg, signals)


def _check(task: Task) -> tuple[Sequence[VideoLocation], VggArrays]:
    """Check what can be known before JAX is loaded and anything is written.

    Returns:
      The training videos, and the weights of the perceptual network as far as it is needed.

    Raises:
      InputError: data, workdir, a checkpoint or these weights cannot be used.
    """
    config, workdir, begin_from = task
    settings = config.train
    allow_open_files(config.dataset.num_workers)
    if DISTRIBUTED.value:  # another process may already have locked it
        check_can_write_in(workdir)
    else:
        check_can_run_in(workdir)
    videos = check_training_data(config.dataset, settings.batch_size, settings.num_repeats)
    if settings.init_from:
        with naming("config.train.init_from"):
            check_is_model(settings.init_from)
    if begin_from is not None:
        _check_checkpoint(begin_from, workdir)
    vgg = load_vgg(config.perceptual) if any(settings.loss_weights.perceptual) else {}
    logger.info(
        "%d videos to train on and %d to test with, in %s",
        len(videos.train),
        len(videos.test),
        config.dataset.root_dir,
    )
    return videos.train, vgg


def _check_checkpoint(path: str, workdir: AnyPath) -> None:
    """Check a checkpoint to begin from, unless the workdir has its own to go on from.

    The second run of the same command, such as a cluster repeats after a preemption, has.

    Raises:
      InputError: the run would begin from it, and cannot.
    """
    if list_checkpoints(workdir / FOLDER):
        logger.info("%s has checkpoints of its own; --checkpoint is for a new workdir", workdir)
        return
    with naming("--checkpoint"):
        check_is_state(path)


def _train(
    task: Task, videos: Sequence[VideoLocation], vgg: VggArrays, signals: EndingSignals
) -> None:
    """Load JAX, train, and tell how it ended."""
    config, workdir, begin_from = task
    settings = config.train
    # These take several seconds, in which bad input would wait for its message.
    import jax

    from fomm_jax.training.divergence import NotFiniteError
    from fomm_jax.training.loop import train
    from fomm_jax.training.preemption import TerminatedError
    from input_pipeline.loader import training_batches

    batches = training_batches(
        config.dataset,
        batch_size=settings.batch_size,
        num_repeats=settings.num_repeats,
        seed=settings.seed,
        process=(jax.process_index(), jax.process_count()),
        videos=videos,
    )
    try:
        with contextlib.closing(batches):
            steps = train(config, workdir, batches, vgg, begin_from, signals)
    except NotFiniteError as error:
        sys.exit(f"{program_name()}: {error}")
    except TerminatedError as error:
        print(f"{program_name()}: {error}", file=sys.stderr)
        sys.exit(128 + error.number)
    if jax.process_index() == 0:
        done = f"Trained {steps} steps" if steps else "All steps were done before; nothing to train"
        left_out = f"; {batches.num_bad} damaged videos were left out" if batches.num_bad else ""
        console.say(f"{done}{left_out}; checkpoints, event files and pictures are in {workdir}")


def _end_at_once(number: signal.Signals) -> None:
    """End the program where it is, with the status that shells give a signal."""
    _end(128 + number, logger.info, WORDS[number])


def _end_to_repeat(reason: str) -> None:
    """End the program where it is, with the status that asks to try again."""
    _end(os.EX_TEMPFAIL, functools.partial(print, file=sys.stderr), reason)


def _end(status: int, tell: Callable[[str], object], reason: str) -> None:
    # A terminal that stands still, by Ctrl-S say, would never take the message.
    give_up = threading.Timer(SECONDS_TO_TELL, os._exit, (status,))
    give_up.daemon = True
    give_up.start()
    tell(f"{program_name()}: {reason}; {HOW_TO_GO_ON}")
    os._exit(status)


def _wait_by_the_network() -> None:
    """Let the processes wait for each other's saves by the network alone.

    Orbax would otherwise let them wait on the devices, and there meet those that take a step.
    """
    from absl import flags
    from orbax.checkpoint import multihost  # noqa: F401  (it defines the flag)

    flags.FLAGS["experimental_orbax_use_distributed_barrier"].value = True


def _join_processes(settings: TrainConfig, signals: EndingSignals) -> HostWatch:
    """Connect to the other processes of the run, and watch them from then on."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # JAX's own pages when a host is gone
    import jax

    watch = HostWatch(signals.give_up)
    watch.start()
    try:
        jax.distributed.initialize(
            COORDINATOR.value,
            NUM_PROCESSES.value,
            PROCESS_ID.value,
            initialization_timeout=settings.join_timeout,
            heartbeat_timeout_seconds=settings.host_timeout,
            shutdown_timeout_seconds=settings.host_timeout,
        )
        signals.take_back()  # JAX would hear of SIGTERM, even where there is nothing to save yet
        watch.learn_names()
    except (RuntimeError, ValueError) as error:
        raise InputError(
            "--distributed: the processes do not find each other; expected Cloud TPU, Slurm,"
            " Kubernetes, or --coordinator=HOST:PORT, --num_processes and --process_id"
            f" ({' '.join(str(error).split())})"
        ) from error
    _wait_by_the_network()
    if jax.process_index() > 0:  # the first process tells what all of them would
        logging.getLogger("fomm_jax").setLevel(logging.ERROR)
    return watch
