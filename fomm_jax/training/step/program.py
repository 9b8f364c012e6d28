"""The compiled parts of training: drawing the first state, and the step."""

import threading
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
from fomm_jax.weights.train_state import Optimizers, TrainState, initial_state

# Options of XLA for the step, by platform.
COMPILER_OPTIONS: dict[str, dict[str, Any]] = {
    # Sum the gradients of a layer over the devices while those of the layers before it are being
    # computed. Without these options, the compiler waits for the sums.
    "tpu": dict.fromkeys(
        (
            "xla_enable_async_all_reduce",
            "xla_tpu_enable_async_collective_fusion",
            "xla_tpu_enable_async_collective_fusion_fuse_all_reduce",
            "xla_tpu_enable_async_collective_fusion_multiple_steps",
            "xla_tpu_enable_latency_hiding_scheduler",
            "xla_tpu_overlap_compute_collective_tc",
        ),
        True,
    ),
    # Without the fusions of YNNPACK, a step of vox_256 takes 0.3 GB less, and its program comes
    # from the compilation cache in half the time (docs/performance.md).
    "cpu": {"xla_cpu_experimental_ynn_fusion_type": ""},
}


class Program(NamedTuple):
    """The jitted functions of a run; each is compiled by its first call."""

    initialise: jax.stages.Wrapped  # from a key to a `TrainState`
    # A `step.TrainStep` for batches that are split over the mesh. It donates the state: do not use
    # the old state after the call.
    train_step: jax.stages.Wrapped


def make_program(mesh: Mesh, config: Config, optimizers: Optimizers) -> Program:
    """Make the functions of a run whose state is distributed as `sharding.divided` says.

    Raises:
      InputError: the devices do not divide into groups of `config.train.batch_norm_devices`.
    """
    groups = sharding.batch_norm_groups(config.train.batch_norm_devices, mesh)

    def initial(key: jax.Array) -> TrainState:
        return initial_state(config, optimizers, key)

    state_sharding = sharding.divided(mesh, jax.eval_shape(initial, jax.random.key(0)))
    initialise = jax.jit(
        initial,
        out_shardings=state_sharding,
        # It runs once, and at this level CPU programs compile faster.
        compiler_options={"xla_backend_optimization_level": 0},
    )
    train_step = jax.jit(
        make_train_step(config, optimizers, choose_convolutions(mesh.devices.flat), groups),
        donate_argnums=0,
        out_shardings=(state_sharding, sharding.replicated(mesh), sharding.split_by_batch(mesh)),
        compiler_options=COMPILER_OPTIONS.get(mesh.devices.flat[0].platform),
    )
    return Program(initialise, train_step)


def lower_step(program: Program, mesh: Mesh, config: Config, vgg: Any) -> jax.stages.Lowered:
    """Lower the step for batches of `config.train.batch_size` pairs.

    Args:
      program: the functions of the run.
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
        jax.eval_shape(program.initialise, key),
        Batch(frames, frames),
        key,
        sharding.shapes(vgg, sharding.replicated(mesh)),
    )


def compile_together(program: Program, mesh: Mesh, config: Config, vgg: Any) -> None:
    """Compile both functions at the same time; the first call of each then finds its program.

    Afterwards, the memory that the compiler took is free for the state.

    Args:
      program: the functions of the run.
      mesh: the devices.
      config: the configuration of the run.
      vgg: the weights of the perceptual network, or their shapes.
    """
    key = sharding.shapes(jax.eval_shape(lambda: jax.random.key(0)), sharding.replicated(mesh))
    first = threading.Thread(target=lambda: program.initialise.lower(key).compile(), daemon=True)
    first.start()
    lower_step(program, mesh, config, vgg).compile()
    first.join()
    return_freed_memory()
