"""Run the project's commands inside the test process."""

import sys
from unittest import mock

import grain  # noqa: F401  # its flags would be forgotten by flagsaver if they came later
from absl.testing import flagsaver

import main


def run_main(*arguments):
    """Run the command in this process and return its exit status."""
    argv = ["main.py", *arguments]
    # The flags of a config's fields are made from sys.argv, whatever is parsed.
    with flagsaver.flagsaver(), mock.patch.object(sys, "argv", argv):
        try:
            main.main(main.parse_flags(argv))
        except SystemExit as leaving:
            return leaving.code
    return 0
