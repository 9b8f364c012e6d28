"""Fashion videos at 256x256, first-order model with adversarial loss.

Paper: no figures for this data set.

    python main.py --config=configs/fashion_256.py --workdir=W --mode=train

Cost: the original chose the batch size for 2 or 4 Titan X; not measured here.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """The configuration of the model."""
    config = base.get_config()
    config.dataset.root_dir = "data/fashion-png"
    config.dataset.augmentation.hue = 0.1
    config.train.update(
        num_epochs=100, num_repeats=50, epoch_milestones=(60, 90), batch_size=27, checkpoint_freq=50
    )
    config.animate.crop_faces = False
    return config
