"""The tests run with the shapes in annotations checked (`shape_checks.py`)."""

import dataclasses
import importlib
import pkgutil
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import TypeCheckError, install_import_hook
from shape_checks import CHECKED_PACKAGES

ANNOTATED = """
import dataclasses

import jax
from jaxtyping import Array, Float

def centre(points: Float[Array, "n 2"]) -> Float[Array, "2"]:
    return points.mean(0)

def transpose(matrix: Float[Array, "h w"]) -> Float[Array, "w h"]:
    return matrix

def scale(points: Float[Array, "n 2"] | None, factor: float):
    return points if points is None else points * factor

@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Points:
    value: Float[Array, "n 2"]
    weight: Float[Array, "n"]
"""


@pytest.fixture(scope="module")
def annotated(tmp_path_factory):
    """A module with annotations, imported as the checked packages are."""
    folder = tmp_path_factory.mktemp("annotated")
    (folder / "annotated_module.py").write_text(ANNOTATED)
    sys.path.insert(0, str(folder))
    try:
        with install_import_hook("annotated_module", "shape_checks.check_shapes"):
            yield importlib.import_module("annotated_module")
    finally:
        sys.path.remove(str(folder))
        del sys.modules["annotated_module"]


def test_shapes_that_fit_pass(annotated):
    assert annotated.centre(jnp.ones((5, 2))).shape == (2,)
    assert annotated.transpose(jnp.ones((3, 3))).shape == (3, 3)
    assert annotated.scale(None, 2) is None
    assert annotated.scale(jnp.ones((5, 2)), 2).shape == (5, 2)


@pytest.mark.parametrize(
    "points", [np.float32([[1, 2, 3]]), "points", None], ids=["shape", "text", "none"]
)
def test_an_argument_of_another_shape_raises(annotated, points):
    with pytest.raises(TypeCheckError, match="points"):
        annotated.centre(points if points is None or isinstance(points, str) else jnp.array(points))


def test_an_argument_of_another_dtype_raises(annotated):
    with pytest.raises(TypeCheckError, match="points"):
        annotated.centre(jnp.ones((5, 2), jnp.int32))


def test_a_result_whose_dimensions_do_not_match_the_arguments_raises(annotated):
    with pytest.raises(TypeCheckError, match="return value"):
        annotated.transpose(jnp.ones((3, 4)))


def test_shapes_are_checked_while_jit_traces(annotated):
    with pytest.raises(TypeCheckError, match="points"):
        jax.jit(annotated.centre)(jnp.ones((5, 3)))


def test_fields_of_a_dataclass_are_checked_unless_jax_rebuilds_it(annotated):
    points = annotated.Points(jnp.ones((5, 2)), jnp.ones(5))
    assert jax.tree.map(jnp.shape, points).value == (5, 2)
    assert jax.eval_shape(lambda x: x, points).weight.shape == (5,)
    with pytest.raises(TypeCheckError, match="weight"):
        annotated.Points(jnp.ones((5, 2)), jnp.ones(4))
    with pytest.raises(TypeCheckError, match="weight"):
        dataclasses.replace(points, weight=jnp.ones(4))


@pytest.mark.parametrize("package", CHECKED_PACKAGES)
def test_the_packages_are_imported_with_checks(package):
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        loader = importlib.import_module(module.name).__loader__
        assert type(loader).__module__.startswith("jaxtyping"), module.name
