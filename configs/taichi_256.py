"""Tai-Chi-HD at 256x256: the first-order model without adversarial loss.

    python main.py --config=configs/taichi_256.py --workdir=W --mode=train

Cost: not measured here. The batch size is the original's, chosen for 2 or 4 Titan X GPUs.
Score: L1 0.063, AKD 6.862, MKR 0.036, AED 0.179 in the paper's table of video reconstruction.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """Return the configuration of the model."""
    config = base.get_config()
    config.dataset.update(
        root_dir="data/taichi-png", id_sampling=True, pairs_list="data/taichi256.csv"
    )
    config.dataset.augmentation.update(brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1)
    config.train.update(num_repeats=150, epoch_milestones=(60, 90), batch_size=30)
    config.train.loss_weights.generator_gan = 0.0
    config.animate.crop_faces = False
    return config
