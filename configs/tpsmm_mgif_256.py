"""Moving cartoon animals (MGif) at 256x256: the thin-plate spline motion model.

    python main.py --config=configs/tpsmm_mgif_256.py --workdir=W --mode=train

Cost: not measured here. The batch size is the original's.
Score: not measured here.
"""

from ml_collections import ConfigDict

from configs import tpsmm_base


def get_config() -> ConfigDict:
    """Return the configuration of the model."""
    config = tpsmm_base.get_config()
    config.dataset.root_dir = "data/moving-gif"
    config.dataset.augmentation.update(resize_ratio=(0.9, 1.1), crop_size=(256, 256), hue=0.5)
    config.model.thin_plate.bg = False
    config.train.num_repeats = 50
    config.train.thin_plate.dropout_startp = 0.2
    config.train_avd.num_repeats = 50
    config.animate.crop_faces = False
    return config
