"""UvA-Nemo smiles at 256x256, first-order model with adversarial loss.

Paper (table of video reconstruction): L1 0.016, AKD 1.119, AED 0.048.

    python main.py --config=configs/nemo_256.py --workdir=W --mode=train

Cost: the original chose the batch size for 2 or 4 Titan X; not measured here.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """The configuration of the model."""
    config = base.get_config()
    config.dataset.root_dir = "data/nemo-png"
    config.model.discriminator.sn = True
    config.train.update(
        num_epochs=100, num_repeats=8, epoch_milestones=(60, 90), batch_size=36, checkpoint_freq=50
    )
    return config
