"""From a function of JAX to an ONNX model: what depends on no input is computed right here."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import onnx
from jax.extend.core import ClosedJaxpr, Literal

from fomm_jax.animation.export.onnx_graph import Graph, Tensor, broadcast
from fomm_jax.animation.export.onnx_operators import (
    ELEMENTWISE,
    FUNCTIONS,
    OTHER_FORMS,
    PRIMITIVES,
    UNCHANGED,
    half_for_bfloat16,
)
from fomm_jax.errors import InputError


def to_onnx(
    function: Callable[..., Any], arguments: Mapping[str, Any], result: str, open_size: Any
) -> onnx.ModelProto:
    """Write a function as an ONNX model.

    What the function computes in bfloat16, the model computes in float16. Inputs and outputs are
    called like the arguments and the result, followed by the names of fields if these are
    dataclasses: "driving_motion_value".

    Args:
      function: takes and returns pytrees of arrays.
      arguments: pytrees of `jax.ShapeDtypeStruct` by name, in order.
      result: the name of the result.
      open_size: the symbolic size of the first dimension of some inputs.

    Raises:
      InputError: the function uses an operation that has no counterpart here.
    """
    traced, structure = jax.make_jaxpr(function, return_shape=True)(*arguments.values())
    graph = Graph(open_size)
    inputs = [
        graph.input(name, leaf)
        for argument, tree in arguments.items()
        for name, leaf in _named_leaves(argument, tree)
    ]
    results = _write(graph, traced, inputs)
    outputs = _named_leaves(result, structure)
    return graph.finish(
        {name: (tensor, like) for (name, like), tensor in zip(outputs, results, strict=True)}
    )


def _named_leaves(name: str, tree: Any) -> list[tuple[str, jax.ShapeDtypeStruct]]:
    """Return the leaves of a pytree with their names, as the model has them."""
    named = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        parts = (name, jax.tree_util.keystr(path, simple=True, separator="_"))
        like = jax.ShapeDtypeStruct(leaf.shape, half_for_bfloat16(leaf.dtype))
        named.append(("_".join(filter(None, parts)), like))
    return named


def _write(graph: Graph, closed: ClosedJaxpr, arguments: Sequence[Tensor]) -> list[Tensor]:
    """Write the equations of a program, and return its results."""
    tensors = dict(zip(closed.jaxpr.constvars, map(_known, closed.consts), strict=True))
    tensors |= zip(closed.jaxpr.invars, arguments, strict=True)

    def read(atom: Any) -> Tensor:
        return _known(atom.val) if isinstance(atom, Literal) else tensors[atom]

    for equation in closed.jaxpr.eqns:
        results = _write_equation(graph, equation, [read(atom) for atom in equation.invars])
        tensors |= zip(equation.outvars, results, strict=True)
    return [read(atom) for atom in closed.jaxpr.outvars]


def _known(array: Any) -> Tensor:
    array = np.asarray(array)
    array = array.astype(half_for_bfloat16(array.dtype))
    return Tensor(array, array.shape)


def _write_equation(graph: Graph, equation: Any, operands: list[Tensor]) -> list[Tensor]:
    name, shape = equation.primitive.name, equation.outvars[0].aval.shape
    contents = [operand.content for operand in operands]
    if name in UNCHANGED:
        return operands
    if name == "broadcast_in_dim":
        sizes = [1] * len(shape)
        axes = equation.params["broadcast_dimensions"]
        for axis, size in zip(axes, operands[0].shape, strict=True):
            sizes[axis] = size
        return [graph.reshape(operands[0], tuple(sizes))]
    inner = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
    if inner:
        name = inner.jaxpr.debug_info.func_name
        if name in OTHER_FORMS:
            inner = jax.make_jaxpr(OTHER_FORMS[name])(*(each.aval for each in equation.invars))
        if name not in FUNCTIONS:
            return _write(graph, inner, operands)
    elif all(isinstance(content, np.ndarray) for content in contents):
        folded = _fold(equation, contents)
        if folded is not None:
            return [folded]
    if name in ELEMENTWISE:
        return [_write_elementwise(graph, ELEMENTWISE[name], operands)]
    whole = [
        graph.full(operand, variable.aval.shape)
        for operand, variable in zip(operands, equation.invars, strict=True)
    ]
    if name in ("reshape", "squeeze", "expand_dims"):
        return [graph.reshape(Tensor(whole[0], equation.invars[0].aval.shape), shape)]
    operator = (FUNCTIONS if inner else PRIMITIVES).get(name)
    if operator is None:
        raise InputError(
            f"the model computes {name!r}, for which ONNX has no operator; StableHLO, in a file"
            " that does not end in .onnx, holds every model"
        )
    return [Tensor(operator(graph, equation, *whole), shape)]


def _write_elementwise(graph: Graph, operator: str, operands: list[Tensor]) -> Tensor:
    contents = [operand.content for operand in operands]
    if operator == "Sub" and isinstance(contents[1], np.ndarray):
        # Runtimes merge a convolution only with the sums and products that follow it.
        operator, contents[1] = "Add", -contents[1]
    return Tensor(graph.add(operator, *contents), broadcast([each.shape for each in operands]))


def _fold(equation: Any, arrays: Sequence[Any]) -> Tensor | None:
    """Compute an equation of known arrays; None if the open size decides its result's shape."""
    if equation.primitive.name == "convert_element_type":
        return _known(arrays[0].astype(half_for_bfloat16(equation.params["new_dtype"])))
    if equation.primitive.name in ELEMENTWISE:
        arrays = list(np.broadcast_arrays(*arrays))
    else:
        shapes = [variable.aval.shape for variable in (*equation.invars, *equation.outvars)]
        if not all(isinstance(size, int) for shape in shapes for size in shape):
            return None
        arrays = [np.broadcast_to(each, shape) for each, shape in zip(arrays, shapes, strict=False)]
    return _known(equation.primitive.bind(*arrays, **equation.params))
