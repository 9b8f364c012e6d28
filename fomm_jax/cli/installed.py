r"""Animate pictures, train a model, reconstruct test videos, compare with the original.

    fomm-jax demo
    fomm-jax animate --checkpoint=W --source=PICTURE --driving=VIDEO --output=OUT.mp4
    fomm-jax train --config=actions_64 --workdir=W
    fomm-jax reconstruct --config=actions_64 --workdir=W
    fomm-jax compare --reference=CLONE_OF_THE_ORIGINAL \
        --config=vox_256 --checkpoint=vox-cpk.pth.tar
    fomm-jax verify --input=FILM_OR_PICTURE
    fomm-jax prepare --help      (make a dataset that is quick to train from)
    fomm-jax figures --help      (draw videos to train from)

`fomm-jax train` is short for `fomm-jax --mode=train`. Flags such as --config.train.num_steps=10
override fields of the configuration.
"""

import importlib
import signal
import sys

# Commands that are programs of their own.
PIPELINE = {"prepare": "input_pipeline.prepare", "figures": "input_pipeline.figures.__main__"}


def run_fomm_jax() -> None:
    """Run the command `fomm-jax`: a mode, or a program of the input pipeline."""
    _end_quietly_while_loading()
    word = sys.argv[1] if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else None
    if word in PIPELINE:
        _run_pipeline(word)
        return
    from fomm_jax.cli.flags import MODES
    from fomm_jax.cli.program import start
    from fomm_jax.errors import refuse

    if word is not None:
        if word not in MODES:
            refuse(f"{word}: expected one of {', '.join([*MODES, *PIPELINE])}; see --help")
        sys.argv[1] = f"--mode={word}"
    sys.modules["__main__"].__doc__ = __doc__  # what --help begins with
    start()


def _run_pipeline(word: str) -> None:
    from fomm_jax import console
    from fomm_jax.cli.extras import check_can_train
    from fomm_jax.errors import one_line_errors

    del sys.argv[1]
    console.hide_warnings_of_libraries()
    if word == "prepare":
        with one_line_errors():
            check_can_train("prepare")
    importlib.import_module(PIPELINE[word]).main()


def run_fomm_jax_convert() -> None:
    """Run the command `fomm-jax-convert`."""
    _end_quietly_while_loading()
    from fomm_jax.cli.convert import start

    start()


def _end_quietly_while_loading() -> None:
    """Let Ctrl-C end the program without a word until `ending_by_signals` changes that."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
