"""TED talks, upper bodies, at 384x384: the thin-plate spline motion model.

    python main.py --config=configs/tpsmm_ted_384.py --workdir=W --mode=train

Cost: not measured here. The batch size is the original's.
Score: not measured here.
"""

from ml_collections import ConfigDict

from configs import tpsmm_base


def get_config() -> ConfigDict:
    """Return the configuration of the model."""
    config = tpsmm_base.get_config()
    config.dataset.update(root_dir="data/ted-png", frame_shape=(384, 384, 3), id_sampling=True)
    config.dataset.augmentation.update(brightness=0.1, contrast=0.1, saturation=0.1, hue=0.1)
    config.train.update(num_repeats=150, batch_size=12)
    config.train_avd.update(num_epochs=30, num_repeats=500, epoch_milestones=(20, 25))
    config.animate.crop_faces = False
    return config
