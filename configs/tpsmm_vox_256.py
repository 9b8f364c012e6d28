"""VoxCeleb at 256x256: the thin-plate spline motion model.

    python main.py --config=configs/tpsmm_vox_256.py --workdir=W --mode=train

Cost: not measured here. The batch size is the original's.
Score: not measured here.
"""

from ml_collections import ConfigDict

from configs import tpsmm_base


def get_config() -> ConfigDict:
    """Return the configuration of the model."""
    config = tpsmm_base.get_config()
    config.dataset.update(root_dir="data/vox-png", id_sampling=True, pairs_list="data/vox256.csv")
    config.dataset.augmentation.update(brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1)
    config.train.thin_plate.update(dropout_startp=0.1, dropout_maxp=0.3, bg_start=10)
    config.train_avd.update(num_epochs=200, num_repeats=300, checkpoint_freq=50)
    config.train_avd.epoch_milestones = (140, 180)
    return config
