"""The small and shallow model that the tests of training runs train."""

import dataclasses

import jax
import numpy as np
import pytest
from narrow_vgg import narrow_vgg
from three_number_run import Run

from configs import tiny, tpsmm_tiny
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.config.schema import TrainConfig
from fomm_jax.training import loop
from input_pipeline.figures.scenes import write_dataset


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """A dataset of drawn figures."""
    data = tmp_path_factory.mktemp("figures") / "data"
    write_dataset(data, size=32, num_videos=10, num_frames=5, seed=0)
    return str(data)


@pytest.fixture
def start(figures):
    """Start a run of three numbers in a process; what still runs when the test ends is killed."""
    runs = []

    def begin(workdir, environment, num_steps):
        runs.append(Run(figures, workdir, environment, num_steps))
        return runs[-1]

    yield begin
    for run in runs:
        run.kill()


@pytest.fixture(scope="module")
def config(figures):
    """The tiny model on drawn figures: an epoch has 2 steps, and a checkpoint follows every 2."""
    values = tiny.get_config()
    values.dataset.root_dir = figures
    # The step compiles in half the time, with every kind of part still in it.
    values.model.kp_detector.num_blocks = 1
    values.model.generator.update(num_down_blocks=1)
    values.model.generator.dense_motion.num_blocks = 1
    values.model.discriminator.num_blocks = 1
    values.train.update(batch_size=8, num_repeats=2, num_steps=4, epoch_milestones=(1,))
    return from_config_dict(values)


@pytest.fixture(scope="module")
def thin_plate_config(figures):
    """The tiny thin-plate spline model, trained likewise and with averages of its weights.

    The devices share the ResNets, of which eight copies would take gigabytes.
    """
    values = tpsmm_tiny.get_config()
    values.dataset.root_dir = figures
    values.train.update(batch_size=8, fsdp=8, num_repeats=2, epoch_milestones=(1,), ema_decay=0.9)
    values.train.thin_plate.bg_start = 1
    values.train_avd.update(batch_size=8, num_epochs=2, num_repeats=2)
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
