"""An animation as a `jax.export` artefact, which JAX runs without this package."""

import os

import jax
import jax.numpy as jnp
from jax import export

from fomm_jax.animation.compiled_model import CompiledModel
from fomm_jax.animation.export.functions import make_functions
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.files import replacing
from fomm_jax.ops.convolution import ANY_DEVICE

PLATFORMS = ("cpu", "cuda", "tpu")


def write_stablehlo(
    path: str | os.PathLike[str],
    compiled: CompiledModel,
    config: NormalizationConfig,
    shape: tuple[int, ...],
) -> None:
    """Write the whole animation, for pictures of a (height, width, channels).

    Raises:
      InputError: the file cannot be written.
    """
    animation = make_functions(compiled.portable(ANY_DEVICE), config).animation
    (count,) = export.symbolic_shape("t")
    source, driving = (jax.ShapeDtypeStruct((n, *shape), jnp.uint8) for n in (1, count))
    exported = export.export(jax.jit(animation), platforms=PLATFORMS)(source, driving, source)
    content = exported.serialize()
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)
