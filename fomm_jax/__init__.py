"""First Order Motion Model for image animation (Siarohin et al., NeurIPS 2019) on JAX and Flax.

    from fomm_jax import Animator

    animator = Animator.from_checkpoint(path)
    for frame in animator.animate(source, frames):  # (h, w, 3) uint8 in, the same out
        ...

The names below are the public API; docs/animation.md shows how to use them.
"""

from etils import epy

# Each is imported when it is first used: the loader's worker processes import modules of this
# package, and would each hold JAX too.
with epy.lazy_api_imports(globals()):
    from fomm_jax.animation.animator import Animator as Animator
    from fomm_jax.animation.motion import Motion as Motion
    from fomm_jax.animation.smoothing import OneEuro as OneEuro
    from fomm_jax.config.schema import NormalizationConfig as NormalizationConfig
    from fomm_jax.errors import InputError as InputError
