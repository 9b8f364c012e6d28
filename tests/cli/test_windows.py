"""What animates and converts loads where the parts of Python are missing that Windows has not."""

import subprocess
import sys

import pytest

AS_ON_WINDOWS = """
import os, signal, sys

for name in ("fcntl", "resource"):
    sys.modules[name] = None
del signal.SIGHUP, os.pathconf

from fomm_jax.cli.installed import run_fomm_jax
run_fomm_jax()
"""


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["verify", "--input=none.mp4"], "none.mp4: there is no such file"),
        (["animate", "--source=none.png", "--driving=a.mp4", "--output=o.mp4"], "none.png"),
    ],
)
def test_commands_load(tmp_path, arguments, line):
    finished = subprocess.run(
        [sys.executable, "-c", AS_ON_WINDOWS, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 2, finished.stderr
    assert line in finished.stderr
