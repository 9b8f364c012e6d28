"""Check the flags against one another, and run the mode that they ask for.

The modes are imported where they are called: the loader's worker processes import main.py, and
with it this file, and would each hold 200 MB of networks, plots and event files for nothing.
"""

import pathlib
import sys

from absl import flags
from ml_collections import ConfigDict

from fomm_jax import console
from fomm_jax.cli import animation_flags, marking_flags
from fomm_jax.cli.flags import (
    CHECKPOINT,
    COMPILATION_CACHE,
    COORDINATOR,
    DISTRIBUTED,
    DRIVING,
    INPUT,
    MODE,
    MODES,
    MOTION,
    NUM_PROCESSES,
    OUTPUT,
    PORT,
    PROCESS_ID,
    SOURCE,
    WORKDIR,
)
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.errors import InputError, naming, one_line_errors
from fomm_jax.files import writing


def join_processes() -> None:
    """Find the other processes of the run."""
    import jax

    try:
        jax.distributed.initialize(COORDINATOR.value, NUM_PROCESSES.value, PROCESS_ID.value)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            "--distributed: the processes do not find each other; expected Cloud TPU, Slurm,"
            " Kubernetes, or --coordinator=HOST:PORT, --num_processes and --process_id"
            f" ({' '.join(str(error).split())})"
        ) from error


def keep_compiled(folder: pathlib.Path) -> None:
    """Have compiled programs written to a folder, and read from it."""
    import jax

    with naming("--compilation_cache"), writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    jax.config.update("jax_compilation_cache_dir", str(folder))


def run(config_dict: ConfigDict | None) -> None:
    """Check the flags against one another and do what --mode says."""
    if COMPILATION_CACHE.value:
        keep_compiled(pathlib.Path(COMPILATION_CACHE.value))
    if DISTRIBUTED.value and MODE.value != "train":
        raise InputError("--distributed: expected with --mode=train alone")
    files = SOURCE.value, DRIVING.value, MOTION.value, OUTPUT.value
    animates_files = MODE.value == "animate" and any(files)
    if not animates_files:
        animation_flags.check_unused()
    if MODE.value not in ("animate", "reconstruct", "demo", "app"):
        marking_flags.check_unused()
    if INPUT.value is not None and MODE.value != "verify":
        raise InputError("--input: expected with --mode=verify")
    match MODE.value:
        case None:
            raise InputError(f"--mode: expected one of {', '.join(MODES)}")
        case "verify":
            from fomm_jax.cli import verify

            verify.run_verification()
        case "compare":
            from fomm_jax.cli import compare

            compare.run_comparison(config_dict)
        case "demo":
            from fomm_jax.cli import demo

            workdir = pathlib.Path(WORKDIR.value or "demo")
            demo.run(workdir, marking_flags.read_marking(checkpoint=None))
        case "app":
            from fomm_jax.cli import app as page

            config = None if config_dict is None else from_config_dict(config_dict)
            checkpoint = CHECKPOINT.value or WORKDIR.value
            marking = marking_flags.read_marking(checkpoint)
            page.run(config, checkpoint, marking, PORT.value)
        case "animate" if animates_files:
            from fomm_jax.cli import animate

            animate.run_file_animation(config_dict)
        case _ if config_dict is None:
            raise InputError("--config: expected a file with get_config(), such as configs/tiny.py")
        case mode:
            if any(files):
                raise InputError("--source, --driving, --output: expected with --mode=animate")
            run_in_workdir(mode, config_dict)


def run_in_workdir(mode: str, config_dict: ConfigDict) -> None:
    """Do what a mode does with a config's data, in --workdir."""
    config = from_config_dict(config_dict)
    if WORKDIR.value is None:
        raise InputError(f"--workdir: expected a folder for what --mode={mode} writes")
    workdir = pathlib.Path(WORKDIR.value)
    match mode:
        case "train":
            if DISTRIBUTED.value:
                join_processes()
            from fomm_jax.cli import train

            train.run(config, workdir, CHECKPOINT.value)
        case "profile":
            from fomm_jax.cli import profile

            profile.run(config, workdir)
        case "reconstruct":
            from fomm_jax.cli import reconstruct

            marking = marking_flags.read_marking(CHECKPOINT.value or WORKDIR.value)
            reconstruct.run(config, workdir, CHECKPOINT.value, marking)
        case "animate":
            from fomm_jax.cli import animate

            marking = marking_flags.read_marking(CHECKPOINT.value or WORKDIR.value)
            animate.run_pairs(config, workdir, CHECKPOINT.value, marking)


def main(_: list[str]) -> None:
    """Run, and turn what a user can act on into one line."""
    console.show_messages()
    try:
        with one_line_errors():
            run(flags.FLAGS.config)
    except KeyboardInterrupt:
        rest = "; the same command goes on from the last checkpoint"
        print(f"main.py: interrupted{rest if MODE.value == 'train' else ''}", file=sys.stderr)
        sys.exit(130)
