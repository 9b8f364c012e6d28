"""One run at a time in a workdir, also where the one before was killed."""

import os
import re
import socket
import subprocess
import sys

import pytest

from fomm_jax.errors import InputError
from fomm_jax.training.workdir_lock import check_can_run_in, only_run_in

HOLDER = """
import sys, time
from fomm_jax.training.workdir_lock import only_run_in
with only_run_in(sys.argv[1]):
    print("at work", flush=True)
    time.sleep(60)
"""


def test_second_run_is_refused_until_the_first_ends(tmp_path):
    place = f"process {os.getpid()} on {socket.gethostname()}"
    with only_run_in(tmp_path / "W"):
        expected = f"{tmp_path / 'W'}: another run is at work here, {place}"
        for _ in range(2):  # a run that is refused takes nothing away
            with pytest.raises(InputError, match=re.escape(expected)), only_run_in(tmp_path / "W"):
                pytest.fail("two at once")
    assert not list(tmp_path.iterdir())
    with only_run_in(tmp_path / "W"):
        pass
    with only_run_in(tmp_path / "a" / "b" / "W"):
        pass
    assert not list(tmp_path.iterdir())


def test_killed_run_is_not_in_the_way(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "at work\n"
        with pytest.raises(InputError, match=f"process {holder.pid} on"), only_run_in(tmp_path):
            pytest.fail("two at once")
        holder.kill()
    with only_run_in(tmp_path):
        pass


def test_whether_a_run_can_begin_is_checked_without_a_trace(tmp_path):
    check_can_run_in(tmp_path / "new" / "W")
    assert not list(tmp_path.iterdir())
    with only_run_in(tmp_path / "W") as held:
        with pytest.raises(InputError, match=f"another run is at work here, process {os.getpid()}"):
            check_can_run_in(tmp_path / "W")
        held.clean_up()
        assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    for folder in ("checkpoints", "pictures"):
        (tmp_path / "no" / folder).parent.mkdir(exist_ok=True)
        (tmp_path / "no" / folder).write_text("")
        with pytest.raises(InputError, match=f"no/{folder} is not a folder"):
            check_can_run_in(tmp_path / "no")
        (tmp_path / "no" / folder).unlink()
    with pytest.raises(InputError, match="file is not a folder"):
        check_can_run_in(tmp_path / "file")


def test_workdir_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    expected = f"{tmp_path}/file/W: cannot be written (Not a directory)"
    with pytest.raises(InputError, match=re.escape(expected)), only_run_in(tmp_path / "file" / "W"):
        pytest.fail("nothing can be locked there")
