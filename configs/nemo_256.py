"""Smiling faces (UvA-Nemo) at 256x256: the first-order model with adversarial loss.

    python main.py --config=configs/nemo_256.py --workdir=W --mode=train

Cost: not measured here. The batch size is the original's, chosen for 2 or 4 Titan X GPUs.
Score: L1 0.016, AKD 1.119, AED 0.048 in the paper's table of video reconstruction.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """Return the configuration of the model."""
    config = base.get_config()
    config.dataset.root_dir = "data/nemo-png"
    config.model.discriminator.sn = True
    config.train.update(num_repeats=8, epoch_milestones=(60, 90), batch_size=36)
    return config
