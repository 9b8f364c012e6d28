"""The setting of all tests: eight simulated devices, no implicit conversions, ../shared."""

import os
import pathlib

# Before JAX is imported, which reads them once.
os.environ["XLA_FLAGS"] = (
    f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
)
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import pytest
from absl import flags
from jaxtyping import install_import_hook
from shape_checks import CHECKED_PACKAGES

from fomm_jax import console

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
# Grain reads absl's flags, which outside of `app.run` nobody has parsed.
flags.FLAGS.mark_as_parsed()
# Tests read with `capsys` what a command would show.
console.show_messages()

# Before anything imports these packages.
install_import_hook(CHECKED_PACKAGES, "shape_checks.check_shapes")

SHARED = pathlib.Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared():
    """The folder of recordings and data beside the repository."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there")
    return SHARED


@pytest.fixture
def x64():
    """JAX computes in float64."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def quick_compilation():
    """XLA optimises little: where programs take longer to compile than to run."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
