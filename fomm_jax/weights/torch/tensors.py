"""Tensors of checkpoints as arrays of a model."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fomm_jax.errors import InputError
from fomm_jax.weights.torch.names import from_torch_layout


def to_array(tensor: np.ndarray, dtype: Any) -> np.ndarray:
    """Return a tensor in our layout and in a type for the model.

    Single precision stays, and so does double precision where x64 is on; elsewhere it becomes
    single. A value that is too large for the type becomes infinite. Half precision gets the model's
    type, and so do counters.

    Args:
      tensor: the tensor.
      dtype: the type that a new model has in its place.

    Raises:
      InputError: the tensor has other numbers than the model.
    """
    is_float = jnp.issubdtype(tensor.dtype, jnp.floating)
    is_counter = jnp.issubdtype(dtype, jnp.integer)
    if not (is_float or (is_counter and tensor.dtype.kind in "iu")):
        raise InputError(f"has the type {tensor.dtype}; expected floating-point numbers")
    if not is_counter and tensor.dtype.itemsize > 2:
        dtype = jax.dtypes.canonicalize_dtype(tensor.dtype)
    with np.errstate(over="ignore"):
        # JAX brings the axes into their order, which NumPy takes longer for.
        return from_torch_layout(tensor).astype(dtype, copy=False)
