"""What the eight models of the original at 256x256 share.

It is not a model by itself, since it names no data set. `fomm_jax/config/schema.py` says what each
field means, and has the values that are not set here.
"""

from ml_collections import ConfigDict

from fomm_jax.config.parsing import to_config_dict
from fomm_jax.config.schema import Config


def get_config() -> ConfigDict:
    """Return the shared configuration."""
    config = to_config_dict(Config())
    config.dataset.augmentation.update(time_flip=True, horizontal_flip=True)
    config.model.kp_detector.scale_factor = 0.25
    config.model.generator.estimate_occlusion_map = True
    config.model.generator.dense_motion.scale_factor = 0.25
    config.model.discriminator.block_expansion = 32
    config.train.loss_weights.generator_gan = 1.0
    config.visualize.draw_border = True
    return config
