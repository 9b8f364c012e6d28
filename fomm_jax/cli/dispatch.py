"""Run the mode of --mode."""

import importlib

from fomm_jax import console
from fomm_jax.cli import animation_flags, extras, live_flags, marking_flags
from fomm_jax.cli.compilation_cache import use_compilation_cache
from fomm_jax.cli.flags import (
    COMPILATION_CACHE,
    DISTRIBUTED,
    INPUT,
    MODE,
    MODES,
    TRAINING_MODES,
    names_files,
)
from fomm_jax.errors import InputError, one_line_errors
from fomm_jax.signals import ending_by_signals
from fomm_jax.training.signals import HOW_TO_GO_ON


def main(_: list[str]) -> None:
    """Run the mode, and end in one line on bad input or Ctrl-C."""
    console.show_messages()
    hint = HOW_TO_GO_ON if MODE.value in TRAINING_MODES else ""
    with ending_by_signals(), one_line_errors(hint):
        _run_mode()


def _run_mode() -> None:
    if MODE.value is None:
        raise InputError(f"--mode: expected one of {', '.join(MODES)}")
    _check_unused_flags(MODE.value)
    if MODE.value in extras.MODES:
        extras.check_can_train(f"--mode={MODE.value}")
    use_compilation_cache(COMPILATION_CACHE.value)
    # The mode is imported here because the loader's worker processes import the program, and with
    # it this file: networks, plots and event files would take 200 MB in each of them for nothing.
    importlib.import_module(f"fomm_jax.cli.modes.{MODE.value}").run()


def _check_unused_flags(mode: str) -> None:
    """Raise an `InputError` if a flag is given that the mode does not read."""
    if DISTRIBUTED.value and mode not in TRAINING_MODES:
        raise InputError(f"--distributed: expected with --mode={' or '.join(TRAINING_MODES)} alone")
    if not (mode == "live" or (mode == "animate" and names_files())):
        animation_flags.check_unused()
    if mode != "live":
        live_flags.check_unused()
    if mode not in ("animate", "reconstruct", "demo", "app"):
        marking_flags.check_unused()
    if INPUT.value is not None and mode != "verify":
        raise InputError("--input: expected with --mode=verify")
