"""The small and shallow model that the tests of training runs train."""

import dataclasses

import jax
import numpy as np
import pytest
from narrow_vgg import narrow_vgg

from configs import tiny
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.config.schema import TrainConfig
from fomm_jax.training import loop
from input_pipeline.figures.scenes import write_dataset


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """The tiny model on drawn figures: an epoch has 2 steps, and a checkpoint follows every 2."""
    data = tmp_path_factory.mktemp("figures") / "data"
    write_dataset(data, size=32, num_videos=10, num_frames=5, seed=0)
    values = tiny.get_config()
    values.dataset.root_dir = str(data)
    # The step compiles in half the time, with every kind of part still in it.
    values.model.kp_detector.num_blocks = 1
    values.model.generator.update(num_down_blocks=1)
    values.model.generator.dense_motion.num_blocks = 1
    values.model.discriminator.num_blocks = 1
    values.train.update(batch_size=8, num_repeats=2, num_steps=4, epoch_milestones=(1,))
    return from_config_dict(values)


# Fields of `config.train` that the loop reads, and that its compiled step does not depend on.
FIELDS_OF_THE_LOOP = ("num_steps", "init_from", "visualize_every", "on_divergence", "max_skips")


@pytest.fixture(scope="module", autouse=True)
def shared_programs():
    """Let the runs of a file share compiled programs: to trace a step takes longer than a run."""
    make_program, programs = loop.make_program, {}

    def shared(mesh, config, optimizers, steps_per_epoch):
        defaults = {name: getattr(TrainConfig(), name) for name in FIELDS_OF_THE_LOOP}
        key = dataclasses.replace(config, train=dataclasses.replace(config.train, **defaults))
        if key not in programs:
            programs[key] = make_program(mesh, config, optimizers, steps_per_epoch)
        return programs[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "make_program", shared)
        yield


@pytest.fixture(scope="module")
def vgg():
    return jax.tree.map(np.float32, narrow_vgg())
