"""Describe the device, and measure its rate of matrix products, in a process of its own.

    python -m benchmarks.gpu.machine JSON

The argument is {"config": FILE}. The result is a `Machine`, as a line of JSON on stdout.
"""

import dataclasses
import json
import sys

from benchmarks.command_line import config_from_file
from fomm_jax.errors import one_line_errors

COUNTED = 8  # pairs or frames; the FLOPs of one hardly depend on their number


@dataclasses.dataclass(frozen=True)
class Machine:
    """A device, and the work that a step means on it."""

    platform: str  # "cpu" or "gpu"
    device: str  # name of the device
    jax: str  # version
    torch: str | None = None  # version; None if torch is not installed
    torch_on_gpu: bool = False  # whether torch can use a GPU
    matrix_rate: float | None = None  # FLOPs per second of bfloat16 products; None on a CPU
    flops: dict[str, float] = dataclasses.field(default_factory=dict)  # by task, of a pair or frame


def describe(config_file: str) -> Machine:
    """Describe JAX's first device."""
    import jax

    from benchmarks.lowered import lower_animation, lower_train
    from benchmarks.one_side import matrix_rate

    config = config_from_file(config_file)
    device = jax.devices()[0]
    lowered = {
        "training": lower_train(config, [device], COUNTED),
        "animation": lower_animation(config, device, COUNTED),
    }
    counted = {
        task: (program.cost_analysis() or {}).get("flops") for task, program in lowered.items()
    }
    version, on_gpu = _torch()
    return Machine(
        platform=device.platform,
        device=device.device_kind,
        jax=jax.__version__,
        torch=version,
        torch_on_gpu=on_gpu,
        matrix_rate=None if device.platform == "cpu" else matrix_rate(),
        flops={task: flops / COUNTED for task, flops in counted.items() if flops},
    )


def _torch() -> tuple[str | None, bool]:
    """Return the version of torch, and whether it can use a GPU; (None, False) without torch."""
    try:
        import torch
    except (ImportError, OSError):  # OSError: one of its libraries is missing
        return None, False
    return torch.__version__, torch.cuda.is_available()


def main() -> None:
    """Run the command that the head of this file describes."""
    with one_line_errors():
        machine = describe(json.loads(sys.argv[1])["config"])
    print(json.dumps(dataclasses.asdict(machine)))


if __name__ == "__main__":
    main()
