"""The folder where compiled programs are kept, so that later runs load them."""

import contextlib
import hashlib
import os
import pathlib
import platform
import re
import sys

import platformdirs

from fomm_jax.errors import InputError, naming
from fomm_jax.files import writing

_SETTINGS = {
    # All programs are kept, however small and however soon compiled. JAX leaves out most of them.
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}


def use_compilation_cache(folder: str | None) -> None:
    """Make JAX keep compiled programs in a folder, and load them from there.

    Args:
      folder: the folder; "" for none. None stands for that of the variable
        JAX_COMPILATION_CACHE_DIR, or else for one of this machine in the user's cache folder. If
        that one cannot be written to, there is none.

    Raises:
      InputError: the folder that is given cannot be written to.
    """
    if folder is None and not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        folder = ""
        with contextlib.suppress(InputError):
            folder = _make(default_folder())
    elif folder:
        with naming("--compilation_cache"):
            folder = _make(pathlib.Path(folder))
    settings: dict[str, str | float] = {**_SETTINGS}
    if folder is not None:
        settings["jax_compilation_cache_dir"] = folder
    for name, value in settings.items():
        if "jax" in sys.modules:
            sys.modules["jax"].config.update(name, value)
        else:  # to load it here would make bad input wait for its message
            os.environ[name.upper()] = str(value)


def default_folder() -> pathlib.Path:
    """Return the folder of this machine's programs in the user's cache folder.

    A program that was compiled for one CPU may not run on another, with which a home folder may be
    shared, and JAX does not tell them apart.
    """
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
        cpu = sorted(set(re.findall(r"^(?:flags|Features)\s*:.*", text, re.MULTILINE)))
    except OSError:  # Linux alone has this file
        cpu = [platform.processor()]
    digest = hashlib.sha256(repr((platform.machine(), cpu)).encode()).hexdigest()[:8]
    return platformdirs.user_cache_path("fomm_jax") / "programs" / digest


def _make(folder: pathlib.Path) -> str:
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return str(folder)
