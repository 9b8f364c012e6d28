"""The smallest model in which every part is at work, adversarial loss included: for tests.

It learns nothing of use: four steps at 32x32, with random weights in the perceptual network.

    python main.py --config=configs/tiny.py --workdir=W --mode=train --config.dataset.root_dir=D

Score: none. Cost: not measured.
"""

from ml_collections import ConfigDict

from fomm_jax.config.parsing import to_config_dict
from fomm_jax.config.schema import Config


def get_config() -> ConfigDict:
    """The configuration of the model."""
    config = to_config_dict(Config())
    config.dataset.frame_shape = (32, 32, 3)
    config.dataset.augmentation.update(time_flip=True, horizontal_flip=True)

    config.model.num_kp = 3
    config.model.kp_detector.update(
        block_expansion=4, max_features=16, num_blocks=2, scale_factor=0.5
    )
    config.model.generator.update(
        block_expansion=4,
        max_features=16,
        num_down_blocks=2,
        num_bottleneck_blocks=1,
        estimate_occlusion_map=True,
    )
    config.model.generator.dense_motion.update(
        block_expansion=4, max_features=16, num_blocks=2, scale_factor=0.5
    )
    config.model.discriminator.update(block_expansion=4, max_features=16, num_blocks=2, sn=True)

    config.train.update(
        batch_size=2,
        num_epochs=2,
        num_repeats=1,
        num_steps=4,
        checkpoint_every=2,
        log_every=1,
        visualize_every=2,
        scales=(1, 0.5),
    )
    config.train.loss_weights.update(generator_gan=1, feature_matching=(10, 10))
    config.perceptual.update(network="vgg19", weights="random")

    config.reconstruct.batch_size = 2
    config.animate.update(num_pairs=2, batch_size=2)
    config.visualize.kp_size = 1
    return config
