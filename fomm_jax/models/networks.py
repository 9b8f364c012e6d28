"""The three trained networks together."""

from typing import Any

import jax.numpy as jnp
from flax import nnx

from fomm_jax.config.schema import CompatConfig, Config, ModelConfig
from fomm_jax.models.discriminator import DiscriminatorBlock, MultiScaleDiscriminator
from fomm_jax.models.generator import Generator
from fomm_jax.models.keypoint_detector import KeypointDetector
from fomm_jax.models.layers import ConvBlock, ResBlock


class Networks(nnx.Module):
    """Keypoint detector, generator (with the dense motion network) and discriminator."""

    def __init__(self, model: ModelConfig, compat: CompatConfig, *, rngs: nnx.Rngs):
        self.kp_detector = KeypointDetector(model, rngs=rngs)
        self.generator = Generator(model, align_corners=compat.align_corners, rngs=rngs)
        self.discriminator = MultiScaleDiscriminator(model, rngs=rngs)
        if model.compute_dtype == "bfloat16":
            # The keypoint detector stays in float32: it is small, and in bfloat16 its gradients
            # would be off by a sixth (docs/reproduction.md).
            for network in (self.generator, self.discriminator):
                for block in _modules(network, ConvBlock | ResBlock | DiscriminatorBlock):
                    for conv in _modules(block, nnx.Conv):
                        conv.dtype = jnp.bfloat16


def _modules(parent: nnx.Module, kind: Any) -> list[Any]:
    return [module for _, module in nnx.iter_modules(parent) if isinstance(module, kind)]


def abstract_networks(config: Config) -> Networks:
    """Networks of shapes and dtypes, without values."""
    return nnx.eval_shape(lambda: Networks(config.model, config.compat, rngs=nnx.Rngs(0)))
