"""What the thin-plate spline motion models share.

It is not a model by itself, since it names no data set. `fomm_jax/config/thin_plate.py` says what
each of their own fields means, and has the values that are not set here.
"""

from ml_collections import ConfigDict

from fomm_jax.config.parsing import to_config_dict
from fomm_jax.config.schema import Config


def get_config() -> ConfigDict:
    """Return the shared configuration."""
    config = to_config_dict(Config())
    config.dataset.augmentation.update(time_flip=True, horizontal_flip=True)
    config.model.name = "thin-plate"
    config.model.thin_plate.avd_network.update(id_bottle_size=128, pose_bottle_size=128)
    config.train.update(batch_size=28, epoch_milestones=(70, 90))
    config.train.loss_weights.update(equivariance_jacobian=0.0, warp_loss=10.0, bg=10.0)
    config.train_avd.epoch_milestones = (70, 90)
    config.animate.normalization.adapt_movement_scale = True
    config.visualize.draw_border = True
    return config
