"""The small model that the tests of training runs train."""

import jax
import numpy as np
import pytest
from narrow_vgg import narrow_vgg

from configs import tiny
from fomm_jax.config.parsing import from_config_dict
from input_pipeline.figures.scenes import write_dataset


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """The tiny model on drawn figures: an epoch has 2 steps, and a checkpoint follows every 2."""
    data = tmp_path_factory.mktemp("figures") / "data"
    write_dataset(data, size=32, num_videos=10, num_frames=5, seed=0)
    values = tiny.get_config()
    values.dataset.root_dir = str(data)
    values.train.update(batch_size=8, num_repeats=2, num_steps=4, epoch_milestones=(1,))
    return from_config_dict(values)


@pytest.fixture(scope="module")
def vgg():
    return jax.tree.map(np.float32, narrow_vgg())
