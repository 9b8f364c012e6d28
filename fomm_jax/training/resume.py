"""Where training begins: a checkpoint of the run, given networks, or random ones."""

import dataclasses
import logging
import os

from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, naming
from fomm_jax.training.step.program import Program
from fomm_jax.types import Batches
from fomm_jax.weights.checkpoints import Checkpoints
from fomm_jax.weights.finite import check_finite_tree
from fomm_jax.weights.load import load_pretrained, load_state
from fomm_jax.weights.restore import DamagedCheckpointError, restore_state
from fomm_jax.weights.train_state import (
    Optimizers,
    TrainState,
    begin_averages,
    place_like,
    split_model,
    state_parts,
)

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where the state of a run may come from."""

    config: Config
    optimizers: Optimizers
    program: Program
    begin_from: str | os.PathLike[str] | None  # a checkpoint, for a run that has none of its own


def starts_anew(origin: Origin, checkpoints: Checkpoints) -> bool:
    """Tell whether no checkpoint gives the state before the first step."""
    return not checkpoints.steps and origin.begin_from is None


def first_state(origin: Origin, checkpoints: Checkpoints, batches: Batches) -> TrainState:
    """Return the state before the first step, and move `batches` to the position it belongs to.

    The state is that of the newest whole checkpoint, else that of `origin.begin_from`, else a
    random one, whose networks `config.train.init_from` may give.

    Raises:
      InputError: a checkpoint does not fit the configuration, or all of them are damaged.
    """
    config, abstract = origin.config, origin.program.abstract
    if checkpoints.steps:
        return newest_whole_state(checkpoints, abstract, batches)
    if origin.begin_from is not None:
        return load_state(origin.begin_from, config, origin.optimizers, abstract, batches)
    state = origin.program.initialise(config.train.seed)
    if not config.train.init_from:
        return state
    initial_networks = split_model(load_pretrained(config.train.init_from, config))
    params, statistics = (
        # A network that is not given, such as a discriminator, stays random.
        random | place_like(networks, {name: random[name] for name in networks})
        for networks, random in zip(initial_networks, (state.params, state.statistics), strict=True)
    )
    state = dataclasses.replace(
        state, params=params, statistics=statistics, averages=None, averaged_statistics=None
    )
    return begin_averages(state) if config.train.ema_decay else state


def describe_start(origin: Origin, checkpoints: Checkpoints, first_step: int) -> str:
    """Say in a few words where the state of `first_state` came from."""
    if checkpoints.steps:
        return f"continues at step {first_step}, from {checkpoints.folder / str(first_step - 1)}"
    if origin.begin_from is not None:
        return f"continues at step {first_step}, from {origin.begin_from}"
    if origin.config.train.init_from:
        return f"starts anew with the networks of {origin.config.train.init_from}"
    return "starts anew"


def newest_whole_state(
    checkpoints: Checkpoints, abstract: TrainState, batches: Batches
) -> TrainState:
    """Restore the newest checkpoint that is whole; set damaged ones after it aside.

    Raises:
      InputError: a checkpoint is of another architecture, of another step than its folder's name
        says, or not finite; or none is whole.
    """
    damaged: dict[int, DamagedCheckpointError] = {}
    for step in reversed(checkpoints.steps):
        path = checkpoints.folder / str(step)
        try:
            state = restore_state(path, abstract, batches)
        except DamagedCheckpointError as error:
            damaged[step] = error
            continue
        with naming(path):
            check_finite_tree(state_parts(state))
        if damaged:
            checkpoints.set_aside([*damaged])
            for problem in damaged.values():
                logger.warning("%s; renamed, and going on from %s", problem, path)
        return state
    newest = max(damaged)
    raise InputError(f"{damaged[newest]}, and no checkpoint before it is whole")
