"""Time a step of training, from a batch in the host's memory to the new state.

    python -m benchmarks.train_step --config=configs/vox_256.py --batch=2

The step is complete: augmentation, all networks forward and backward, the perceptual network, and
the optimisers. The discriminator takes part if the configuration is adversarial.
"""

import jax
import numpy as np

from benchmarks.command_line import parse_options
from benchmarks.measure import Step, measure
from fomm_jax import console
from fomm_jax.config.schema import Config
from fomm_jax.errors import one_line_errors
from fomm_jax.training.step import sharding
from fomm_jax.training.step.program import make_program
from fomm_jax.types import Batch
from fomm_jax.weights.train_state import make_optimizers
from fomm_jax.weights.vgg import load_vgg


def random_pairs(config: Config, batch: int) -> Batch:
    """Return pairs of random frames (b, h, w, c) uint8."""
    rng = np.random.default_rng(0)
    shape = (batch, *config.dataset.frame_shape)
    return Batch(*(rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(2)))


def our_step(config: Config, pairs: Batch) -> Step:
    """Return the step that training runs."""
    mesh = sharding.make_mesh(config.train.fsdp)
    sharding.check_batch_size(len(pairs.source), mesh, config.train.accumulate)
    _, initialise, train_step = make_program(
        mesh, config, make_optimizers(config, steps_per_epoch=1000), steps_per_epoch=1000
    )
    key, vgg = jax.device_put(
        (jax.random.key(0), load_vgg(config.perceptual)), sharding.replicated(mesh)
    )
    state = initialise(config.train.seed)

    def step() -> None:
        nonlocal state
        state, losses, _ = train_step(state, sharding.to_global(pairs, mesh), key, vgg)
        jax.block_until_ready((state, losses))

    return step


def main(arguments: list[str] | None = None) -> None:
    """Run the command that the head of this file describes."""
    console.show_messages()
    with one_line_errors():
        options, config = parse_options(
            "a step of training", "pairs a step; default: the config's", arguments
        )
        batch = options.batch or config.train.batch_size
        step = our_step(config, random_pairs(config, batch))
        measure("train_step", options, batch=batch, unit="pairs", step=step)


if __name__ == "__main__":
    main()
