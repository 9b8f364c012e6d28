"""Drawn heads at 64x64, which docs/demo_model.md compares with drawn figures.

The networks of `figures_64`, but for the generator: it halves frames once in place of twice, so
that it moves features of 32x32, which keeps eyes and mouths sharp.

    python -m input_pipeline.figures --subject=portraits --output=portraits --videos=1250
    python main.py --config=configs/portraits_64.py --workdir=W --mode=train

Cost: 0.9 s a step on one core of an AMD EPYC without accelerator.
Score: docs/demo_model.md has the distances from drawn answers.
"""

from ml_collections import ConfigDict

from configs import figures_64


def get_config() -> ConfigDict:
    """Return the configuration of the model."""
    config = figures_64.get_config()
    config.dataset.root_dir = "portraits"
    config.dataset.augmentation.hue = 0.0  # skin has the colours of skin
    config.model.generator.update(num_down_blocks=1, num_bottleneck_blocks=3)
    config.train.ema_decay = 0.99
    return config
