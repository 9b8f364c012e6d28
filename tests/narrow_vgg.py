"""A perceptual network that takes little time to compile and to run."""

import numpy as np

from fomm_jax.config.constants import PERCEPTUAL_TAPS


def narrow_vgg():
    """Return random weights of one narrow layer for each of the five taps."""
    random = np.random.default_rng(0)
    return {
        name: (random.normal(0, 0.2, (3, 3, channels, 4)), random.normal(0, 0.1, 4))
        for name, channels in zip(PERCEPTUAL_TAPS, (3, 4, 4, 4, 4), strict=True)
    }
