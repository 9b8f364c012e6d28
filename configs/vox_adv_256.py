"""VoxCeleb at 256x256, adversarial: the discriminator sees the keypoints.

    python main.py --config=configs/vox_adv_256.py --workdir=W --mode=train

Cost: not measured here. The batch size is the original's, chosen for 2 or 4 Titan X GPUs.
Score: the paper gives none for this variant.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """Return the configuration of the model."""
    config = base.get_config()
    config.dataset.update(root_dir="data/vox-png", id_sampling=True, pairs_list="data/vox256.csv")
    config.dataset.augmentation.update(brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1)
    config.model.discriminator.use_kp = True
    config.train.update(num_epochs=150, batch_size=36)
    return config
