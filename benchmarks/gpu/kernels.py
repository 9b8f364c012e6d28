"""Find the costliest kernels of a training step, in a process of its own.

    python -m benchmarks.gpu.kernels JSON

The argument is {"config": FILE, "batch": PAIRS, "folder": DIR}. The folder gets the trace and what
`--mode=profile` writes. The step computes in bfloat16. The result is a line of JSON on stdout:
seconds a step by part of the model and by kernel.
"""

import collections
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks.command_line import config_from_file
from fomm_jax.errors import InputError, one_line_errors

COSTLIEST = 20  # kernels and operations in the report


def find_kernels(config_file: str, batch: int, folder: Path) -> dict[str, Any]:
    """Trace a training step.

    Returns:
      "parts", {part of the model: seconds}; "operations", rows of the costliest instructions;
      "kernels", {name: seconds} of what ran on the GPU, the costliest first, empty on a CPU; and
      "reason", why there are no parts and operations, or "".

    Raises:
      InputError: the step cannot be traced.
    """
    import jax

    from fomm_jax.training.profiling import NUM_STEPS, profile_step

    config = config_from_file(config_file)
    config = dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, compute_dtype="bfloat16"),
        train=dataclasses.replace(config.train, batch_size=batch),
    )
    result: dict[str, Any] = {"parts": {}, "operations": [], "reason": ""}
    try:
        profile = profile_step(config, folder)
    except InputError as error:
        # Without the names of operations, the trace may still have the kernels.
        if not any(folder.rglob("*.xplane.pb")):
            raise
        result["reason"] = str(error)
    else:
        result["parts"] = dict(profile.parts)
        result["operations"] = [
            {
                "scope": operation.instruction.scope,
                "kind": operation.instruction.kind,
                "result": operation.instruction.shape,
                "source": operation.instruction.source,
                "seconds": operation.seconds,
            }
            for operation in profile.operations[:COSTLIEST]
        ]
    trace = max(folder.rglob("*.xplane.pb"), key=lambda path: path.stat().st_mtime)
    data = jax.profiler.ProfileData.from_file(str(trace))
    result["kernels"] = {name: total / NUM_STEPS for name, total in sum_kernels(data).items()}
    return result


def sum_kernels(trace: Any) -> dict[str, float]:
    """Return the seconds of the costliest kernels of a GPU by name.

    Args:
      trace: a `jax.profiler.ProfileData`.
    """
    seconds: dict[str, float] = collections.defaultdict(float)
    for plane in trace.planes:
        for line in plane.lines:
            # Other lines of a GPU sum up what its streams show.
            if plane.name.startswith("/device:GPU") and line.name.startswith("Stream"):
                for event in line.events:
                    seconds[event.name] += event.duration_ns * 1e-9
    return dict(sorted(seconds.items(), key=lambda item: -item[1])[:COSTLIEST])


def main() -> None:
    """Run the command that the head of this file describes."""
    argument = json.loads(sys.argv[1])
    # Kernels that a CUDA graph starts would lack the names of their operations.
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_enable_command_buffer="
    with one_line_errors():
        result = find_kernels(argument["config"], argument["batch"], Path(argument["folder"]))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
