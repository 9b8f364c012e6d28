"""What there is to know about the checkpoints of a model's original."""

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from fomm_jax.config.schema import Config
from fomm_jax.weights.torch.config_fields import ConfigField, TorchStates


@dataclasses.dataclass(frozen=True)
class Original:
    """How the original of a model names what its checkpoints hold.

    A network has the same name in the checkpoint as in our model.
    """

    networks: tuple[str, ...]  # all that a checkpoint may have
    required: tuple[str, ...]  # those that every checkpoint has
    # The networks of each optimiser, in the order in which it numbers their parameters.
    optimizers: Mapping[str, tuple[str, ...]]
    # From a network, the path of a variable in ours, and the configuration, to torch's key.
    key: Callable[[str, Sequence[object], Config], str]
    # From a key to its position in torch's state dict, as a list to sort by.
    position: Callable[[str, Config], list[int]]
    # The scales of the Gaussian kernels that checkpoints hold, by network and key. Kernels of
    # scale 1 are not there.
    antialias_scales: Callable[[Config], Mapping[tuple[str, str], float]]
    # The fields of `config.model` that the tensors of a checkpoint determine.
    fields: Callable[[TorchStates], Iterator[ConfigField]]

    @property
    def entries(self) -> set[str]:
        """All entries that a checkpoint may have."""
        return {*self.networks, *self.optimizers, "epoch"}


def rename(path: Sequence[object], renames: Sequence[tuple[str, str]]) -> str:
    """Return a path with dots between its parts, changed by patterns one after another."""
    key = ".".join(map(str, path))
    for pattern, replacement in renames:
        key = re.sub(pattern, replacement, key)
    return key
