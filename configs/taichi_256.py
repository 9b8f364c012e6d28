"""Tai-Chi-HD at 256x256, first-order model without adversarial loss.

Paper (table of video reconstruction): L1 0.063, AKD 6.862, MKR 0.036, AED 0.179.

    python main.py --config=configs/taichi_256.py --workdir=W --mode=train

Cost: the original chose the batch size for 2 or 4 Titan X; not measured here.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """The configuration of the model."""
    config = base.get_config()
    config.dataset.update(
        root_dir="data/taichi-png", id_sampling=True, pairs_list="data/taichi256.csv"
    )
    config.dataset.augmentation.update(brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1)
    config.train.update(
        num_epochs=100,
        num_repeats=150,
        epoch_milestones=(60, 90),
        batch_size=30,
        checkpoint_freq=50,
    )
    config.train.loss_weights.generator_gan = 0
    config.animate.crop_faces = False
    return config
