"""The smallest model that uses every part, adversarial loss included: for tests.

It learns nothing useful: it takes four steps at 32x32, with random weights in the perceptual
network.

    python main.py --config=configs/tiny.py --workdir=W --mode=train --config.dataset.root_dir=D

Cost: not measured.
Score: none.
"""

from ml_collections import ConfigDict

from fomm_jax.config.parsing import to_config_dict
from fomm_jax.config.schema import Config


def get_config() -> ConfigDict:
    """Return the configuration of the model."""
    config = to_config_dict(Config())
    config.dataset.frame_shape = (32, 32, 3)
    config.dataset.augmentation.update(time_flip=True, horizontal_flip=True)

    config.model.num_kp = 3
    config.model.kp_detector.update(
        block_expansion=4, max_features=16, num_blocks=2, scale_factor=0.5
    )
    config.model.generator.update(
        block_expansion=4, max_features=16, num_bottleneck_blocks=1, estimate_occlusion_map=True
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
        scales=(1.0, 0.5),
    )
    config.train.loss_weights.update(generator_gan=1.0, feature_matching=(10.0, 10.0))
    config.perceptual.weights = "random"

    config.reconstruct.batch_size = 2
    config.animate.update(num_pairs=2, batch_size=2)
    config.visualize.kp_size = 1
    return config
