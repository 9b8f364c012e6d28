"""An animation as ONNX files: the whole of it, and its three networks apart."""

import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import export

from fomm_jax.animation.compiled_model import CompiledModel
from fomm_jax.animation.export.functions import make_functions
from fomm_jax.animation.export.onnx_trace import to_onnx
from fomm_jax.buckets import to_path
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.files import replacing
from fomm_jax.ops.convolution import Convolutions
from fomm_jax.ops.cpu_convolution import Padding, xla_convolution
from fomm_jax.ops.geometry import upsample_nearest

_named_upsample = jax.jit(upsample_nearest)  # a name by which `to_onnx` finds it


def _convolve_doubled(x: jax.Array, kernel: jax.Array, padding: Padding) -> jax.Array:
    return xla_convolution(_named_upsample(x), kernel, padding)


# A runtime chooses by itself how it computes a convolution.
PLAIN = Convolutions(xla_convolution, _convolve_doubled)


def write_onnx(
    path: str | os.PathLike[str],
    compiled: CompiledModel,
    config: NormalizationConfig,
    shape: tuple[int, ...],
    *,
    half: bool,
) -> None:
    """Write NAME.onnx, NAME-detector.onnx, NAME-encoder.onnx and NAME-painter.onnx.

    Args:
      path: NAME.onnx.
      compiled: the model.
      config: the mode in which motion is transferred.
      shape: height, width and channels of the pictures.
      half: whether convolutions compute in float16.

    Raises:
      InputError: a file cannot be written, or the model has an operation that ONNX lacks.
    """
    whole = to_path(path)
    # The parts of a model that may compute in bfloat16 are those that may in float16.
    model = compiled.portable(PLAIN, "bfloat16" if half else "float32")
    functions = make_functions(model, config)
    (count,) = export.symbolic_shape("t")
    source, driving = (jax.ShapeDtypeStruct((n, *shape), jnp.uint8) for n in (1, count))
    motion, motions = (jax.eval_shape(functions.detector, each) for each in (source, driving))
    features = jax.eval_shape(functions.encoder, source)
    parts: dict[str, tuple[Callable[..., Any], dict[str, Any], str]] = {
        "": (
            functions.animation,
            {"source": source, "driving": driving, "initial": source},
            "frames",
        ),
        "-detector": (functions.detector, {"frames": driving}, ""),
        "-encoder": (functions.encoder, {"source": driving}, "features"),
        "-painter": (
            functions.painter,
            {
                "source": source,
                "features": features,
                "source_motion": motion,
                "driving_motion": motions,
                "initial_motion": motion,
            },
            "frames",
        ),
    }
    for suffix, (function, arguments, result) in parts.items():
        content = to_onnx(function, arguments, result, count).SerializeToString()
        with replacing(whole.with_name(f"{whole.stem}{suffix}.onnx")) as unfinished:
            unfinished.write_bytes(content)
