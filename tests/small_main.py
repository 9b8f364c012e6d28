"""`main.py` that trains three numbers in place of networks, for tests of several processes."""

import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
    sys.argv[0] = "main.py"

from absl import app

import main
from fomm_jax import console
from fomm_jax.cli.modes import train as train_mode

load_jax_and_train = train_mode._train


def train_three_numbers(*arguments):
    """Train as `--mode=train` does, but with another program, and a little slower."""
    import small_training

    from fomm_jax.training import log, loop

    def make_program(*arguments):
        program = small_training.make_program(*arguments)

        def train_step(*arguments):
            time.sleep(0.01)
            return program.train_step(*arguments)

        train_step.lower = program.train_step.lower  # compiled before the first step
        return program._replace(train_step=train_step)

    loop.make_program = make_program
    log.TrainingLog.write_picture = lambda log, step, outputs: None
    load_jax_and_train(*arguments)


if __name__ == "__main__":
    train_mode._train = train_three_numbers
    console.hide_warnings_of_libraries()
    app.run(main.main, flags_parser=main.parse_flags)
