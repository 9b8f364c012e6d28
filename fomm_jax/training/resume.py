"""Where training begins: a checkpoint of the run, given networks, or random ones."""

import dataclasses
import os
import sys
from collections.abc import Callable

import jax

from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError
from fomm_jax.types import Batches
from fomm_jax.weights.checkpoints import Checkpoints, DamagedCheckpointError, restore_state
from fomm_jax.weights.load import load_pretrained, load_state
from fomm_jax.weights.train_state import (
    Optimizers,
    TrainState,
    begin_averages,
    place_like,
    split_networks,
)


def state_to_begin_with(
    config: Config,
    checkpoints: Checkpoints,
    begin_from: str | os.PathLike[str] | None,
    batches: Batches,
    optimizers: Optimizers,
    initialise: Callable[[jax.Array], TrainState],
    key: jax.Array,
) -> TrainState:
    """The state before the first step, with `batches` at the position that belongs to it.

    It is that of the newest checkpoint that is whole, else of `begin_from`, else a random one,
    whose networks `config.train.init_from` may give.

    Raises:
      InputError: a checkpoint does not fit the config, or none of several is whole.
    """
    abstract = jax.eval_shape(initialise, key)
    if checkpoints.steps:
        return newest_whole(checkpoints, abstract, batches)
    if begin_from is not None:
        return load_state(begin_from, config, optimizers, abstract, batches)
    state = initialise(key)
    if not config.train.init_from:
        return state
    given = split_networks(load_pretrained(config.train.init_from, config))
    params, statistics = (
        # A network that is not given, as the discriminator may not be, stays random.
        random | place_like(found, {name: random[name] for name in found})
        for found, random in zip(given, (state.params, state.statistics), strict=True)
    )
    state = dataclasses.replace(state, params=params, statistics=statistics)
    return begin_averages(state) if config.train.ema_decay else state


def newest_whole(checkpoints: Checkpoints, abstract: TrainState, batches: Batches) -> TrainState:
    """The state of the newest checkpoint that is whole; damaged ones after it are set aside.

    Raises:
      InputError: a checkpoint is of another architecture, or none is whole.
    """
    damaged: dict[int, DamagedCheckpointError] = {}
    for step in reversed(checkpoints.steps):
        path = checkpoints.folder / str(step)
        try:
            state = restore_state(path, abstract, batches)
        except DamagedCheckpointError as error:
            damaged[step] = error
            continue
        if damaged:
            checkpoints.set_aside([*damaged])
            if jax.process_index() == 0:
                for problem in damaged.values():
                    print(f"{problem}; renamed, and going on from {path}", file=sys.stderr)
        return state
    newest = max(damaged)
    raise InputError(f"{damaged[newest]}, and no checkpoint before it is whole")
