"""Times 3×3 convolutions by XLA and by the forms for one CPU.

    python -m benchmarks.convolutions

It prints a table in Markdown: milliseconds, the median of ten, for the convolution of two pictures
of random numbers, for its gradient with respect to the pictures, and for that of the kernel.
"""

import statistics
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from benchmarks.measure import timed
from fomm_jax.ops.convolution import ANY_DEVICE, ONE_CPU, Convolutions

PICTURES = 2
REPEATS = 10
PARTS = ("forward", "picture", "kernel")  # the convolution and its two gradients
PADDING = ((1, 1), (1, 1))


class Shape(NamedTuple):
    """The shape of a convolution in `configs/vox_256.py`, or in VGG19 on its pictures."""

    side: int  # height and width of the pictures in pixels
    channels: int
    features: int
    doubled: bool = False  # every pixel is repeated twice in both directions first


SHAPES = (
    Shape(256, 64, 64),
    Shape(128, 128, 128),
    Shape(64, 128, 256),
    Shape(64, 256, 256),
    Shape(32, 512, 512),
    Shape(16, 512, 512),
    Shape(8, 1024, 1024),
    Shape(128, 128, 64, doubled=True),
    Shape(64, 256, 128, doubled=True),
    Shape(8, 1024, 256, doubled=True),
)


def milliseconds(shape: Shape, convolutions: Convolutions) -> list[float]:
    """Time a convolution, and its gradients for picture and kernel."""
    random = np.random.default_rng(0)
    x = random.random((PICTURES, shape.side, shape.side, shape.channels), np.float32)
    kernel = random.random((3, 3, shape.channels, shape.features), np.float32)
    convolve = convolutions.doubled if shape.doubled else convolutions.plain

    def forward(x: ArrayLike, kernel: ArrayLike) -> jax.Array:
        return convolve(jnp.asarray(x), jnp.asarray(kernel), PADDING)

    def picture_gradient(x: ArrayLike, kernel: ArrayLike, gradient: ArrayLike) -> jax.Array:
        return jax.vjp(lambda x: forward(x, kernel), x)[1](gradient)[0]

    def kernel_gradient(x: ArrayLike, kernel: ArrayLike, gradient: ArrayLike) -> jax.Array:
        return jax.vjp(lambda kernel: forward(x, kernel), kernel)[1](gradient)[0]

    times = []
    gradient = jax.jit(forward)(x, kernel)
    for function, arguments in (
        (forward, (x, kernel)),
        (picture_gradient, (x, kernel, gradient)),
        (kernel_gradient, (x, kernel, gradient)),
    ):
        compiled = jax.jit(function).lower(*arguments).compile()
        placed = jax.device_put(arguments)

        def step(compiled: jax.stages.Compiled = compiled, placed: tuple = placed) -> None:
            jax.block_until_ready(compiled(*placed))

        step()
        times.append(1000 * statistics.median(timed(step) for _ in range(REPEATS)))
    return times


def main() -> None:
    """Run the command that the head of this file describes."""
    columns = [f"{part}: {form}" for part in PARTS for form in ("XLA", "CPU")]
    print(f"| 3x3 convolution | {' | '.join(columns)} |")
    print("|" + " --- |" * 7)
    for shape in SHAPES:
        name = f"{'doubled from ' if shape.doubled else ''}{shape.side}x{shape.side},"
        both = milliseconds(shape, ANY_DEVICE), milliseconds(shape, ONE_CPU)
        times = [f"{time:.0f}" for pair in zip(*both, strict=True) for time in pair]
        print(f"| {name} {shape.channels} to {shape.features} | {' | '.join(times)} |", flush=True)


if __name__ == "__main__":
    main()
