"""Times animation, from driving frames in the host's memory to generated ones there.

    python -m benchmarks.animate --config=configs/vox_256.py [--batch=16] [--original=PATH]

The source is encoded once, before the first step. The original takes the same frames one by one, as
its own animation does, and encodes the source for each.
"""

import itertools

import jax
import numpy as np
from flax import nnx

from benchmarks.measure import Step, load_config, measure, parse_options
from fomm_jax.animator import Animator
from fomm_jax.command_line import one_line_errors
from fomm_jax.config import Config
from fomm_jax.networks import Networks, abstract_networks


def random_networks(config: Config) -> Networks:
    """Networks that nobody has trained."""

    def initialise() -> nnx.State:
        return nnx.state(Networks(config.model, config.compat, rngs=nnx.Rngs(0)))

    return nnx.merge(nnx.graphdef(abstract_networks(config)), jax.jit(initialise)())


def our_step(config: Config, source: np.ndarray, driving: np.ndarray) -> Step:
    """The next frames of a video without end."""
    animator = Animator(random_networks(config), config, batch_size=len(driving))
    animated = animator.animate(source, itertools.cycle(driving))

    def step() -> None:
        for _ in driving:
            next(animated)

    return step


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the head of this file."""
    options = parse_options(
        "the animation of a picture", "frames a step; default: the config's", arguments
    )
    with one_line_errors():
        config = load_config(options)
        batch = options.batch or config.animate.batch_size
        shape = (batch + 1, *config.dataset.frame_shape)
        source, *driving = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

        def original_step() -> Step:
            from benchmarks.original import Original  # imports torch

            return Original(options.original, config).animate(source, np.stack(driving))

        measure(
            "animate",
            options,
            batch=batch,
            unit="frames",
            ours=our_step(config, source, np.stack(driving)),
            original=original_step,
        )


if __name__ == "__main__":
    main()
