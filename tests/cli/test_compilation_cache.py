"""Where compiled programs are kept."""

import os
import pathlib
import subprocess
import sys

import pytest

from fomm_jax.cli.compilation_cache import default_folder, use_compilation_cache
from fomm_jax.cli.path_flags import PATH_OR_NOTHING
from fomm_jax.errors import InputError

PRINT_FOLDER = """
import sys
from fomm_jax.cli.compilation_cache import use_compilation_cache
use_compilation_cache({folder!r})
assert "jax" not in sys.modules
import jax
print(jax.config.jax_compilation_cache_dir)
jax.jit(lambda x: x * 3 + 1)(2.0)  # a program that JAX itself would find too small to keep
"""


def folder_in_use(folder, **environment):
    """Return the folder that JAX uses in a new process, which compiles a program."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_COMP", "JAX_PERS"))}
    result = subprocess.run(
        [sys.executable, "-c", PRINT_FOLDER.format(folder=folder)],
        env=variables | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.strip()


@pytest.mark.skipif(sys.platform != "linux", reason="XDG_CACHE_HOME is of Linux")
def test_programs_are_kept_in_the_users_cache_by_default(tmp_path):
    folder = pathlib.Path(folder_in_use(None, XDG_CACHE_HOME=str(tmp_path)))
    assert folder.parent == tmp_path / "fomm_jax" / "programs"
    assert list(folder.glob("jit_*"))
    assert folder_in_use(None, JAX_COMPILATION_CACHE_DIR=str(tmp_path / "own")) == str(
        tmp_path / "own"
    )
    assert folder_in_use("", XDG_CACHE_HOME=str(tmp_path)) in ("", "None")
    (tmp_path / "file").touch()  # in which no folder can be made
    assert folder_in_use(None, XDG_CACHE_HOME=str(tmp_path / "file")) in ("", "None")


def test_a_folder_that_is_given_must_be_usable(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"--compilation_cache: .*file.* cannot be written"):
        use_compilation_cache(str(tmp_path / "file" / "programs"))
    assert PATH_OR_NOTHING.parse("") == ""
    with pytest.raises(ValueError, match="address"):
        PATH_OR_NOTHING.parse("gs://bucket/programs")


def test_machines_with_other_cpus_have_other_folders(monkeypatch):
    here = default_folder()
    assert default_folder() == here
    monkeypatch.setattr(pathlib.Path, "read_text", lambda path: "flags : sse2\nflags : sse2\n")
    other = default_folder()
    assert other != here
    assert other.parent == here.parent
