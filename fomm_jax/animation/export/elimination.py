"""Linear equations by operations that ONNX has: it knows no solver."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def solve_by_elimination(
    matrix: Float[Array, "*b n n"], right: Float[Array, "*b n m"]
) -> Float[Array, "*b n m"]:
    """Solve as `jnp.linalg.solve` does, by Gauss and Jordan's elimination with row pivots.

    Rows stay where they are. A mask says which row eliminates a column, and which did before.
    """
    size = matrix.shape[-1]
    rows = jnp.concatenate([matrix, right], axis=-1)
    free = jnp.ones_like(matrix[..., :1])
    pivots = []
    for column in range(size):
        entries = rows[..., column : column + 1]
        largest = jnp.argmax((jnp.abs(entries) * free)[..., 0], axis=-1)
        pivot = jax.nn.one_hot(largest, size, dtype=matrix.dtype)[..., None]
        pivot_row = jnp.sum(pivot * rows, axis=-2, keepdims=True)
        pivot_row = pivot_row / pivot_row[..., column : column + 1]
        rows = rows - (entries - pivot) * pivot_row
        free = free - pivot
        pivots.append(pivot)
    return jnp.stack([jnp.sum(pivot * rows[..., size:], axis=-2) for pivot in pivots], axis=-2)
