"""Run the project's commands inside the test process."""

import sys
from unittest import mock

import grain  # noqa: F401  # flagsaver would forget its flags if it were imported later
from absl.testing import flagsaver

import main

# Flags that make configs/tiny.py compile in half the time, with every kind of part still in it.
SHALLOW_MODEL = (
    "--config.model.kp_detector.num_blocks=1",
    "--config.model.generator.num_down_blocks=1",
    "--config.model.generator.dense_motion.num_blocks=1",
    "--config.model.discriminator.num_blocks=1",
)

# A configuration whose batch has a pair for each of the eight devices of the tests.
TINY = ("--config=configs/tiny.py", "--config.train.batch_size=8", "--config.train.num_repeats=2")


def run_main(*arguments):
    """Run main.py in this process and return its exit status."""
    argv = ["main.py", *arguments]
    sys.modules.pop("config_config", None)  # what ml_collections left of another file of --config
    # ml_collections makes the flags of a config's fields from sys.argv, whatever is parsed.
    with flagsaver.flagsaver(), mock.patch.object(sys, "argv", argv):
        try:
            main.main(main.parse_flags(argv))
        except SystemExit as leaving:
            return leaving.code
    return 0
