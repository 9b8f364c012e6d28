"""The training loop."""

import dataclasses
import math
import os
from collections.abc import Callable, Iterator

import jax
from jax.sharding import Mesh

from fomm_jax import sharding
from fomm_jax.checkpoints import Checkpoints
from fomm_jax.config import Config
from fomm_jax.errors import InputError
from fomm_jax.perceptual import VggWeights
from fomm_jax.pretrained import load_pretrained, load_state
from fomm_jax.train_state import (
    Optimizers,
    TrainState,
    initial_state,
    make_optimizers,
    split_networks,
)
from fomm_jax.train_step import Scalars, TrainStep, make_train_step
from fomm_jax.training_log import TrainingLog
from fomm_jax.types import Batch


class NotFiniteError(Exception):
    """A loss or a gradient is not finite; the message names step, term and last good checkpoint."""


def train(
    config: Config,
    workdir: str | os.PathLike[str],
    batches: Iterator[Batch],
    steps_per_epoch: int,
    vgg: VggWeights,
    begin_from: str | os.PathLike[str] | None = None,
) -> int:
    """Train from the newest checkpoint of `workdir` to the last step.

    Where there is none, from `begin_from`, from the networks of `config.train.init_from`, or from
    random ones.

    Args:
      config: the run's.
      workdir: takes checkpoints, event files and pictures.
      batches: this process's part of each batch, endless; its position is saved and restored.
      steps_per_epoch: turns the config's epochs into steps.
      vgg: weights of the perceptual network.
      begin_from: a checkpoint as in `pretrained.load_pretrained`, whose state and position training
        begins with in a workdir without one.

    Returns:
      The number of steps taken; 0 where an earlier run took them all.

    Raises:
      InputError: the batch does not fit the devices, or the checkpoint the config, or there are
        two to begin from.
      NotFiniteError: a loss or a gradient is infinite or not a number.
    """
    settings = config.train
    mesh = sharding.make_mesh(settings.fsdp)
    sharding.check_batch_size(settings.batch_size, mesh, settings.accumulate)
    last_step = settings.num_steps or settings.num_epochs * steps_per_epoch
    save_every = settings.checkpoint_every or settings.checkpoint_freq * steps_per_epoch
    draw_every = settings.visualize_every or steps_per_epoch

    def due(step: int, interval: int) -> bool:
        return step == last_step or step % interval == 0

    optimizers = make_optimizers(settings, steps_per_epoch)
    initialise, train_step = compiled_for(mesh, config, optimizers)
    everywhere = sharding.replicated(mesh)
    init_key, step_key = jax.jit(
        lambda: tuple(jax.random.split(jax.random.key(settings.seed))), out_shardings=everywhere
    )()
    vgg = jax.device_put(vgg, everywhere)

    with Checkpoints(workdir, keep=settings.checkpoints_to_keep) as checkpoints:
        state = state_to_begin_with(
            config, checkpoints, begin_from, batches, optimizers, initialise, init_key
        )
        first_step = int(state.step) + 1
        if first_step > last_step:
            return 0
        with TrainingLog(
            workdir,
            first_step=first_step,
            last_step=last_step,
            batch_size=settings.batch_size,
            visualize=config.visualize,
        ) as log:
            running: Scalars | None = None
            for step in range(first_step, last_step + 1):
                batch = sharding.to_global(next(batches), mesh)
                state, scalars, outputs = train_step(state, batch, step_key, vgg)
                # The scalars of the step before are read while this one runs.
                if running is not None:
                    log.add(finite(step - 1, running, checkpoints))
                running = scalars
                if due(step, settings.log_every) or due(step, save_every):
                    log.add(finite(step, running, checkpoints))
                    running = None
                if due(step, settings.log_every):
                    log.write_scalars(step)
                if due(step, draw_every):
                    log.write_picture(step, outputs)
                if due(step, save_every):
                    checkpoints.save(step, state, step // steps_per_epoch, batches)
    return last_step - first_step + 1


def state_to_begin_with(
    config: Config,
    checkpoints: Checkpoints,
    begin_from: str | os.PathLike[str] | None,
    batches: Iterator[Batch],
    optimizers: Optimizers,
    initialise: Callable[[jax.Array], TrainState],
    key: jax.Array,
) -> TrainState:
    """The state before the first step, with `batches` at the position that belongs to it.

    It is that of the newest checkpoint, else of `begin_from`, else a random one, whose networks
    `config.train.init_from` may give.

    Raises:
      InputError: a checkpoint does not fit the config, or there are two to begin from.
    """
    newest = checkpoints.latest_step
    if newest is not None:
        if begin_from is not None:
            raise InputError(
                f"{checkpoints.folder}: has a checkpoint to go on from; expected none, since"
                f" training is to begin from {begin_from}"
            )
        begin_from = checkpoints.folder / str(newest)
    if begin_from is not None:
        abstract = jax.eval_shape(initialise, key)
        return load_state(begin_from, config, optimizers, abstract, batches)
    state = initialise(key)
    if not config.train.init_from:
        return state
    networks = split_networks(load_pretrained(config.train.init_from, config))
    params, statistics = sharding.place_like(networks, (state.params, state.statistics))
    return dataclasses.replace(state, params=params, statistics=statistics)


def compiled_for(
    mesh: Mesh, config: Config, optimizers: Optimizers
) -> tuple[Callable[[jax.Array], TrainState], TrainStep]:
    """Initialisation and training step for a state that lies on the mesh as `sharding` has it.

    The step takes batches that are split over the mesh, and takes the state over: its buffers are
    used again for the new one.
    """

    def initial(key: jax.Array) -> TrainState:
        return initial_state(config, optimizers, key)

    of_state = sharding.divided(mesh, jax.eval_shape(initial, jax.random.key(0)))
    initialise = jax.jit(
        initial,
        out_shardings=of_state,
        # It runs once, and on CPU compiles faster so.
        compiler_options={"xla_backend_optimization_level": 0},
    )
    train_step = jax.jit(
        make_train_step(config, optimizers),
        donate_argnums=0,
        out_shardings=(of_state, sharding.replicated(mesh), sharding.split_by_batch(mesh)),
    )
    return initialise, train_step


def finite(step: int, scalars: Scalars, checkpoints: Checkpoints) -> dict[str, float]:
    """The losses of a step, and the norm of its gradients, as numbers.

    Raises:
      NotFiniteError: one of them is infinite or not a number.
    """
    values = {name: float(value) for name, value in jax.device_get(scalars).items()}
    # A loss that is not finite has such gradients; it is the loss that tells where to look.
    for name, value in sorted(values.items(), key=lambda item: item[0] == "gradient_norm"):
        if not math.isfinite(value):
            last = checkpoints.latest_step
            good = "none was saved" if last is None else f"{checkpoints.folder / str(last)}"
            raise NotFiniteError(
                f"step {step}: {name} is {value}; the last good checkpoint: {good}"
            )
    return values
