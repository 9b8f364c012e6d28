"""Our training on the inputs of a recording, step by step."""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from fomm_jax.config.schema import Config
from fomm_jax.errors import naming
from fomm_jax.ops.convolution import ONE_CPU
from fomm_jax.parity.recordings import Arrays, Recording, cast_floats, seeded_vgg19, to_nchw
from fomm_jax.training.step.objectives import StepInputs, StepOutputs
from fomm_jax.training.step.train_step import DIAGNOSTICS, make_update
from fomm_jax.weights.torch.from_original import load_train_state
from fomm_jax.weights.torch.names import from_torch_layout, torch_arrays, variable_keys
from fomm_jax.weights.train_state import TrainState, at_step, make_optimizers

STEPS_PER_EPOCH = 1000  # any large number: no recording reaches the end of an epoch
# On CPU, a step of the smallest recorded model compiles in 24 s of processor time at this level and
# in 41 s at higher ones, which save 0.8 s a step. A recording has about ten steps.
QUICK_COMPILATION = {"xla_backend_optimization_level": 0}


@dataclasses.dataclass(frozen=True)
class Step:
    """The results of one training step.

    Gradients and state are in the original's layout, by `NETWORK/KEY` with its keys.
    """

    losses: dict[str, float]
    gradients: Arrays
    state_after: Arrays  # parameters and statistics after the step
    # `prediction` and `transformed_frame` (b, c, h, w); none from a stage that generates none.
    pictures: Arrays


class Trainer:
    """Training from the checkpoints of a recording, in JAX's default precision.

    Under `jax.enable_x64(True)` it computes in float64, otherwise in float32. Convolutions take the
    forms of a run on one CPU.
    """

    def __init__(self, recording: Recording):
        self.recording = recording
        self.dtype = np.dtype(jax.dtypes.canonicalize_dtype(float))
        self._optimizers = make_optimizers(recording.config, STEPS_PER_EPOCH)
        recording_optimizers = {
            name: optax.chain(_keep_gradient(), optimizer)
            for name, optimizer in self._optimizers.items()
        }
        self._update = jax.jit(
            make_update(recording.config, recording_optimizers, ONE_CPU),
            compiler_options=QUICK_COMPILATION,
        )
        self._vgg = jax.tree.map(lambda array: jnp.asarray(array, self.dtype), seeded_vgg19())

    @functools.cached_property
    def initial(self) -> TrainState:
        """The state before training."""
        return self._load_state(self.recording.checkpoint_path, self.recording.checkpoint)

    @functools.cached_property
    def resumed(self) -> TrainState:
        """The state of the checkpoint that has optimisers."""
        path = self.recording.folder / "checkpoint_with_optimizers.pth.tar"
        state = self._load_state(path, self.recording.resumed_checkpoint())
        if epoch := self.recording.epoch("resumed_float64"):
            return _at_epoch(state, epoch)
        return state

    def step(self, state: TrainState, name: str) -> tuple[TrainState, Step]:
        """Train on the inputs of a recorded step.

        Args:
          state: the state before the step.
          name: the name of the step in the recording, such as `float64/step_0`.

        Returns:
          The state after the step, and the results of the step.
        """
        pairs = self.recording.pairs_of(name, self.dtype)
        perturbation = self.recording.perturbation(name, self.dtype)
        source, driving = (jnp.asarray(frames) for frames in pairs)
        inputs = StepInputs(source, driving, perturbation)
        state, scalars, outputs = self._update(state, inputs, self._vgg)
        gradients = {network: states[0] for network, states in state.optimizers.items()}
        networks = nnx.merge_state(nnx.State(state.params), nnx.State(state.statistics))
        return state, Step(
            losses={key: float(scalars[key]) for key in scalars if key not in DIAGNOSTICS},
            gradients=by_torch_key(nnx.State(gradients), self.recording.config),
            state_after=by_torch_key(networks, self.recording.config),
            pictures=_pictures(outputs),
        )

    def _load_state(self, path: pathlib.Path, checkpoint: Mapping[str, Any]) -> TrainState:
        """Make a state from a checkpoint of the original, whose errors name its path."""
        checkpoint = cast_floats(checkpoint, self.dtype)
        with naming(path):
            state = load_train_state(self.recording.config, checkpoint, self._optimizers)
        optimizers = {
            name: (_keep_gradient().init(state.params[name]), state.optimizers[name])
            for name in state.optimizers
        }
        return dataclasses.replace(state, optimizers=optimizers)


def _pictures(outputs: StepOutputs | None) -> Arrays:
    """Return the pictures of a step by their recorded names."""
    if outputs is None:
        return {}
    assert outputs.transformed is not None, "all recordings have equivariance losses"
    return {
        "prediction": to_nchw(outputs.generated.prediction),
        "transformed_frame": to_nchw(outputs.transformed),
    }


def _at_epoch(state: TrainState, epoch: int) -> TrainState:
    """Let a state be that of the beginning of an epoch."""
    step = epoch * STEPS_PER_EPOCH
    return dataclasses.replace(
        state,
        step=jnp.asarray(step, jnp.int32),
        optimizers={name: at_step(states, step) for name, states in state.optimizers.items()},
    )


def with_networks(state: TrainState, arrays: Arrays, config: Config) -> TrainState:
    """Replace the parameters and statistics of a state that are among `arrays`.

    Args:
      state: the state, whose optimisers stay as they are.
      arrays: new values in the original's layout, by `NETWORK/KEY`.
      config: the configuration of the networks.
    """

    def replace(branches: dict[str, nnx.State]) -> dict[str, nnx.State]:
        tree: nnx.State = nnx.State(branches)
        variables: dict[Any, Any] = dict(nnx.to_flat_state(tree))
        for path, network, key in variable_keys(tree, config):
            if f"{network}/{key}" in arrays:
                array = from_torch_layout(arrays[f"{network}/{key}"])
                variables[path] = variables[path].replace(jnp.asarray(array))
        return dict(nnx.from_flat_state(variables.items()))

    return dataclasses.replace(
        state, params=replace(state.params), statistics=replace(state.statistics)
    )


def by_torch_key(state: nnx.State, config: Config) -> Arrays:
    """Return the arrays of a tree in the original's layout, by `NETWORK/KEY` with its keys."""
    return {
        f"{network}/{key}": array
        for network, arrays in torch_arrays(state, config).items()
        for key, array in arrays.items()
    }


def _keep_gradient() -> optax.GradientTransformation:
    """Make a transformation that changes nothing and whose state is the last gradient."""
    return optax.GradientTransformation(
        lambda params: jax.tree.map(jnp.zeros_like, params),
        lambda gradient, state, params=None: (gradient, gradient),
    )
