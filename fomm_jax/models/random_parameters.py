"""Where the random parameters of new networks come from.

A run draws its first networks on the host: a program that draws them takes longer to compile than
to run. Networks of shapes alone are built with JAX's keys, of which `jax.eval_shape` draws nothing.
"""

from typing import TypeAlias, cast

import jax
import numpy as np
from flax import nnx
from jax.typing import DTypeLike

Source: TypeAlias = jax.Array | np.random.Generator  # what an initialiser draws from


def host_source(seed: int) -> nnx.Rngs:
    """Make a source of random parameters that draws by NumPy, one array after another."""
    return cast(nnx.Rngs, _HostSource(seed))


def abstract_source() -> nnx.Rngs:
    """Make a source for networks that are built under `nnx.eval_shape`."""
    source = nnx.Rngs(0)
    source.default = _Counter(0, tag="default")  # type: ignore[attr-defined]
    return source


def draw_uniform(
    source: Source, shape: tuple[int, ...], dtype: DTypeLike, bound: float
) -> jax.Array | np.ndarray:
    """Draw from U(-bound, bound)."""
    if not isinstance(source, np.random.Generator):
        return jax.random.uniform(source, shape, dtype, -bound, bound)
    values = source.random(shape, np.dtype(dtype).type)
    values *= 2 * bound
    values -= bound
    return values


def draw_normal(source: Source, shape: tuple[int, ...]) -> jax.Array | np.ndarray:
    """Draw from the standard normal distribution, in float32."""
    if not isinstance(source, np.random.Generator):
        return jax.random.normal(source, shape, np.float32)
    return source.standard_normal(shape, np.float32)


class _HostSource:
    """What Flax's modules need of an `nnx.Rngs`, with a generator of NumPy in place of keys."""

    def __init__(self, seed: int):
        self._generator = np.random.default_rng(seed)

    def params(self) -> np.random.Generator:
        """Return the generator, which goes on with each draw."""
        return self._generator


class _Counter(nnx.RngStream):
    """A stream of random keys that counts without looking for shardings.

    Flax's own stream looks for them at every draw, which tracers take long to refuse.
    """

    def __call__(self) -> jax.Array:
        """Return the next key, which is the one that `nnx.RngStream` would return."""
        key = jax.random.fold_in(self.key[...], self.count[...])
        self.count.set_value(self.count[...] + 1)
        return key
