"""What `validation.py` asks about the fields of each model."""

import dataclasses
from collections.abc import Callable, Iterator

from fomm_jax.config.schema import Config, LossWeightsConfig, ModelConfig

# The scale of the frame that a network sees, and how often the network halves it.
Halvings = tuple[float, int]


@dataclasses.dataclass(frozen=True)
class ModelChecks:
    """The checks of one model, whose functions yield messages that begin with a field's name."""

    # Sections of `config.model` whose networks have block_expansion and max_features.
    sections_with_channels: tuple[str, ...]
    # The halvings of each network, by the field that sets their number.
    halvings: Callable[[ModelConfig], dict[str, Halvings]]
    # Whether a side of so many pixels is enough; these messages begin with the number.
    side: Callable[[ModelConfig, int], Iterator[str]]
    # Whether the networks fit together, and what an animation asks of them.
    networks: Callable[[Config], Iterator[str]]
    # Whether the model has the losses that have a weight.
    losses: Callable[[ModelConfig, LossWeightsConfig], Iterator[str]]
    # Whether there is such a stage, and whether a part of a batch is enough for its normalisation.
    batch: Callable[[Config], Iterator[str]]
