"""Check the shapes in annotations at run time: conftest.py hooks this into imports."""

import functools
import pathlib
import sys
from typing import Any, get_args

import beartype
import jax
import jaxtyping

# Tests that import these packages call functions whose annotated shapes are checked.
CHECKED_PACKAGES = (
    "fomm_jax.ops",
    "fomm_jax.models",
    "fomm_jax.training",
    "fomm_jax.animation",
)
JAX_FOLDER = str(pathlib.Path(jax.__file__).parent)
JAXTYPING_FOLDER = str(pathlib.Path(jaxtyping.__file__).parent)


def has_shape(annotation):
    """Return whether jaxtyping's types occur in an annotation."""
    return type(annotation).__module__.startswith("jaxtyping") or any(
        has_shape(argument) for argument in get_args(annotation)
    )


def built_by_jax():
    """Return whether the function that is being checked was called by JAX itself."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith((__file__, JAXTYPING_FOLDER)):
        frame = frame.f_back
    return frame.f_code.co_filename.startswith(JAX_FOLDER)


def check_shapes(function):
    """Return the function with checks of those annotations that state shapes.

    mypy checks the other annotations. jaxtyping passes each function here twice, without its body:
    with its parameters alone, and with its result as well.
    """
    if isinstance(function, type):
        return function
    annotations = function.__annotations__
    if not any(has_shape(annotation) for annotation in annotations.values()):
        return function
    function.__annotations__ = {
        name: annotation if has_shape(annotation) else Any
        for name, annotation in annotations.items()
    }
    checked = beartype.beartype(function)
    if function.__name__ != "__init__":
        return checked

    @functools.wraps(checked)
    def checked_unless_built_by_jax(*args, **kwargs):
        # JAX rebuilds dataclasses with anything for leaves: abstract values, shardings, axes.
        return None if built_by_jax() else checked(*args, **kwargs)

    return checked_unless_built_by_jax
