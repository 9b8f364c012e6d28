"""The setting of all tests: eight simulated devices, no implicit conversions, ../shared."""

import mmap
import os
import pathlib
import secrets
import sys
from importlib.metadata import version

# XLA compiles the programs of most tests for longer than they run. These flags make a training step
# compile four times faster and run two to three times slower. `make slow` does without them, and so
# tests the programs that users run.
# JAX reads the flags once, when it is imported; commands that the tests start inherit them. A
# version that does not know one of them ends at once: 0.12 has no fusion_emitters.
if "OPTIMISED_PROGRAMS" not in os.environ:
    os.environ["XLA_FLAGS"] = f"""
        --xla_backend_optimization_level=0
        --xla_llvm_disable_expensive_passes=true
        {"--xla_cpu_use_fusion_emitters=false" if version("jaxlib").startswith("0.10.") else ""}
        --xla_cpu_parallel_codegen_split_count=1
        {os.environ.get("XLA_FLAGS", "")}
    """
os.environ["XLA_FLAGS"] = f"""
    --xla_force_host_platform_device_count=8
    {os.environ.get("XLA_FLAGS", "")}
"""
# The compilation cache keeps all programs, not only those that compile for a second or longer.
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import pytest
from absl import flags
from bucket_server import make_bucket, serving_buckets, variables
from jaxtyping import install_import_hook
from shape_checks import CHECKED_PACKAGES

# Before anything imports these packages.
install_import_hook(CHECKED_PACKAGES, "shape_checks.check_shapes")

from fomm_jax import console  # noqa: E402
from fomm_jax.memory import return_freed_memory  # noqa: E402
from fomm_jax.readable import readable  # noqa: E402

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
# Grain reads absl's flags, which outside of `app.run` nobody has parsed.
flags.FLAGS.mark_as_parsed()
# Tests read with `capsys` what a command would show.
console.show_messages()

SHARED = pathlib.Path(__file__).parents[2] / "shared"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Escape names of files that are not UTF-8 in captured lines, which workers send as UTF-8."""
    report = yield
    report.sections = [(title, readable(text)) for title, text in report.sections]
    return report


@pytest.fixture(scope="session")
def shared():
    """The folder of recordings and data beside the repository."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED} is not there")
    return SHARED


@pytest.fixture(scope="session")
def bucket_server():
    """The address of a server of buckets on this machine, which all libraries take for Google's."""
    with serving_buckets() as url, pytest.MonkeyPatch.context() as patch:
        for name, value in variables(url).items():
            patch.setenv(name, value)
        yield url


@pytest.fixture
def bucket(bucket_server):
    """The address of a new bucket."""
    name = f"test-{secrets.token_hex(4)}"
    make_bucket(bucket_server, name)
    return f"gs://{name}"


@pytest.fixture
def x64():
    """JAX computes in float64."""
    with jax.enable_x64(True):
        yield


# Megabytes: those of the process when programs were last freed, and those that it may add to them.
_memory, MOST_NEW_MEMORY = 0, 600


def resident_memory():
    """Return the megabytes that the process has in memory; 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * mmap.PAGESIZE // 10**6


def release_programs():
    """Free the compiled programs: those of the whole suite take gigabytes."""
    global _memory
    jax.clear_caches()
    return_freed_memory()
    _memory = resident_memory()


@pytest.fixture(scope="module", autouse=True)
def releasing_programs():
    """Free the compiled programs of each file."""
    yield
    release_programs()


@pytest.fixture(autouse=True)
def releasing_many_programs():
    """Free those of a test's file if there are many; to compile them again takes time."""
    yield
    if resident_memory() > _memory + MOST_NEW_MEMORY:
        release_programs()
