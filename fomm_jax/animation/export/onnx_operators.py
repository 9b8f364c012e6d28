"""JAX's primitives, and some functions of this project, as nodes of an ONNX graph.

Each function below takes the graph, an equation and its operands, which have their whole shapes,
and returns the result. Pictures are (b, h, w, c) in JAX and (b, c, h, w) in ONNX. The
transpositions between the two cancel one another in the optimisers of runtimes.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from fomm_jax.animation.export.elimination import solve_by_elimination
from fomm_jax.animation.export.onnx_graph import Content, Graph, Tensor, element_type
from fomm_jax.errors import InputError

Equation = Any  # jax.extend.core.JaxprEqn
Operator = Callable[..., Content]

# Primitives that work number by number: ONNX repeats smaller operands by itself.
ELEMENTWISE = {
    "abs": "Abs",
    "add": "Add",
    "add_any": "Add",
    "and": "And",
    "div": "Div",
    "eq": "Equal",
    "exp": "Exp",
    "floor": "Floor",
    "ge": "GreaterOrEqual",
    "gt": "Greater",
    "le": "LessOrEqual",
    "log": "Log",
    "logistic": "Sigmoid",
    "lt": "Less",
    "max": "Max",
    "min": "Min",
    "mul": "Mul",
    "neg": "Neg",
    "or": "Or",
    "sqrt": "Sqrt",
    "sub": "Sub",
    "tanh": "Tanh",
}
UNCHANGED = ("name", "stop_gradient", "copy")

TO_ONNX, TO_JAX = (0, 3, 1, 2), (0, 2, 3, 1)


def half_for_bfloat16(dtype: Any) -> np.dtype:
    """Return float16 for bfloat16, and every other dtype unchanged."""
    return np.dtype(np.float16 if dtype == jnp.bfloat16 else dtype)


def _transpose(graph: Graph, x: Content, order: tuple[int, ...]) -> Content:
    if isinstance(x, np.ndarray):
        return x.transpose(order)
    return graph.add("Transpose", x, perm=order)


def _shape_of(equation: Equation) -> tuple[Any, ...]:
    return equation.outvars[0].aval.shape


def _convolution(graph: Graph, equation: Equation, x: Content, kernel: Content) -> Content:
    parameters = equation.params
    numbers = parameters["dimension_numbers"]
    if set(parameters["lhs_dilation"]) != {1}:
        raise InputError("ONNX: transposed convolutions are not written")
    before, after = zip(*parameters["padding"], strict=True)
    convolved = graph.add(
        "Conv",
        _transpose(graph, x, numbers.lhs_spec),
        _transpose(graph, kernel, numbers.rhs_spec),
        pads=(*before, *after),
        strides=parameters["window_strides"],
        dilations=parameters["rhs_dilation"],
        group=parameters["feature_group_count"],
    )
    return _transpose(graph, convolved, tuple(np.argsort(numbers.out_spec)))


def _dot_general(graph: Graph, equation: Equation, left: Content, right: Content) -> Content:
    (contracted, batch) = equation.params["dimension_numbers"]
    ranks = [len(variable.aval.shape) for variable in equation.invars]
    letters = iter("abcdefghijklmnopqrstuvwxyz")
    names = [[next(letters) for _ in range(rank)] for rank in ranks]
    for left_axis, right_axis in (*zip(*contracted, strict=True), *zip(*batch, strict=True)):
        names[1][right_axis] = names[0][left_axis]
    shared = [names[0][axis] for axis in batch[0]]
    free = [
        name
        for side in (0, 1)
        for axis, name in enumerate(names[side])
        if axis not in (*contracted[side], *batch[side])
    ]
    terms = ["".join(each) for each in (*names, shared + free)]
    return graph.add("Einsum", left, right, equation=f"{terms[0]},{terms[1]}->{terms[2]}")


def _reduce(operator: str, axes_are_an_input: bool) -> Operator:
    def reduce(graph: Graph, equation: Equation, x: Content) -> Content:
        axes = equation.params["axes"]
        if axes_are_an_input:
            return graph.add(operator, x, np.array(axes, np.int64), keepdims=0)
        return graph.add(operator, x, axes=axes, keepdims=0)

    return reduce


def _convert(graph: Graph, equation: Equation, x: Content) -> Content:
    return graph.add("Cast", x, to=element_type(half_for_bfloat16(equation.params["new_dtype"])))


def _concatenate(graph: Graph, equation: Equation, *parts: Content) -> Content:
    return graph.add("Concat", *parts, axis=equation.params["dimension"])


def _stack(graph: Graph, equation: Equation, *parts: Content) -> Content:
    axis = equation.params["axis"]
    axes = np.array([axis], np.int64)
    return graph.add("Concat", *(graph.add("Unsqueeze", x, axes) for x in parts), axis=axis)


def _slice(graph: Graph, equation: Equation, x: Content) -> Content:
    parameters, shape = equation.params, equation.invars[0].aval.shape
    starts, limits = parameters["start_indices"], parameters["limit_indices"]
    strides = parameters["strides"] or (1,) * len(shape)
    cut = [
        axis
        for axis, size in enumerate(shape)
        if (starts[axis], limits[axis], strides[axis]) != (0, size, 1)
    ]
    bounds = ([each[axis] for axis in cut] for each in (starts, limits))
    arrays = [np.array(each, np.int64) for each in (*bounds, cut, [strides[a] for a in cut])]
    return graph.add("Slice", x, *arrays)


def _gather(graph: Graph, equation: Equation, x: Content, starts: Content) -> Content:
    """Write an index such as [..., 0, 2:4], which JAX traces so where a size is open."""
    numbers, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    if isinstance(starts, str) or starts.ndim != 1:
        raise InputError("ONNX: indices that the model computes are not written")
    axes = np.array(numbers.start_index_map, np.int64)
    ends = starts + [sizes[axis] for axis in axes]
    cut = graph.add("Slice", x, starts.astype(np.int64), ends.astype(np.int64), axes)
    collapsed = np.array(numbers.collapsed_slice_dims, np.int64)
    return graph.add("Squeeze", cut, collapsed) if len(collapsed) else cut


def _pad(graph: Graph, equation: Equation, x: Content, value: Content) -> Content:
    before, after, between = zip(*equation.params["padding_config"], strict=True)
    if any(between):
        raise InputError("ONNX: padding between numbers is not written")
    return graph.add("Pad", x, np.array([*before, *after], np.int64), value)


def _power(graph: Graph, equation: Equation, x: Content) -> Content:
    return graph.add("Pow", x, np.array(equation.params["y"], np.float32))


def _select(
    graph: Graph, equation: Equation, which: Content, if_false: Content, if_true: Content
) -> Content:
    del equation
    return graph.add("Where", which, if_true, if_false)


def _sample_pixels(
    graph: Graph, equation: Equation, pictures: Content, x: Content, y: Content
) -> Content:
    """Write `geometry.sample_pixels`: ±1 are the outer edges of the pictures in ONNX."""
    size, points = (variable.aval.shape for variable in equation.invars[:2])
    _, height, width, _ = size
    pictures = graph.full(Tensor(pictures, size), (points[0], *size[1:]))
    last = np.array([-1], np.int64)
    pixels = graph.add("Concat", *(graph.add("Unsqueeze", each, last) for each in (x, y)), axis=-1)
    sizes = np.array([width, height], np.float32)
    grid = graph.add("Add", graph.add("Mul", pixels, 2 / sizes), 1 / sizes - 1)
    dtype = half_for_bfloat16(equation.invars[0].aval.dtype)
    channels_first = _transpose(graph, pictures, TO_ONNX)
    if dtype == np.float16:
        channels_first = graph.add("Cast", channels_first, to=element_type(np.float32))
    sampled = graph.add("GridSample", channels_first, grid, align_corners=0, mode="bilinear")
    if dtype == np.float16:
        sampled = graph.add("Cast", sampled, to=element_type(np.float16))
    return _transpose(graph, sampled, TO_JAX)


def _average_blocks(graph: Graph, equation: Equation, pictures: Content) -> Content:
    channels_first = _transpose(graph, pictures, TO_ONNX)
    pooled = graph.add("AveragePool", channels_first, kernel_shape=(2, 2), strides=(2, 2))
    return _transpose(graph, pooled, TO_JAX)


def _upsample_nearest(graph: Graph, equation: Equation, pictures: Content) -> Content:
    scales = np.array([1, 1, 2, 2], np.float32)
    doubled = graph.add(
        "Resize",
        _transpose(graph, pictures, TO_ONNX),
        "",
        scales,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )
    return _transpose(graph, doubled, TO_JAX)


def _relu(graph: Graph, equation: Equation, x: Content) -> Content:
    del equation
    return graph.add("Relu", x)


def _argmax(graph: Graph, equation: Equation, x: Content) -> Content:
    (axis,) = equation.params["axes"]
    return graph.add(
        "Cast", graph.add("ArgMax", x, axis=axis, keepdims=0), to=element_type(np.int32)
    )


PRIMITIVES: dict[str, Operator] = {
    "argmax": _argmax,
    "concatenate": _concatenate,
    "conv_general_dilated": _convolution,
    "convert_element_type": _convert,
    "dot_general": _dot_general,
    "gather": _gather,
    "integer_pow": _power,
    "pad": _pad,
    "rsqrt": lambda graph, equation, x: graph.add("Reciprocal", graph.add("Sqrt", x)),
    "square": lambda graph, equation, x: graph.add("Mul", x, x),
    "reduce_max": _reduce("ReduceMax", axes_are_an_input=False),
    "reduce_sum": _reduce("ReduceSum", axes_are_an_input=True),
    "select_n": _select,
    "slice": _slice,
    "stack": _stack,
    "transpose": lambda graph, equation, x: _transpose(graph, x, equation.params["permutation"]),
}
# Functions that JAX's trace names, and that ONNX has an operator of its own for.
FUNCTIONS: dict[str, Operator] = {
    "_average_blocks": _average_blocks,
    "relu": _relu,
    "sample_pixels": _sample_pixels,
    "upsample_nearest": _upsample_nearest,
}
# Functions that are traced again in another form.
OTHER_FORMS = {"solve": solve_by_elimination}
