r"""The smallest thin-plate spline motion model that uses every part: for tests.

Its two ResNets are as large as in every model. It learns nothing useful: it takes four steps at
32x32, with random weights in the perceptual network.

    python main.py --config=configs/tpsmm_tiny.py --workdir=W --mode=train \
        --config.dataset.root_dir=D

Cost: not measured.
Score: none.
"""

from ml_collections import ConfigDict

from configs import tpsmm_base


def get_config() -> ConfigDict:
    """Return the configuration of the model."""
    config = tpsmm_base.get_config()
    config.dataset.frame_shape = (32, 32, 3)

    config.model.thin_plate.num_tps = 2
    config.model.thin_plate.generator.update(block_expansion=4, max_features=16)
    config.model.thin_plate.dense_motion.update(block_expansion=4, max_features=16, num_blocks=2)
    config.model.thin_plate.avd_network.update(id_bottle_size=4, pose_bottle_size=4)

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
    config.train.thin_plate.update(dropout_epoch=1, dropout_startp=0.3)
    config.perceptual.weights = "random"
    config.train_avd.update(num_epochs=1, num_repeats=1, batch_size=2)

    config.reconstruct.batch_size = 2
    config.animate.update(num_pairs=2, batch_size=2)
    config.visualize.kp_size = 1
    return config
