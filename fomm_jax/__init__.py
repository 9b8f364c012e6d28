"""First Order Motion Model for image animation (Siarohin et al., NeurIPS 2019) on JAX and Flax.

    from fomm_jax import Animator

    animator = Animator.from_checkpoint(path)
    for frame in animator.animate(source, frames):  # (h, w, 3) uint8 in, the same out
        ...

docs/animation.md shows what else there is.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fomm_jax.animation.animator import Animator as Animator
    from fomm_jax.animation.motion import Motion as Motion
    from fomm_jax.animation.smoothing import OneEuro as OneEuro
    from fomm_jax.config.schema import NormalizationConfig as NormalizationConfig
    from fomm_jax.errors import InputError as InputError

_HOMES = {
    "Animator": "animation.animator",
    "InputError": "errors",
    "Motion": "animation.motion",
    "NormalizationConfig": "config.schema",
    "OneEuro": "animation.smoothing",
}


def __getattr__(name: str) -> Any:
    # The loader's worker processes import modules of this package, and would each hold JAX too.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
