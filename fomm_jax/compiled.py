"""Functions that are compiled once for each shape, whoever calls them first."""

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import jax

R = TypeVar("R")


class CompiledOnce(Generic[R]):
    """A jitted function for several threads.

    Threads that meet a new shape at the same time would each compile it; here the first does, and
    the others wait for it. Calls with known shapes wait for nobody.
    """

    def __init__(self, function: Callable[..., R]):
        """Compile `function`, a pure one of arrays, when it is called."""
        self._jitted = jax.jit(function)
        self._lock = threading.Lock()
        self._known: set[Any] = set()

    def __call__(self, *arguments: Any) -> R:
        """Call the function."""
        leaves, structure = jax.tree.flatten(arguments)
        shapes = structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves)
        if shapes in self._known:
            return self._jitted(*arguments)
        with self._lock:
            result = self._jitted(*arguments)
            self._known.add(shapes)
            return result
