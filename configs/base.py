"""What the eight models of the original at 256x256 share; `Config` itself says what a field means.

Not a model by itself: it has no data set.
"""

from ml_collections import ConfigDict

from fomm_jax.config.parsing import to_config_dict
from fomm_jax.config.schema import Config


def get_config() -> ConfigDict:
    """The shared configuration."""
    config = to_config_dict(Config())

    config.dataset.frame_shape = (256, 256, 3)
    config.dataset.augmentation.horizontal_flip = True
    config.dataset.augmentation.time_flip = True

    config.model.num_kp = 10
    config.model.num_channels = 3
    config.model.estimate_jacobian = True
    config.model.kp_detector.update(
        temperature=0.1, block_expansion=32, max_features=1024, num_blocks=5, scale_factor=0.25
    )
    config.model.generator.update(
        block_expansion=64,
        max_features=512,
        num_down_blocks=2,
        num_bottleneck_blocks=6,
        estimate_occlusion_map=True,
    )
    config.model.generator.dense_motion.update(
        block_expansion=64, max_features=1024, num_blocks=5, scale_factor=0.25
    )
    config.model.discriminator.update(
        scales=(1,), block_expansion=32, max_features=512, num_blocks=4
    )

    config.train.lr_generator = 2.0e-4
    config.train.lr_discriminator = 2.0e-4
    config.train.lr_kp_detector = 2.0e-4
    config.train.scales = (1, 0.5, 0.25, 0.125)
    config.train.transform.update(sigma_affine=0.05, sigma_tps=0.005, points_tps=5)
    config.train.loss_weights.update(
        generator_gan=1,
        discriminator_gan=1,
        feature_matching=(10, 10, 10, 10),
        perceptual=(10, 10, 10, 10, 10),
        equivariance_value=10,
        equivariance_jacobian=10,
    )
    config.perceptual.update(network="vgg19", weights="weights/vgg19")

    config.reconstruct.update(num_videos=1000, format=".mp4")
    config.animate.update(num_pairs=50, format=".mp4")
    config.animate.normalization.update(
        adapt_movement_scale=False, use_relative_movement=True, use_relative_jacobian=True
    )
    config.visualize.update(kp_size=5, draw_border=True, colormap="gist_rainbow")
    return config
