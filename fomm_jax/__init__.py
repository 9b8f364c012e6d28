"""First Order Motion Model for image animation (Siarohin et al., NeurIPS 2019) on JAX and Flax.

from fomm_jax import Animator

animator = Animator.from_checkpoint(path)
for frame in animator.animate(source, frames):  # (h, w, c) uint8 in, the same out
    ...
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fomm_jax.animator import Animator as Animator

_HOMES = {"Animator": "fomm_jax.animator"}


def __getattr__(name: str) -> Any:
    # The loader's worker processes import modules of this package and would each hold JAX too.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
