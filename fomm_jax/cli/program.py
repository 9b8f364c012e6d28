"""The program that the command `fomm-jax` runs, and the file of a clone that does the same."""

import sys

from absl import app, flags

from fomm_jax import console
from fomm_jax.cli import animation_flags, live_flags, marking_flags
from fomm_jax.cli import flags as general_flags
from fomm_jax.cli.command_line import parse_flags
from fomm_jax.cli.dispatch import main


def start() -> None:
    """Run the mode that the command line of the process names."""
    for module in (general_flags, animation_flags, live_flags, marking_flags):
        for flag in flags.FLAGS.get_flags_for_module(module.__name__):
            # `--help` shows the flags that belong to the file that was started.
            flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
    console.hide_warnings_of_libraries()
    app.run(main, flags_parser=parse_flags)
