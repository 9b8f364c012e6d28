"""The compiled parts of training: drawing the first state, and the step."""

from typing import NamedTuple

import jax
from jax.sharding import Mesh

from fomm_jax.config.schema import Config
from fomm_jax.ops.convolution import choose_convolutions
from fomm_jax.training.step import sharding
from fomm_jax.training.step.train_step import make_train_step
from fomm_jax.weights.train_state import Optimizers, TrainState, initial_state

# With these options, the compiler of TPU sums the gradients of a layer over the devices while it
# computes those of the layers before it. Without them, it waits for the sums.
TPU_OPTIONS = dict.fromkeys(
    (
        "xla_enable_async_all_reduce",
        "xla_tpu_enable_async_collective_fusion",
        "xla_tpu_enable_async_collective_fusion_fuse_all_reduce",
        "xla_tpu_enable_async_collective_fusion_multiple_steps",
        "xla_tpu_enable_latency_hiding_scheduler",
        "xla_tpu_overlap_compute_collective_tc",
    ),
    True,
)


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
        compiler_options=TPU_OPTIONS if mesh.devices.flat[0].platform == "tpu" else None,
    )
    return Program(initialise, train_step)
