"""Fashion videos at 256x256: the first-order model with adversarial loss.

    python main.py --config=configs/fashion_256.py --workdir=W --mode=train

Cost: not measured here. The batch size is the original's, chosen for 2 or 4 Titan X GPUs.
Score: the paper gives none for this data set.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """Return the configuration of the model."""
    config = base.get_config()
    config.dataset.root_dir = "data/fashion-png"
    config.dataset.augmentation.hue = 0.1
    config.train.update(num_repeats=50, epoch_milestones=(60, 90), batch_size=27)
    config.animate.crop_faces = False
    return config
