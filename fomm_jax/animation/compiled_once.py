"""Functions for several threads, compiled once for each form of their arguments, or ahead."""

import atexit
import collections
import contextlib
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import jax
import jax.numpy as jnp

R = TypeVar("R")


class Background:
    """A thread that runs tasks one after another.

    At the end of the program, the task that is running ends, and the others are given up: a
    compiler must not meet an interpreter that is gone.
    """

    def __init__(self) -> None:
        self._tasks: collections.deque[Callable[[], object]] = collections.deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        atexit.register(self.stop)

    def add(self, task: Callable[[], object]) -> None:
        """Run a task after those that were added before. Its errors are ignored."""
        with self._lock:
            self._tasks.append(task)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Give up the tasks that have not begun, and wait for the one that has."""
        with self._lock:
            self._tasks.clear()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._tasks:
                    self._thread = None
                    return
                task = self._tasks.popleft()
            with contextlib.suppress(Exception):
                task()


class CompiledOnce(Generic[R]):
    """A jitted function.

    Threads that meet a new form of arguments at the same time would each compile it. Here the first
    one does, and the others wait for it. Calls with known forms wait for nobody.
    """

    def __init__(self, function: Callable[..., R]):
        self._jitted = jax.jit(function)
        self._lock = threading.Lock()
        self._programs: dict[Any, _Program] = {}

    def __call__(self, *arguments: Any) -> R:
        """Call the function."""
        return self._program(arguments).executable(*arguments)

    def compile(self, *arguments: Any) -> None:
        """Compile the function for arguments like these, which may be shapes with dtypes."""
        self._program(arguments).compile()

    def trace(self, *arguments: Any) -> Any:
        """Trace the function for arguments like these; return the shapes of the result."""
        return self._program(arguments).trace().out_info

    def _program(self, arguments: tuple[Any, ...]) -> "_Program":
        leaves, structure = jax.tree.flatten(arguments)
        forms = tuple((leaf.shape, leaf.dtype) for leaf in leaves)
        # The last item tells whether JAX computes in float64, which changes programs.
        key = structure, forms, jnp.result_type(float)
        with self._lock:
            if key not in self._programs:
                shapes = [jax.ShapeDtypeStruct(*form) for form in forms]
                self._programs[key] = _Program(self._jitted, jax.tree.unflatten(structure, shapes))
            return self._programs[key]


class _Program:
    """The program of a function for one form of arguments."""

    def __init__(self, jitted: Any, arguments: tuple[Any, ...]):
        self._jitted, self._arguments = jitted, arguments
        # Others may need the shapes of the result while the program is being compiled.
        self._tracing, self._compiling = threading.Lock(), threading.Lock()
        self._traced: Any = None
        self._executable: Any = None

    def trace(self) -> Any:
        with self._tracing:
            if self._traced is None:
                self._traced = self._jitted.trace(*self._arguments)
            return self._traced

    def compile(self) -> None:
        with self._compiling:
            if self._executable is None:
                self._executable = self.trace().lower().compile()

    def executable(self, *arguments: Any) -> Any:
        if self._executable is None:
            self.compile()
        return self._executable(*arguments)
