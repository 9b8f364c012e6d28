"""Train a model, reconstruct test videos, animate pictures, compare with the original.

    python main.py --config=configs/actions_64.py --workdir=W --mode=train
    python main.py --config=configs/actions_64.py --workdir=W --mode=reconstruct
    python main.py --config=configs/actions_64.py --workdir=W --mode=animate
    python main.py --checkpoint=W --mode=animate --source=PICTURE --driving=VIDEO --output=OUT.mp4
    python main.py --mode=compare --reference=RECORDINGS
    python main.py --mode=compare --reference=CLONE_OF_THE_ORIGINAL \\
        --config=configs/vox_256.py --checkpoint=vox-cpk.pth.tar
    python main.py --mode=verify --input=FILM_OR_PICTURE

Flags such as --config.train.num_steps=10 override fields of the configuration.
"""

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # While the program loads, Ctrl-C ends it without a word. `ending_by_signals` changes that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from absl import app, flags

from fomm_jax import console
from fomm_jax.cli import animation_flags, marking_flags
from fomm_jax.cli import flags as general_flags
from fomm_jax.cli.command_line import parse_flags
from fomm_jax.cli.dispatch import main

for module in (general_flags, animation_flags, marking_flags):
    flags.adopt_module_key_flags(module)  # so that --help shows them

if __name__ == "__main__":
    console.hide_warnings_of_libraries()
    app.run(main, flags_parser=parse_flags)
