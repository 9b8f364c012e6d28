"""Lines for people: what is written to stderr, and what is not."""

import logging
import os
import shlex
import subprocess
import sys

import pytest
from tqdm import tqdm

from fomm_jax import console

logger = logging.getLogger("fomm_jax.rendering.driving")


def test_one_line_for_each_record(capsys):
    console.show_messages()
    console.show_messages()
    logger.info("%d of %d", 1, 2)
    logger.warning("a video is damaged")
    logger.debug("not for people")
    assert capsys.readouterr() == ("", "1 of 2\nwarning: a video is damaged\n")


def test_a_line_does_not_run_into_a_progress_bar(capsys):
    console.show_messages()
    with tqdm(total=2, desc="animate", mininterval=0):
        logger.info("the line")
    parts = capsys.readouterr().err.replace("\r", "\n").splitlines()
    assert "the line" in parts


COMMAND = """
import logging
import os
from absl import app
from absl import logging as absl_logging
from fomm_jax import console

def main(_):
    absl_logging.set_verbosity(absl_logging.FATAL)  # as command_line.parse_flags does
    console.show_messages()
    logging.getLogger("fomm_jax.training").info("once")
    logging.getLogger("orbax").warning("from Orbax")
    absl_logging.warning("from absl")
    logging.getLogger("input_pipeline").warning("once too")

app.run(main)
"""


LAST_WORDS = """
import pathlib, sys
from tqdm import tqdm
from fomm_jax import console
console.show_messages()
for _ in tqdm(range(3), mininterval=0):
    console.logging.getLogger("fomm_jax").warning("x" * 9000)
pathlib.Path(sys.argv[1]).write_text("done")
"""


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", "2> >(true)", "2>&1 | true", ">&-"])
def test_streams_that_fail_end_nothing(tmp_path, redirection):
    done = tmp_path / "done"
    command = shlex.join([sys.executable, "-c", LAST_WORDS, str(done)])
    ended = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} {redirection}"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0
    assert done.read_text() == "done"
    assert "Exception" not in ended.stderr


def test_absl_shows_nothing_twice_and_libraries_stay_silent():
    command = subprocess.run(
        [sys.executable, "-c", COMMAND], capture_output=True, text=True, timeout=60
    )
    assert (command.returncode, command.stdout) == (0, "")
    assert command.stderr == "once\nwarning: once too\n"


def test_results_can_be_printed_whatever_the_names_of_files_are(capsys):
    console.say("The animation is in caf\udce9.mp4")
    logger.info("caf\udce9.mp4")
    assert capsys.readouterr() == ("The animation is in caf\\xe9.mp4\n", "caf\\xe9.mp4\n")


def run(code, stdout=subprocess.PIPE):
    return subprocess.run(
        [sys.executable, "-c", code], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60
    )


SAY = """
from fomm_jax import console
console.show_messages()
console.say("Grüße")
console.say("b")
"""


def test_a_standard_output_that_is_full_ends_nothing():
    with open("/dev/full", "w") as full:
        command = run(SAY, stdout=full)
    line = "warning: standard output cannot be written (No space left on device)\n"
    assert (command.returncode, command.stderr) == (0, line)


def test_a_standard_output_that_nobody_reads_ends_nothing():
    reader, writer = os.pipe()
    os.close(reader)
    command = run(SAY, stdout=writer)
    os.close(writer)
    assert (command.returncode, command.stderr) == (0, "")


def test_a_terminal_that_knows_few_characters(monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    command = run(SAY)
    assert (command.stdout, command.stderr) == ("Gr\\xfc\\xdfe\nb\n", "")


WARN = """
import warnings
from fomm_jax import console
console.hide_warnings_of_libraries()
warnings.warn("from Pillow")
"""


def test_warnings_of_libraries_do_not_reach_people_unless_they_ask(monkeypatch):
    assert run(WARN).stderr == ""
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    assert "from Pillow" in run(WARN).stderr
