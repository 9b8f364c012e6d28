"""The step of a run, compiled for its devices, and the state before the first one."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from fomm_jax.config.schema import Config
from fomm_jax.memory import return_freed_memory
from fomm_jax.ops.convolution import choose_convolutions
from fomm_jax.training.step import sharding
from fomm_jax.training.step.train_step import make_train_step
from fomm_jax.types import Batch
from fomm_jax.weights.train_state import Optimizers, TrainState, abstract_state, initial_state

# Options of XLA for the step, by platform.
COMPILER_OPTIONS: dict[str, dict[str, Any]] = {
    # Without the fusions of YNNPACK, a step of vox_256 takes 0.3 GB less, and its program comes
    # from the compilation cache in half the time (docs/performance.md).
    "cpu": {"xla_cpu_experimental_ynn_fusion_type": ""},
}


class Program(NamedTuple):
    """The parts of a run that the configuration and the devices decide."""

    abstract: TrainState  # shapes and shardings in place of arrays
    initialise: Callable[[int], TrainState]  # draws the state before the first step from a seed
    # A jitted `step.TrainStep` for batches that are split over the mesh. It donates the state: do
    # not use the old state after the call.
    train_step: jax.stages.Wrapped


def make_program(
    mesh: Mesh, config: Config, optimizers: Optimizers, steps_per_epoch: int
) -> Program:
    """Make the parts of a run whose state is distributed as `sharding.divided` says.

    Raises:
      InputError: the devices do not divide into groups of `config.train.batch_norm_devices`.
    """
    groups = sharding.batch_norm_groups(config.train.batch_norm_devices, mesh)
    abstract = abstract_state(config, optimizers)
    state_sharding = sharding.divided(mesh, abstract)

    def initialise(seed: int) -> TrainState:
        # The step is given the state, which it could not be if NumPy held the memory, too.
        return jax.device_put(
            initial_state(config, optimizers, seed), state_sharding, may_alias=False
        )

    train_step = jax.jit(
        make_train_step(
            config, optimizers, steps_per_epoch, choose_convolutions(mesh.devices.flat), groups
        ),
        donate_argnums=0,
        out_shardings=(state_sharding, sharding.replicated(mesh), sharding.split_by_batch(mesh)),
        compiler_options=COMPILER_OPTIONS.get(mesh.devices.flat[0].platform),
    )
    return Program(sharding.placed(abstract, state_sharding), initialise, train_step)


def lower_step(program: Program, mesh: Mesh, config: Config, vgg: Any) -> jax.stages.Lowered:
    """Lower the step for batches of `config.train.batch_size` pairs.

    Args:
      program: the parts of the run.
      mesh: the devices, which may be absent.
      config: the configuration of the run.
      vgg: the weights of the perceptual network, or their shapes.
    """
    key = sharding.shapes(jax.eval_shape(lambda: jax.random.key(0)), sharding.replicated(mesh))
    frames: Any = jax.ShapeDtypeStruct(
        (config.train.batch_size, *config.dataset.frame_shape),
        jnp.uint8,
        sharding=sharding.split_by_batch(mesh),
    )
    return program.train_step.lower(
        program.abstract,
        Batch(frames, frames),
        key,
        sharding.shapes(vgg, sharding.replicated(mesh)),
    )


def compile_step(program: Program, mesh: Mesh, config: Config, vgg: Any) -> None:
    """Compile the step; its first call then finds the program.

    Before there is a state, memory suffices for the compiler. What it took is free afterwards.

    Args:
      program: the parts of the run.
      mesh: the devices.
      config: the configuration of the run.
      vgg: the weights of the perceptual network, or their shapes.
    """
    lower_step(program, mesh, config, vgg).compile()
    return_freed_memory()
