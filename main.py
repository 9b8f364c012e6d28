"""Train a model, reconstruct test videos, animate pictures, compare with the original.

    python main.py --config=configs/actions_64.py --workdir=W --mode=train
    python main.py --config=configs/actions_64.py --workdir=W --mode=reconstruct
    python main.py --config=configs/actions_64.py --workdir=W --mode=animate
    python main.py --config=configs/actions_64.py --workdir=W --mode=animate \\
        --source=PICTURE --driving=VIDEO --output=OUT.mp4
    python main.py --mode=compare --reference=RECORDINGS
    python main.py --mode=compare --reference=CLONE_OF_THE_ORIGINAL \\
        --config=configs/vox_256.py --checkpoint=vox-cpk.pth.tar

Any field of the configuration is overridden as --config.train.num_steps=10.
"""

# The modes are imported where they are called: the loader's worker processes import this file too,
# and would each hold 200 MB of networks, plots and event files for nothing.
import pathlib
import sys

from absl import app, flags
from ml_collections import ConfigDict, config_flags

from fomm_jax.command_line import one_line_errors, parse_flags
from fomm_jax.config_dict import from_config_dict
from fomm_jax.errors import InputError

config_flags.DEFINE_config_file(
    "config", None, "File with get_config(), such as those in configs/."
)
MODE = flags.DEFINE_enum(
    "mode", None, ["train", "reconstruct", "animate", "compare"], "What to do."
)
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run: checkpoints and all outputs.")
CHECKPOINT = flags.DEFINE_string(
    "checkpoint",
    None,
    "Checkpoint, folder of them, or file of the original, to use in place of the workdir's newest;"
    " training in a new workdir goes on from it.",
)
SOURCE = flags.DEFINE_string("source", None, "Picture to animate.")
DRIVING = flags.DEFINE_string("driving", None, "Video whose motion it gets.")
OUTPUT = flags.DEFINE_string("output", None, "Film to write, .mp4 or .gif.")
REFERENCE = flags.DEFINE_string(
    "reference", None, "What to compare with: recordings of the original, or a clone of it."
)
COMPILATION_CACHE = flags.DEFINE_string(
    "compilation_cache",
    None,
    "Folder for compiled programs, which later runs then load; default: JAX_COMPILATION_CACHE_DIR,"
    " else none.",
)
DISTRIBUTED = flags.DEFINE_boolean(
    "distributed",
    False,
    "Train in several processes, of which this is one. On Cloud TPU, Slurm and Kubernetes they find"
    " each other; elsewhere the next three flags tell.",
)
COORDINATOR = flags.DEFINE_string("coordinator", None, "HOST:PORT of the first process.")
NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "Number of processes.")
PROCESS_ID = flags.DEFINE_integer("process_id", None, "Which one this is, from 0.")


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

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--compilation_cache: {folder} cannot be written ({error.strerror})"
        ) from error
    jax.config.update("jax_compilation_cache_dir", str(folder))


def run(config_dict: ConfigDict | None) -> None:
    """Check the flags against one another and do what --mode says."""
    if COMPILATION_CACHE.value:
        keep_compiled(pathlib.Path(COMPILATION_CACHE.value))
    if DISTRIBUTED.value and MODE.value != "train":
        raise InputError("--distributed: expected with --mode=train alone")
    match MODE.value:
        case None:
            raise InputError("--mode: expected train, reconstruct, animate or compare")
        case "compare":
            run_comparison(config_dict)
        case _ if config_dict is None:
            raise InputError("--config: expected a file with get_config(), such as configs/tiny.py")
        case "animate" if SOURCE.value and DRIVING.value and OUTPUT.value:
            run_file_animation(config_dict, SOURCE.value, DRIVING.value, OUTPUT.value)
        case mode:
            run_in_workdir(mode, config_dict)


def run_comparison(config_dict: ConfigDict | None) -> None:
    """Compare with --reference."""
    from modes import compare

    if REFERENCE.value is None:
        raise InputError("--reference: expected recordings of the original, or a clone of it")
    if OUTPUT.value is not None:
        raise InputError("--output: is of no use with --mode=compare, which writes to --workdir")
    compare.run(
        pathlib.Path(REFERENCE.value),
        config_dict,
        CHECKPOINT.value,
        (SOURCE.value, DRIVING.value),
        pathlib.Path(WORKDIR.value or "."),
    )


def run_file_animation(config_dict: ConfigDict, source: str, driving: str, output: str) -> None:
    """Animate a picture by a video."""
    from modes import animate

    checkpoint = CHECKPOINT.value or WORKDIR.value
    if checkpoint is None:
        raise InputError("--workdir or --checkpoint: expected one of them, to find the networks")
    config = from_config_dict(config_dict)
    animate.run_files(config, checkpoint, source, driving, output)


def run_in_workdir(mode: str, config_dict: ConfigDict) -> None:
    """Do what a mode does with a config's data, in --workdir."""
    config = from_config_dict(config_dict)
    if SOURCE.value or DRIVING.value or OUTPUT.value:
        raise InputError("--source, --driving, --output: expected all three, with --mode=animate")
    if WORKDIR.value is None:
        raise InputError(f"--workdir: expected a folder for what --mode={mode} writes")
    workdir = pathlib.Path(WORKDIR.value)
    match mode:
        case "train":
            if DISTRIBUTED.value:
                join_processes()
            from modes import train

            train.run(config, workdir, CHECKPOINT.value)
        case "reconstruct":
            from modes import reconstruct

            reconstruct.run(config, workdir, CHECKPOINT.value)
        case "animate":
            from modes import animate

            animate.run_pairs(config, workdir, CHECKPOINT.value)


def main(_: list[str]) -> None:
    """Run, and turn what a user can act on into one line."""
    try:
        with one_line_errors():
            run(flags.FLAGS.config)
    except KeyboardInterrupt:
        rest = "; the same command goes on from the last checkpoint"
        print(f"main.py: interrupted{rest if MODE.value == 'train' else ''}", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
