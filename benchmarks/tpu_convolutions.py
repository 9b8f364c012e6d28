"""Counts the cycles of convolutions on TPU v5e, by XLA and by the forms for TPU, without a TPU.

    python -m benchmarks.tpu_convolutions

It needs `jax[tpu]`, like `benchmarks.compile_for_tpu`, and prints a table in Markdown: millions of
cycles by the compiler's own model, for the convolution of 8 pictures and for both of its gradients
together. Each convolution takes the compiler up to a minute.
"""

# Sets the variables that libtpu needs, before JAX is imported.
from benchmarks.compile_for_tpu import load_topology  # isort: skip

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import SingleDeviceSharding
from jax.typing import DTypeLike

from benchmarks.hlo import NO_ESTIMATE, find_costs
from fomm_jax.errors import one_line_errors
from fomm_jax.ops.convolution import ANY_DEVICE, TPU, Convolutions
from fomm_jax.training.step.sharding import shapes

PICTURES = 8


class Shape(NamedTuple):
    """A convolution in `configs/vox_256.py` with bfloat16, or in VGG19 on its pictures."""

    side: int  # height and width of the pictures in pixels
    channels: int
    features: int
    taps: int = 3  # height and width of the kernel
    dtype: DTypeLike = jnp.bfloat16
    doubled: bool = False  # every pixel is repeated twice in both directions first


SHAPES = (
    Shape(256, 64, 3, taps=7, dtype=jnp.float32),
    Shape(256, 3, 64, taps=7),
    Shape(256, 3, 64),
    Shape(256, 64, 64),
    Shape(128, 128, 64, doubled=True),
    Shape(64, 256, 128, doubled=True),
    Shape(32, 256, 64, doubled=True),
    Shape(32, 128, 32, dtype=jnp.float32, doubled=True),
    Shape(16, 512, 128, doubled=True),
)


def count_cycles(shape: Shape, convolutions: Convolutions, device: jax.Device) -> list[float]:
    """Return the cycles of a convolution, and of its two gradients together, in millions."""
    border = shape.taps // 2
    form = convolutions.doubled if shape.doubled else convolutions.plain

    def forward(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return form(x, kernel, ((border, border), (border, border)))

    def gradients(x: jax.Array, kernel: jax.Array, gradient: jax.Array) -> tuple[jax.Array, ...]:
        return jax.vjp(forward, x, kernel)[1](gradient)

    x = jax.ShapeDtypeStruct((PICTURES, shape.side, shape.side, shape.channels), shape.dtype)
    kernel = jax.ShapeDtypeStruct(
        (shape.taps, shape.taps, shape.channels, shape.features), shape.dtype
    )
    result = jax.eval_shape(forward, x, kernel)
    cycles = []
    for function, arguments in ((forward, (x, kernel)), (gradients, (x, kernel, result))):
        placed = shapes(arguments, SingleDeviceSharding(device))
        text = jax.jit(function).lower(*placed).compile().as_text() or ""
        costs = find_costs(text)
        cycles.append(sum(cost.cycles for cost in costs if cost.cycles < NO_ESTIMATE) / 1e6)
    return cycles


def main() -> None:
    """Run the command that the head of this file describes."""
    with one_line_errors():
        _, _, devices = load_topology("v5e:2x4")
    print("| convolution | forward: XLA | here | gradients: XLA | here |")
    print("|" + " --- |" * 5)
    for shape in SHAPES:
        both = (count_cycles(shape, forms, devices[0]) for forms in (ANY_DEVICE, TPU))
        cycles = [f"{count:.2f}" for pair in zip(*both, strict=True) for count in pair]
        side, taps = f"{shape.side}x{shape.side}", f"{shape.taps}x{shape.taps}"
        name = f"{taps}, {'doubled from ' if shape.doubled else ''}{side},"
        channels = f"{shape.channels} to {shape.features}, {jnp.dtype(shape.dtype).name}"
        print(f"| {name} {channels} | {' | '.join(cycles)} |", flush=True)


if __name__ == "__main__":
    main()
