"""Find weights that are NaN or infinite before anything is computed with them.

What the networks return does not show such weights: on CPU, XLA's ReLU turns NaN into 0 in some
programs. Importing this file loads no JAX.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fomm_jax.errors import InputError

MOST_NAMED = 3  # arrays that a message lists; it counts the others


def check_finite(arrays: Mapping[str, Any]) -> None:
    """Raise InputError if an array holds a value that is NaN or infinite.

    Args:
      arrays: arrays of NumPy or JAX by name. Of an array that is distributed over processes, each
        process looks at its own part.

    Raises:
      InputError: an array holds such a value; the message names the first few arrays.
    """
    names = [
        name
        for name, array in arrays.items()
        if not all(np.isfinite(part).all() for part in _parts_here(array))
    ]
    if not names:
        return
    more = len(names) - MOST_NAMED
    listed = ", ".join(names[:MOST_NAMED]) + (f" and {more} more tensors" if more > 0 else "")
    raise InputError(f"expected finite weights, but there are NaN or infinite ones in {listed}")


def check_finite_tree(tree: Any) -> None:
    """Do the same for a tree of arrays, whose names are their paths in the tree."""
    import jax  # here, since other callers have no other need of it

    leaves = jax.tree_util.tree_leaves_with_path(tree)
    # Variables of Flax are nodes with the child `value`.
    check_finite(
        {
            jax.tree_util.keystr(path, simple=True, separator=".").removesuffix(".value"): array
            for path, array in leaves
        }
    )


def _parts_here(array: Any) -> list[np.ndarray]:
    """Return the parts of an array that are on this process, each once."""
    if not hasattr(array, "addressable_shards"):  # an array of NumPy
        return [np.asarray(array)]
    return [np.asarray(part.data) for part in array.addressable_shards if part.replica_id == 0]
