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

from fomm_jax.cli.program import main, parse_flags, start

__all__ = ["main", "parse_flags", "start"]

if __name__ == "__main__":
    start()
