"""BAIR robot pushing at 256x256: the first-order model with adversarial loss.

    python main.py --config=configs/bair_256.py --workdir=W --mode=train

Cost: not measured here. The batch size is the original's, chosen for 2 or 4 Titan X GPUs.
Score: L1 0.027 in the paper's table of video reconstruction.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """Return the configuration of the model."""
    config = base.get_config()
    config.dataset.root_dir = "data/bair"
    config.dataset.augmentation.update(brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1)
    config.model.discriminator.sn = True
    config.train.update(
        num_epochs=20, num_repeats=1, epoch_milestones=(12, 18), batch_size=36, checkpoint_freq=10
    )
    config.animate.crop_faces = False
    return config
