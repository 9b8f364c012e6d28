"""Lines for people: what is written to stderr, and what is not."""

import logging
import subprocess
import sys

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


def test_absl_shows_nothing_twice_and_libraries_stay_silent():
    command = subprocess.run(
        [sys.executable, "-c", COMMAND], capture_output=True, text=True, timeout=60
    )
    assert (command.returncode, command.stdout) == (0, "")
    assert command.stderr == "once\nwarning: once too\n"
