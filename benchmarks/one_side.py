"""One side of `benchmarks.against_original`, in a process of its own.

    python -m benchmarks.one_side JSON

JSON is a `Side`; what was measured is a line of JSON on stdout, a `Figures`.
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

MATRIX_SIZE = 8192  # rows and columns; large enough that a chip is at its best


@dataclasses.dataclass(frozen=True)
class Side:
    """What a process is to measure."""

    who: str  # "ours" or "original"
    task: str  # "training" or "animation"
    bfloat16: bool  # ours: the config's compute_dtype; the original: compiled, with autocast
    config: str  # file of the configuration
    original: str  # clone of the original
    batch: int  # pairs or frames a step
    steps: int  # timed ones, after the first
    threads: int  # of the processor


@dataclasses.dataclass(frozen=True)
class Figures:
    """What it has measured."""

    seconds: list[float]  # of each step
    first_seconds: float  # of the step before them, which compiles
    peak_memory_bytes: int
    peak_memory_of: str  # "device" or "process"
    platform: str  # "cpu" or "gpu"
    device: str  # its name
    version: str  # of JAX or torch
    flops: float | None = None  # of one of our steps, on an accelerator
    matrix_rate: float | None = None  # FLOPs a second of a bfloat16 product there, at best


def measure_ours(side: Side, config: Config) -> Figures:
    """This project's figures, on JAX's first device."""
    import jax

    from benchmarks import animate, train_step
    from benchmarks.lowered import lower_animation, lower_train

    device = jax.devices()[0]
    if jax.device_count() > 1:
        raise InputError(
            f"JAX has {jax.device_count()} devices and the original uses one; expected one, as"
            " CUDA_VISIBLE_DEVICES=0 gives"
        )
    if side.task == "training":
        step = train_step.our_step(config, train_step.random_pairs(config, side.batch))
    else:
        step = animate.our_step(config, *animate.random_frames(config, side.batch))
    first, seconds = _first_and_rest(side, step)
    memory = peak_memory()
    flops = rate = None
    if device.platform != "cpu":
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
    """FLOPs a second of a square bfloat16 matrix product, the best of ten runs of ten products."""
    import jax
    import jax.numpy as jnp

    @jax.jit
    def products(left: jax.Array, right: jax.Array) -> jax.Array:
        return jax.lax.fori_loop(0, 10, lambda _, product: product @ right, left)

    # 1/size on average keeps the numbers as large as they are.
    operands = jnp.ones((size, size), jnp.bfloat16), jnp.full((size, size), 1 / size, jnp.bfloat16)
    jax.block_until_ready(products(*operands))
    best = min(timed(lambda: jax.block_until_ready(products(*operands))) for _ in range(10))
    return 10 * 2 * size**3 / best


def measure_original(side: Side, config: Config) -> Figures:
    """The original's figures, on torch's first CUDA device or else on the CPU."""
    from benchmarks import animate, train_step
    from benchmarks.original import Original, torch

    torch.set_num_threads(side.threads)
    on_gpu = torch.cuda.is_available()
    networks = Original(
        Path(side.original), config, device="cuda" if on_gpu else "cpu", compiled=side.bfloat16
    )
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
    first = first_step(side.who, step)
    step()  # the second one is slower than the later ones, too
    return first, [timed(step) for _ in range(side.steps)]


def main() -> None:
    """The command line; see the head of this file."""
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
