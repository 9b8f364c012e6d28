"""Moving cartoon animals (MGif) at 256x256, with adversarial loss.

All keypoints share one map of jacobians.

    python main.py --config=configs/mgif_256.py --workdir=W --mode=train

Cost: not measured here. The batch size is the original's, chosen for 2 or 4 Titan X GPUs.
Score: the paper gives none for this data set.
"""

from ml_collections import ConfigDict

from configs import base


def get_config() -> ConfigDict:
    """Return the configuration of the model."""
    config = base.get_config()
    config.dataset.root_dir = "data/moving-gif"
    config.dataset.augmentation.update(resize_ratio=(0.9, 1.1), crop_size=(256, 256), hue=0.5)
    config.model.kp_detector.single_jacobian_map = True
    config.model.discriminator.sn = True
    config.train.update(
        num_repeats=25, epoch_milestones=(60, 90), batch_size=36, checkpoint_freq=100
    )
    config.animate.crop_faces = False
    return config
