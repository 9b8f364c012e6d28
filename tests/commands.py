"""Run the project's commands inside the test process."""

import sys
from unittest import mock

import grain  # noqa: F401  # flagsaver would forget its flags if it were imported later
from absl.testing import flagsaver

import main

# A configuration whose batch has a pair for each of the eight devices of the tests.
TINY = ("--config=configs/tiny.py", "--config.train.batch_size=8", "--config.train.num_repeats=2")


def run_main(*arguments):
    """Run main.py in this process and return its exit status."""
    argv = ["main.py", *arguments]
    # ml_collections makes the flags of a config's fields from sys.argv, whatever is parsed.
    with flagsaver.flagsaver(), mock.patch.object(sys, "argv", argv):
        try:
            main.main(main.parse_flags(argv))
        except SystemExit as leaving:
            return leaving.code
    return 0
