"""Tai-Chi-HD at 256x256: the thin-plate spline motion model.

    python main.py --config=configs/tpsmm_taichi_256.py --workdir=W --mode=train

Cost: not measured here. The batch size is the original's.
Score: L1 0.045, AKD 4.57 in the paper's table of video reconstruction.
"""

from ml_collections import ConfigDict

from configs import tpsmm_base


def get_config() -> ConfigDict:
    """Return the configuration of the model."""
    config = tpsmm_base.get_config()
    config.dataset.update(
        root_dir="data/taichi-png", id_sampling=True, pairs_list="data/taichi256.csv"
    )
    config.dataset.augmentation.update(brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1)
    config.train.num_repeats = 150
    config.train.thin_plate.dropout_maxp = 0.7
    config.animate.crop_faces = False
    return config
