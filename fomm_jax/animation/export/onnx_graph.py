"""An ONNX graph that is written node by node."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
import onnx
from onnx import helper, numpy_helper

# 16 brought GridSample; at 20, TensorRT is known to compute it wrongly.
OPSET = 17
IR_VERSION = 8  # the file format that belongs to this set of operators
BATCH = "batch"  # the name of the dimension whose size is open

Dimension = Any  # an int, or an expression of JAX with the open size in it
Shape = tuple[Dimension, ...]
Content = str | np.ndarray  # the name of what the graph computes, or an array that is known already


@dataclasses.dataclass(frozen=True)
class Tensor:
    """An array of the traced program.

    Its shape may have a 1 where the program's array is larger: most nodes repeat it by themselves.
    """

    content: Content
    shape: Shape


class Graph:
    """An ONNX graph. One size is open: the first one of some of its inputs."""

    def __init__(self, open_size: Dimension):
        """Begin an empty graph.

        Args:
          open_size: JAX's expression for the open size.
        """
        self._open_size = open_size
        self._sizes: dict[int, str] = {}  # multiples of the open size, by their factor
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, like: jax.ShapeDtypeStruct) -> Tensor:
        """Declare an input."""
        self._inputs.append(self._declare(name, like.shape, like.dtype))
        if not isinstance(like.shape[0], int) and not self._sizes:
            self._sizes[1] = self.add("Shape", name, start=0, end=1)
        return Tensor(name, like.shape)

    def add(self, operator: str, *inputs: Content, **attributes: Any) -> str:
        """Append a node, and return the name of its output."""
        output = f"{operator}_{len(self._nodes)}"
        names = [self._name_of(each) for each in inputs]
        self._nodes.append(helper.make_node(operator, names, [output], output, **attributes))
        return output

    def _name_of(self, content: Content) -> str:
        if isinstance(content, str):
            return content
        array = np.ascontiguousarray(content)
        # A network that is called twice has its weights once.
        key = array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).digest()
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._constants[key] = numpy_helper.from_array(array, name)
        return self._constants[key].name

    def full(self, tensor: Tensor, shape: Shape) -> Content:
        """Return the content of a tensor that has the whole of a shape."""
        if tensor.shape == shape:
            return tensor.content
        content = self.reshape(tensor, (1,) * (len(shape) - len(tensor.shape)) + tensor.shape)
        wanted = [
            1 if own == size else size for own, size in zip(content.shape, shape, strict=True)
        ]
        return self.add("Expand", content.content, self._sizes_tensor(wanted))

    def reshape(self, tensor: Tensor, shape: Shape) -> Tensor:
        """Give the numbers of a tensor another shape."""
        if tensor.shape == shape:
            return tensor
        if isinstance(tensor.content, np.ndarray):
            return Tensor(tensor.content.reshape(shape), shape)
        sizes = np.array([size if isinstance(size, int) else -1 for size in shape], np.int64)
        return Tensor(self.add("Reshape", tensor.content, sizes), shape)

    def _sizes_tensor(self, shape: Sequence[Dimension]) -> Content:
        if all(isinstance(size, int) for size in shape):
            return np.array(shape, np.int64)
        parts = [
            np.array([size], np.int64) if isinstance(size, int) else self._open(size)
            for size in shape
        ]
        return self.add("Concat", *parts, axis=0)

    def _open(self, size: Dimension) -> str:
        """Return the name of a multiple of the open size."""
        factor = int(size // self._open_size)
        if factor not in self._sizes:
            self._sizes[factor] = self.add("Mul", self._sizes[1], np.array([factor], np.int64))
        return self._sizes[factor]

    def finish(self, outputs: Mapping[str, tuple[Tensor, jax.ShapeDtypeStruct]]) -> onnx.ModelProto:
        """Name the outputs, and return the model."""
        declared = []
        for name, (tensor, like) in outputs.items():
            full = self._name_of(self.full(tensor, like.shape))
            self._nodes.append(helper.make_node("Identity", [full], [name], name))
            declared.append(self._declare(name, like.shape, like.dtype))
        graph = helper.make_graph(
            self._nodes, "animation", self._inputs, declared, [*self._constants.values()]
        )
        imports = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(
            graph, producer_name="fomm_jax", opset_imports=imports, ir_version=IR_VERSION
        )
        onnx.checker.check_model(model)
        return model

    def _declare(self, name: str, shape: Shape, dtype: Any) -> onnx.ValueInfoProto:
        sizes = [size if isinstance(size, int) else BATCH for size in shape]
        return helper.make_tensor_value_info(name, element_type(dtype), sizes)


def element_type(dtype: Any) -> int:
    """Return ONNX's number of a dtype."""
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """Return the shape that tensors have together, as NumPy does, for open sizes as well."""
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return tuple(
        next((size for size in sizes if not (isinstance(size, int) and size == 1)), 1)
        for sizes in zip(*padded, strict=True)
    )
