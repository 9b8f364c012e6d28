"""Times 3x3 convolutions by XLA and as `fomm_jax.ops.convolution` chooses, on a CPU.

    python -m benchmarks.convolutions

Two pictures of random numbers; milliseconds are the median of ten, of forward, the gradient of the
picture and that of the kernel. Prints a table in Markdown.
"""

import contextlib
import statistics
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from benchmarks.measure import timed
from fomm_jax.ops.convolution import convolve, convolve_doubled, portable

PICTURES = 2
REPEATS = 10
PADDING = ((1, 1), (1, 1))


class Shape(NamedTuple):
    """Of a convolution in the model of `configs/vox_256.py`, or in VGG19 on its pictures."""

    side: int  # pixels of the picture
    channels: int
    features: int
    doubled: bool = False  # before the convolution every pixel is repeated twice, both ways


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


def milliseconds(shape: Shape, by_xla: bool) -> list[float]:
    """Of the convolution, and of its gradients for picture and kernel."""
    random = np.random.default_rng(0)
    x = random.random((PICTURES, shape.side, shape.side, shape.channels), np.float32)
    kernel = random.random((3, 3, shape.channels, shape.features), np.float32)

    def forward(x: ArrayLike, kernel: ArrayLike) -> jax.Array:
        x, kernel = jnp.asarray(x), jnp.asarray(kernel)
        if shape.doubled:
            return convolve_doubled(x, kernel, (1, 1), PADDING)
        return convolve(x, kernel, PADDING)

    def of_picture(x: ArrayLike, kernel: ArrayLike, gradient: ArrayLike) -> jax.Array:
        return jax.vjp(lambda x: forward(x, kernel), x)[1](gradient)[0]

    def of_kernel(x: ArrayLike, kernel: ArrayLike, gradient: ArrayLike) -> jax.Array:
        return jax.vjp(lambda kernel: forward(x, kernel), kernel)[1](gradient)[0]

    found = []
    with portable() if by_xla else contextlib.nullcontext():
        gradient = jax.jit(forward)(x, kernel)
        for function, arguments in (
            (forward, (x, kernel)),
            (of_picture, (x, kernel, gradient)),
            (of_kernel, (x, kernel, gradient)),
        ):
            compiled = jax.jit(function).lower(*arguments).compile()
            placed = jax.device_put(arguments)

            def step(compiled: jax.stages.Compiled = compiled, placed: tuple = placed) -> None:
                jax.block_until_ready(compiled(*placed))

            step()
            found.append(1000 * statistics.median(timed(step) for _ in range(REPEATS)))
    return found


def main() -> None:
    """The command line; see the head of this file."""
    print("| 3x3 convolution | forward: XLA | here | picture: XLA | here | kernel: XLA | here |")
    print("|" + " --- |" * 7)
    for shape in SHAPES:
        name = f"{'doubled from ' if shape.doubled else ''}{shape.side}x{shape.side},"
        both = milliseconds(shape, by_xla=True), milliseconds(shape, by_xla=False)
        times = [f"{time:.0f}" for pair in zip(*both, strict=True) for time in pair]
        print(f"| {name} {shape.channels} to {shape.features} | {' | '.join(times)} |", flush=True)


if __name__ == "__main__":
    main()
