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

from fomm_jax.animation.compiled_model import CompiledModel, to_bytes, to_float
from fomm_jax.animation.motion_transfer import EncodedSource, generate, normalize_keypoints
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.errors import InputError
from fomm_jax.files import replacing
from fomm_jax.ops.convolution import portable
from fomm_jax.types import Keypoints

PLATFORMS = ("cpu", "cuda", "tpu")
ARGUMENTS = ("source", "driving", "initial")

# From ARGUMENTS, uint8 of (1, h, w, c), (t, h, w, c) and (1, h, w, c), to (t, h, w, c).
Animation = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


def animation(model: CompiledModel, config: NormalizationConfig) -> Animation:
    """The whole way from pictures to pictures, as a pure function.

    Raises:
      InputError: the config asks for a movement scale, which the host computes.
    """
    if config.adapt_movement_scale:
        raise InputError(
            "normalization.adapt_movement_scale: cannot be exported, since the hulls of keypoints"
            " are found on the host; expected False"
        )

    def animate(source: jax.Array, driving: jax.Array, initial: jax.Array) -> jax.Array:
        detector, generator = model.networks()
        picture = to_float(source)
        still = detector(to_float(jnp.concatenate([source, initial])), train=False)
        start, begin = (jax.tree.map(lambda leaf, i=i: leaf[i : i + 1], still) for i in (0, 1))
        moved: Keypoints = detector(to_float(driving), train=False)
        carried = normalize_keypoints(start, moved, begin, jnp.ones(()), config)
        encoded = EncodedSource(picture, start, generator.encode(picture, train=False))
        return to_bytes(generate(generator, encoded, carried))

    return animate


def write_stablehlo(
    path: str | os.PathLike[str], function: Animation, size: tuple[int, int]
) -> None:
    """Write a `jax.export` artefact for pictures of a (height, width).

    Raises:
      InputError: flatbuffers is not installed, or nothing can be written there.
    """
    _expect_package("flatbuffers", "`pip install fomm_jax[export]`")
    with portable():
        exported = export.export(jax.jit(function), platforms=PLATFORMS)(*_specifications(size))
    content = exported.serialize()
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)


def write_onnx(path: str | os.PathLike[str], function: Animation, size: tuple[int, int]) -> None:
    """Write ONNX for pictures of a (height, width).

    Raises:
      InputError: jax2onnx is not installed, or nothing can be written there.
    """
    _expect_package("jax2onnx", "an environment of its own (docs/animation.md)")
    import jax2onnx

    # jax2onnx has its own idea of some of JAX's functions while it traces them, and not all of it
    # takes unknown numbers of frames; of a function that is traced already it sees primitives.
    specifications = _specifications(size)
    with portable():
        traced = jax.make_jaxpr(function)(*specifications)

    def primitives(*pictures: Any) -> jax.Array:
        return jax.extend.core.jaxpr_as_fun(traced)(*pictures)[0]

    # What it and the library below it warn of is their own business, and does no harm.
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


def _expect_package(name: str, how: str) -> None:
    if importlib.util.find_spec(name) is None:
        raise InputError(f"export needs the package {name}, which is not installed: {how}")
