"""The training step and the animation, lowered for devices that need not be there."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import Sharding, SingleDeviceSharding

from fomm_jax.config.schema import Config
from fomm_jax.models.networks import Networks, abstract_networks
from fomm_jax.ops.convolution import portable
from fomm_jax.parity.recorded import animate_frames, encode_source
from fomm_jax.training import sharding
from fomm_jax.training.loop import compiled_for
from fomm_jax.types import Batch, Keypoints
from fomm_jax.weights.train_state import make_optimizers
from fomm_jax.weights.vgg import load_vgg


def abstract(tree: Any, placed: Sharding) -> Any:
    """Shapes in place of a tree's arrays, all placed in one way."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=placed), tree
    )


def lower_train(config: Config, devices: Sequence[jax.Device], batch: int) -> jax.stages.Lowered:
    """The step that `train` runs, with `batch` pairs a device."""
    mesh = sharding.make_mesh(config.train.fsdp, devices)
    initialise, train_step = compiled_for(
        mesh, config, make_optimizers(config.train, steps_per_epoch=1000)
    )
    replicated = sharding.replicated(mesh)
    key = abstract(jax.eval_shape(lambda: jax.random.key(0)), replicated)
    frames: Any = jax.ShapeDtypeStruct(
        (batch * mesh.size, *config.dataset.frame_shape),
        jnp.uint8,
        sharding=sharding.split_by_batch(mesh),
    )
    with portable():
        return train_step.lower(
            jax.eval_shape(initialise, key),
            Batch(frames, frames),
            key,
            abstract(load_vgg(config.perceptual), replicated),
        )


def lower_animation(config: Config, device: jax.Device, batch: int) -> jax.stages.Lowered:
    """What `animate` runs for `batch` frames, with the source encoded beforehand."""
    definition, state = nnx.split(abstract_networks(config))

    def encode(state: nnx.State, source: jax.Array) -> Any:
        return encode_source(nnx.merge(definition, state), source)

    def animate(
        state: nnx.State, source: Any, frames: jax.Array, initial: Keypoints, scale: jax.Array
    ) -> jax.Array:
        networks: Networks = nnx.merge(definition, state)
        driving = frames.astype(jnp.float32) / 255
        motion = config.animate.normalization
        return animate_frames(networks, source, driving, initial, scale, motion).prediction

    shape = config.dataset.frame_shape
    source = jax.eval_shape(encode, state, jax.ShapeDtypeStruct((1, *shape), jnp.float32))
    frames = jax.ShapeDtypeStruct((batch, *shape), jnp.uint8)
    scale = jax.ShapeDtypeStruct((), jnp.float32)
    arguments = (state, source, frames, source.keypoints, scale)
    with portable():
        return jax.jit(animate).lower(*abstract(arguments, SingleDeviceSharding(device)))
