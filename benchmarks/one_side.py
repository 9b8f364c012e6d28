"""Measure this project or the original, in a process of its own.

    python -m benchmarks.one_side JSON

The argument is a `Side` as JSON. The result is a `Figures`, as a line of JSON on stdout.
"""

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.command_line import config_from_file
from benchmarks.measure import Step, first_step, peak_memory, timed
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, one_line_errors

MATRIX_SIZE = 8192  # rows and columns; large enough for a chip to reach its highest rate


@dataclasses.dataclass(frozen=True)
class Side:
    """The measurement that a process has to make."""

    who: str  # "ours" or "original"
    task: str  # "training" or "animation"
    bfloat16: bool  # True: ours with compute_dtype bfloat16, the original compiled with autocast
    config: str  # file of the configuration
    original: str  # clone of the original
    batch: int  # pairs or frames in a step
    steps: int  # number of timed steps
    threads: int  # number of processor threads
    # Whether products of float32 may round to TF32 on a GPU; None leaves the library's choice.
    tf32: bool | None = None
    # Whether to count our FLOPs and to measure the rate of matrix products, on an accelerator.
    count_flops: bool = True


@dataclasses.dataclass(frozen=True)
class Figures:
    """The result of a measurement."""

    seconds: list[float]  # time of each timed step
    first_seconds: float  # time of the very first step, which compiles
    peak_memory_bytes: int
    peak_memory_of: str  # "device" or "process"
    platform: str  # "cpu" or "gpu"
    device: str  # name of the device
    version: str  # JAX or torch, and its version
    flops: float | None = None  # FLOPs of one of our steps, measured only on an accelerator
    matrix_rate: float | None = None  # FLOPs per second of bfloat16 products on that accelerator


def measure_ours(side: Side, config: Config) -> Figures:
    """Measure this project on JAX's first device.

    Args:
      side: the measurement to make.
      config: the configuration, with the precision to measure.

    Raises:
      InputError: JAX has several devices.
    """
    import jax

    from benchmarks import animate, train_step
    from benchmarks.lowered import lower_animation, lower_train

    device = jax.devices()[0]
    if jax.device_count() > 1:
        raise InputError(
            f"JAX has {jax.device_count()} devices and the original uses one; expected one device,"
            " as with CUDA_VISIBLE_DEVICES=0"
        )
    if side.tf32 is not None:
        precision = "tensorfloat32" if side.tf32 else "float32"
        jax.config.update("jax_default_matmul_precision", precision)
    if side.task == "training":
        step = train_step.our_step(config, train_step.random_pairs(config, side.batch))
    else:
        step = animate.our_step(config, *animate.random_frames(config, side.batch))
    first, seconds = _first_and_rest(side, step)
    memory = peak_memory()
    flops = rate = None
    if device.platform != "cpu" and side.count_flops:
        if side.task == "training":
            lowered = lower_train(config, [device], side.batch)
        else:
            lowered = lower_animation(config, device, side.batch)
        flops = (lowered.cost_analysis() or {}).get("flops")
        rate = matrix_rate()
    return Figures(
        seconds=seconds,
        first_seconds=first,
        **memory,
        platform=device.platform,
        device=device.device_kind,
        version=f"JAX {jax.__version__}",
        flops=flops,
        matrix_rate=rate,
    )


def matrix_rate(size: int = MATRIX_SIZE) -> float:
    """Return the FLOPs per second of square bfloat16 matrix products: the best of ten runs."""
    import jax
    import jax.numpy as jnp

    @jax.jit
    def products(left: jax.Array, right: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(0, 10, lambda _, product: product @ right, left)

    # Elements of 1/size leave a product as large as its other factor.
    operands = jnp.ones((size, size), jnp.bfloat16), jnp.full((size, size), 1 / size, jnp.bfloat16)
    jax.block_until_ready(products(*operands))
    best = min(timed(lambda: jax.block_until_ready(products(*operands))) for _ in range(10))
    return 10 * 2 * size**3 / best


def measure_original(side: Side, config: Config) -> Figures:
    """Measure the original on torch's first CUDA device, or on the CPU if there is none."""
    from benchmarks import animate, train_step
    from benchmarks.original import Original, torch
    from benchmarks.thin_plate_original import ThinPlateOriginal
    from fomm_jax.parity.clones import recognise_clone

    clone = Path(side.original)
    originals: dict[str, type[Original] | type[ThinPlateOriginal]] = {
        "first-order": Original,
        "thin-plate": ThinPlateOriginal,
    }
    original = originals[recognise_clone(clone)]
    torch.set_num_threads(side.threads)
    on_gpu = torch.cuda.is_available()
    if side.tf32 is not None:
        torch.backends.cuda.matmul.allow_tf32 = side.tf32
        torch.backends.cudnn.allow_tf32 = side.tf32
    networks = original(clone, config, device="cuda" if on_gpu else "cpu", compiled=side.bfloat16)
    if side.task == "training":
        step = networks.train_step(train_step.random_pairs(config, side.batch))
    else:
        step = networks.animate(*animate.random_frames(config, side.batch))
    first, seconds = _first_and_rest(side, step)
    if on_gpu:
        memory: dict[str, Any] = {
            "peak_memory_bytes": torch.cuda.max_memory_allocated(),
            "peak_memory_of": "device",
        }
    else:
        memory = peak_memory(of_process=True)
    return Figures(
        seconds=seconds,
        first_seconds=first,
        **memory,
        platform="gpu" if on_gpu else "cpu",
        device=torch.cuda.get_device_name() if on_gpu else "cpu",
        version=f"torch {torch.__version__}",
    )


def _first_and_rest(side: Side, step: Step) -> tuple[float, list[float]]:
    """Return the seconds of the first step, and those of the timed steps."""
    first = first_step(side.who, step)
    step()  # the second step is slower than the later ones as well
    return first, [timed(step) for _ in range(side.steps)]


def main() -> None:
    """Run the command that the head of this file describes."""
    side = Side(**json.loads(sys.argv[1]))
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: side.threads])
    with one_line_errors():
        config = config_from_file(side.config)
        if side.who == "original":
            figures = measure_original(side, config)
        else:
            precision = "bfloat16" if side.bfloat16 else "float32"
            model = dataclasses.replace(config.model, compute_dtype=precision)
            figures = measure_ours(side, dataclasses.replace(config, model=model))
    print(json.dumps(dataclasses.asdict(figures)))


if __name__ == "__main__":
    main()
