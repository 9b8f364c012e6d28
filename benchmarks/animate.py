"""Time animation, from driving frames in the host's memory to generated frames in it.

    python -m benchmarks.animate --config=configs/vox_256.py [--batch=16]

The source is encoded once, before the first step.
"""

import itertools

import jax
import numpy as np
from flax import nnx

from benchmarks.command_line import parse_options
from benchmarks.measure import Step, measure
from fomm_jax import console
from fomm_jax.animation.animator import Animator
from fomm_jax.config.schema import Config
from fomm_jax.errors import one_line_errors
from fomm_jax.models.build import build_model
from fomm_jax.models.motion_model import MotionModel
from fomm_jax.models.random_parameters import host_source


def random_model(config: Config) -> MotionModel:
    """Build a model with random weights."""
    definition, state = nnx.split(build_model(config, rngs=host_source(0)))
    return nnx.merge(definition, jax.device_put(state))


def random_frames(config: Config, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a source (h, w, c) and driving frames (b, h, w, c), random and uint8."""
    shape = (batch + 1, *config.dataset.frame_shape)
    frames = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return frames[0], frames[1:]


def our_step(config: Config, source: np.ndarray, driving: np.ndarray) -> Step:
    """Return a step that animates the next batch of frames of an endless video."""
    animator = Animator(random_model(config), config, batch_size=len(driving))
    animated = animator.animate(source, itertools.cycle(driving))

    def step() -> None:
        for _ in driving:
            next(animated)

    return step


def main(arguments: list[str] | None = None) -> None:
    """Run the command that the head of this file describes."""
    console.show_messages()
    with one_line_errors():
        options, config = parse_options(
            "the animation of a picture", "frames a step; default: the config's", arguments
        )
        batch = options.batch or config.animate.batch_size
        step = our_step(config, *random_frames(config, batch))
        measure("animate", options, batch=batch, unit="frames", step=step)


if __name__ == "__main__":
    main()
