"""The originals of all models, by `config.model.name`."""

from collections.abc import Collection

from fomm_jax.config.schema import Config
from fomm_jax.weights.torch.first_order import FIRST_ORDER
from fomm_jax.weights.torch.original import Original
from fomm_jax.weights.torch.thin_plate import THIN_PLATE

ORIGINALS = {"first-order": FIRST_ORDER, "thin-plate": THIN_PLATE}


def original_of(config: Config) -> Original:
    """Return the original of a configuration's model."""
    return ORIGINALS[config.model.name]


def recognise_model(entries: Collection[str]) -> str | None:
    """Return the name of the model that a checkpoint with these entries is of, if there is one."""
    for name, original in ORIGINALS.items():
        if set(original.required) <= set(entries):
            return name
    return None
