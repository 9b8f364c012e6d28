"""The training step and the animation, lowered for devices that may be absent."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jax.sharding import SingleDeviceSharding

from fomm_jax.animation.compiled_model import EncodedSource, paint_frames, transfer_motion
from fomm_jax.animation.pixels import to_float
from fomm_jax.config.schema import Config
from fomm_jax.models.build import abstract_model
from fomm_jax.models.motion_model import MotionModel
from fomm_jax.ops.convolution import choose_convolutions
from fomm_jax.training.step import sharding
from fomm_jax.training.step.program import lower_step, make_program
from fomm_jax.weights.train_state import make_optimizers
from fomm_jax.weights.vgg import load_vgg


def lower_train(config: Config, devices: Sequence[jax.Device], batch: int) -> jax.stages.Lowered:
    """Lower the step that training runs, with `batch` pairs on each device."""
    mesh = sharding.make_mesh(config.train.fsdp, devices)
    optimizers = make_optimizers(config, steps_per_epoch=1000)
    settings = dataclasses.replace(config.train, batch_size=batch * mesh.size)
    config = dataclasses.replace(config, train=settings)
    program = make_program(mesh, config, optimizers, steps_per_epoch=1000)
    return lower_step(program, mesh, config, load_vgg(config.perceptual))


def lower_animation(config: Config, device: jax.Device, batch: int) -> jax.stages.Lowered:
    """Lower the animation of `batch` frames; the source is encoded beforehand."""
    convolutions = choose_convolutions([device])
    definition, state = nnx.split(abstract_model(config, convolutions, with_discriminator=False))

    def encode(state: nnx.State, source: jax.Array) -> EncodedSource:
        model: MotionModel = nnx.merge(definition, state)
        motion = model.detect(source, train=False)
        features = model.encode(source, train=False)
        return EncodedSource(source, motion, model.points(motion), features)

    def animate(
        state: nnx.State, source: EncodedSource, frames: jax.Array, scale: jax.Array
    ) -> jax.Array:
        model: MotionModel = nnx.merge(definition, state)
        driving = model.detect(to_float(frames), train=False)
        mode = config.animate.normalization
        motion = transfer_motion(model, source.motion, driving, source.motion, scale, mode)
        return paint_frames(model, source, motion)

    shape = config.dataset.frame_shape
    source = jax.eval_shape(encode, state, jax.ShapeDtypeStruct((1, *shape), jnp.float32))
    frames = jax.ShapeDtypeStruct((batch, *shape), jnp.uint8)
    scale = jax.ShapeDtypeStruct((), jnp.float32)
    arguments = (state, source, frames, scale)
    return jax.jit(animate).lower(*sharding.shapes(arguments, SingleDeviceSharding(device)))
