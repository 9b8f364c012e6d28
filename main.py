"""Train a model, reconstruct test videos, animate pictures, compare with the original.

    python main.py --config=configs/actions_64.py --workdir=W --mode=train
    python main.py --config=configs/actions_64.py --workdir=W --mode=reconstruct
    python main.py --config=configs/actions_64.py --workdir=W --mode=animate
    python main.py --checkpoint=W --mode=animate --source=PICTURE --driving=VIDEO --output=OUT.mp4
    python main.py --mode=compare --reference=RECORDINGS
    python main.py --mode=compare --reference=CLONE_OF_THE_ORIGINAL \\
        --config=configs/vox_256.py --checkpoint=vox-cpk.pth.tar
    python main.py --mode=verify --input=FILM_OR_PICTURE

Any field of the configuration is overridden as --config.train.num_steps=10.
"""

# The modes are imported where they are called: the loader's worker processes import this file too,
# and would each hold 200 MB of networks, plots and event files for nothing.
import pathlib
import sys

from absl import app, flags
from ml_collections import ConfigDict, config_flags

import animation_flags
import marking_flags
from fomm_jax.command_line import one_line_errors, parse_flags
from fomm_jax.config_dict import from_config_dict
from fomm_jax.errors import InputError
from fomm_jax.file_patterns import expand_patterns
from fomm_jax.output_paths import PIPE

MODES = ["train", "reconstruct", "animate", "compare", "profile", "verify", "demo", "app"]

config_flags.DEFINE_config_file(
    "config", None, "File with get_config(), such as those in configs/."
)
MODE = flags.DEFINE_enum("mode", None, MODES, "What to do.")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run: checkpoints and all outputs.")
CHECKPOINT = flags.DEFINE_string(
    "checkpoint",
    None,
    "Checkpoint, folder of them, or file of the original, to use in place of the workdir's newest;"
    " training in a new workdir goes on from it.",
)
SOURCE = flags.DEFINE_multi_string(
    "source", None, "Picture to animate, or a pattern such as '*.jpg'; may be given several times."
)
DRIVING = flags.DEFINE_multi_string(
    "driving",
    None,
    "Video whose motion it gets, or - for raw frames from a pipe; as --source, one or several.",
)
MOTION = flags.DEFINE_multi_string(
    "motion", None, "In place of --driving: a file of --save_motion; several and patterns as well."
)
OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "Film to write, .mp4 or .gif; a folder where there are several; or - for raw frames to a pipe.",
)
REFERENCE = flags.DEFINE_string(
    "reference", None, "What to compare with: recordings of the original, or a clone of it."
)
INPUT = flags.DEFINE_string("input", None, "Film or picture whose marks --mode=verify reads.")
PORT = flags.DEFINE_integer(
    "port", None, "Of localhost, for --mode=app; default: the first free one from 7860 on."
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
            run_verification()
        case "compare":
            run_comparison(config_dict)
        case "demo":
            from modes import demo

            workdir = pathlib.Path(WORKDIR.value or "demo")
            demo.run(workdir, marking_flags.read_marking(checkpoint=None))
        case "app":
            from modes import app as page

            config = None if config_dict is None else from_config_dict(config_dict)
            checkpoint = CHECKPOINT.value or WORKDIR.value
            marking = marking_flags.read_marking(checkpoint)
            page.run(config, checkpoint, marking, PORT.value)
        case "animate" if animates_files:
            run_file_animation(config_dict)
        case _ if config_dict is None:
            raise InputError("--config: expected a file with get_config(), such as configs/tiny.py")
        case mode:
            if any(files):
                raise InputError("--source, --driving, --output: expected with --mode=animate")
            run_in_workdir(mode, config_dict)


def run_comparison(config_dict: ConfigDict | None) -> None:
    """Compare with --reference."""
    from modes import compare

    if REFERENCE.value is None:
        raise InputError("--reference: expected recordings of the original, or a clone of it")
    if OUTPUT.value is not None:
        raise InputError("--output: is of no use with --mode=compare, which writes to --workdir")
    if len(SOURCE.value or []) > 1 or len(DRIVING.value or []) > 1:
        raise InputError("--source, --driving: expected one of each with --mode=compare")
    compare.run(
        pathlib.Path(REFERENCE.value),
        config_dict,
        CHECKPOINT.value,
        (SOURCE.value[0] if SOURCE.value else None, DRIVING.value[0] if DRIVING.value else None),
        pathlib.Path(WORKDIR.value or "."),
    )


def run_verification() -> None:
    """Read the marks of --input."""
    from modes import verify

    if INPUT.value is None:
        raise InputError("--input: expected the film or picture to look at")
    verify.run(INPUT.value)


def run_file_animation(config_dict: ConfigDict | None) -> None:
    """Animate pictures by videos."""
    from modes import animate

    drivings, motions = DRIVING.value or [], MOTION.value or []
    if not (SOURCE.value and (drivings or motions) and OUTPUT.value):
        raise InputError(
            "--source, --driving (or --motion), --output: expected all three, or none of them"
        )
    checkpoint = CHECKPOINT.value or WORKDIR.value
    animate.run_files(
        config_dict and from_config_dict(config_dict),
        checkpoint,
        expand_patterns(SOURCE.value, "--source"),
        expand_patterns(drivings, "--driving"),
        expand_patterns(motions, "--motion"),
        OUTPUT.value,
        animation_flags.read_options(),
        raw_format=animation_flags.read_raw_format(reads_pipe=PIPE in drivings),
        batch_size=animation_flags.BATCH_SIZE.value,
        marking=marking_flags.read_marking(checkpoint),
    )


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
            from modes import train

            train.run(config, workdir, CHECKPOINT.value)
        case "profile":
            from modes import profile

            profile.run(config, workdir)
        case "reconstruct":
            from modes import reconstruct

            marking = marking_flags.read_marking(CHECKPOINT.value or WORKDIR.value)
            reconstruct.run(config, workdir, CHECKPOINT.value, marking)
        case "animate":
            from modes import animate

            marking = marking_flags.read_marking(CHECKPOINT.value or WORKDIR.value)
            animate.run_pairs(config, workdir, CHECKPOINT.value, marking)


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
