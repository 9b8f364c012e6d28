"""Time an exported animation in onnxruntime beside our own, on this machine's CPU.

    python -m benchmarks.onnxruntime --config=configs/vox_256.py [--batch=1 --steps=5]

The three take turns, so that whatever else the machine does slows all of them:

- ours: `Animator`, with the source encoded before;
- parts: NAME-detector.onnx and NAME-painter.onnx, with the source encoded before;
- whole: NAME.onnx, which encodes the source in each call.

ratio is the seconds of parts divided by ours.
"""

import json
import statistics
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnxruntime

from benchmarks.animate import our_step, random_frames, random_model
from benchmarks.command_line import parse_options
from benchmarks.measure import Step, first_step, timed
from fomm_jax import console
from fomm_jax.animation.animator import Animator
from fomm_jax.config.schema import Config, NormalizationConfig
from fomm_jax.errors import one_line_errors

# Movement scales cannot be exported.
MODE = NormalizationConfig()


def exported_steps(config: Config, source: np.ndarray, driving: np.ndarray) -> dict[str, Step]:
    """Return steps that animate a batch of frames by the parts, and by the whole graph."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "animation.onnx"
        Animator(random_model(config), config).export(path, normalization=MODE)
        whole, detector, encoder, painter = (
            onnxruntime.InferenceSession(path.with_stem(f"animation{suffix}"))
            for suffix in ("", "-detector", "-encoder", "-painter")
        )

    def detect(frames: np.ndarray, role: str) -> dict[str, np.ndarray]:
        return _named(f"{role}_motion", detector, {"frames": frames})

    known = {
        "source": source[None],
        **_named("", encoder, {"source": source[None]}),
        **detect(source[None], "source"),
        **detect(driving[:1], "initial"),
    }
    pictures = {"source": source[None], "driving": driving, "initial": driving[:1]}
    return {
        "parts": lambda: painter.run(None, known | detect(driving, "driving")),
        "whole": lambda: whole.run(None, pictures),
    }


def _named(
    prefix: str, session: onnxruntime.InferenceSession, inputs: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Run a graph, and return its outputs by their names, which begin with `prefix`."""
    names = ["_".join(filter(None, (prefix, output.name))) for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


def take_turns(steps: dict[str, Step], count: int) -> Iterable[dict[str, float]]:
    """Yield the seconds of each step, `count` times, after two that are not counted."""
    for name, step in steps.items():
        first_step(name, step)
        step()
    for _ in range(count):
        yield {name: timed(step) for name, step in steps.items()}


def main(arguments: list[str] | None = None) -> None:
    """Run the command that the head of this file describes."""
    console.show_messages()
    with one_line_errors():
        options, config = parse_options(
            "an exported animation", "frames a step; default: the config's", arguments
        )
        batch = options.batch or config.animate.batch_size
        frames = random_frames(config, batch)
        steps = {"ours": our_step(config, *frames), **exported_steps(config, *frames)}
        turns = list(take_turns(steps, options.steps))
    seconds = {name: statistics.median(turn[name] / batch for turn in turns) for name in steps}
    report = {
        "benchmark": "onnxruntime",
        "config": options.config,
        "batch": batch,
        "steps": options.steps,
        "seconds_per_frame": seconds,
        "ratio": statistics.median(turn["parts"] / turn["ours"] for turn in turns),
        "onnxruntime": onnxruntime.__version__,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
