"""An animation as one function in a file, for programs that know nothing of this package."""

import importlib.util
import logging
import os
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp
from jax import export
from jaxtyping import Array, UInt8

from fomm_jax.animation.compiled_model import (
    CompiledModel,
    EncodedSource,
    paint_frames,
    transfer_motion,
)
from fomm_jax.animation.pixels import to_bytes, to_float
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.errors import InputError
from fomm_jax.files import replacing

PLATFORMS = ("cpu", "cuda", "tpu")
ARGUMENTS = ("source", "driving", "initial")

# From ARGUMENTS, uint8 of (1, h, w, c), (t, h, w, c) and (1, h, w, c), to (t, h, w, c).
Animation = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


def make_animation(compiled: CompiledModel, config: NormalizationConfig) -> Animation:
    """Make the whole way from pictures to pictures a pure function, for any device.

    Args:
      compiled: the model.
      config: the mode in which motion is transferred.

    Raises:
      InputError: the config asks for a movement scale, which only the host can compute, or for a
        network that the model does not have.
    """
    compiled.check_transfer(config)
    if config.scales_movement:
        raise InputError(
            "normalization.adapt_movement_scale: cannot be exported, since the hulls of keypoints"
            " are found on the host; expected False"
        )

    def animate(
        source: UInt8[Array, "1 h w c"],
        driving: UInt8[Array, "t h w c"],
        initial: UInt8[Array, "1 h w c"],
    ) -> UInt8[Array, "t h w c"]:
        model = compiled.portable()
        picture = to_float(source)
        # One call for both pictures keeps the program small.
        both = model.detect(to_float(jnp.concatenate([source, initial])), train=False)
        source_motion, initial_motion = (
            jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], both) for i in (0, 1)
        )
        driving_motion = model.detect(to_float(driving), train=False)
        motion = transfer_motion(
            model, source_motion, driving_motion, initial_motion, jnp.ones(()), config
        )
        features = model.encode(picture, train=False)
        encoded = EncodedSource(picture, source_motion, model.points(source_motion), features)
        return to_bytes(paint_frames(model, encoded, motion))

    return animate


def write_stablehlo(
    path: str | os.PathLike[str], function: Animation, size: tuple[int, int]
) -> None:
    """Write a `jax.export` artefact for pictures of a (height, width).

    Raises:
      InputError: flatbuffers is not installed, or the file cannot be written.
    """
    _check_package("flatbuffers", "`pip install fomm_jax[export]`")
    exported = export.export(jax.jit(function), platforms=PLATFORMS)(*_specifications(size))
    content = exported.serialize()
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)


def write_onnx(path: str | os.PathLike[str], function: Animation, size: tuple[int, int]) -> None:
    """Write ONNX for pictures of a (height, width).

    Raises:
      InputError: jax2onnx is not installed, or the file cannot be written.
    """
    _check_package("jax2onnx", "an environment of its own (docs/animation.md)")
    import jax2onnx

    # jax2onnx replaces some of JAX's functions while it traces them, and not all replacements take
    # an unknown number of frames. In a function that is traced already it sees primitives only.
    specifications = _specifications(size)
    traced = jax.make_jaxpr(function)(*specifications)

    def primitives(*pictures: Any) -> jax.Array:
        return jax.extend.core.jaxpr_as_fun(traced)(*pictures)[0]

    # The warnings of jax2onnx and the library below it concern their own code, and do no harm.
    logging.getLogger("onnx_ir").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = jax2onnx.to_onnx(
            primitives,
            specifications,
            model_name="animation",
            input_names=ARGUMENTS,
            output_names=("frames",),
        )
    with replacing(path) as unfinished:
        unfinished.write_bytes(model.SerializeToString())


def _specifications(size: tuple[int, int]) -> list[jax.ShapeDtypeStruct]:
    (frames,) = export.symbolic_shape("t")
    counts = {"source": 1, "driving": frames, "initial": 1}
    return [jax.ShapeDtypeStruct((counts[argument], *size, 3), jnp.uint8) for argument in ARGUMENTS]


def _check_package(name: str, how: str) -> None:
    if importlib.util.find_spec(name) is None:
        raise InputError(f"export needs the package {name}, which is not installed: {how}")
