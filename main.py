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

# What a mode needs is imported by its function: the loader's worker processes import this module
# too, and would each hold 200 MB of networks, plots and event files for nothing.
import contextlib
import pathlib
import sys
from typing import TYPE_CHECKING

from absl import app, flags
from ml_collections import ConfigDict, config_flags

from fomm_jax.command_line import one_line_errors, parse_flags
from fomm_jax.config import Config, NormalizationConfig
from fomm_jax.config_dict import from_config_dict
from fomm_jax.errors import InputError

if TYPE_CHECKING:
    from fomm_jax.animator import Animator

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


def run_training(config: Config, workdir: pathlib.Path) -> None:
    """Train, or go on with training."""
    import jax

    from fomm_jax.perceptual_weights import load_vgg
    from fomm_jax.termination import STATUS, TerminatedError
    from fomm_jax.train import NotFiniteError, train
    from input_pipeline.loader import training_batches

    if DISTRIBUTED.value:
        join_processes()
    settings = config.train
    batches = training_batches(
        config.dataset,
        batch_size=settings.batch_size,
        num_repeats=settings.num_repeats,
        seed=settings.seed,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )
    vgg = load_vgg(config.perceptual) if any(settings.loss_weights.perceptual) else {}
    try:
        with contextlib.closing(batches):
            steps = train(
                config, workdir, batches, batches.steps_per_epoch, vgg, begin_from=CHECKPOINT.value
            )
    except NotFiniteError as error:
        sys.exit(f"main.py: {error}")
    except TerminatedError as error:
        print(f"main.py: {error}", file=sys.stderr)
        sys.exit(STATUS)
    if jax.process_index() == 0:
        done = f"Trained {steps} steps" if steps else "All steps were done before; nothing to train"
        left_out = f"; {batches.num_bad} damaged videos were left out" if batches.num_bad else ""
        print(f"{done}{left_out}; checkpoints, event files and pictures are in {workdir}")


def load_animator(config: Config, motion: NormalizationConfig, batch_size: int) -> "Animator":
    """The networks of --checkpoint, or of --workdir's newest, ready to animate."""
    from fomm_jax.animator import Animator
    from fomm_jax.pretrained import load_pretrained

    folder = CHECKPOINT.value or WORKDIR.value
    if folder is None:
        raise InputError("--workdir or --checkpoint: expected one of them, to find the networks")
    return Animator(load_pretrained(folder, config), motion, batch_size)


def run_reconstruction(config: Config, workdir: pathlib.Path) -> None:
    """Reconstruct the test videos from their first frames."""
    from fomm_jax.evaluators import EVALUATORS
    from fomm_jax.event_files import read_curves
    from fomm_jax.reconstruct import reconstruct
    from input_pipeline.evaluation import open_test_videos

    settings, folder = config.reconstruct, workdir / "reconstruction"
    absolute = NormalizationConfig(use_relative_movement=False)
    evaluator = EVALUATORS[settings.evaluator]() if settings.evaluator else None
    report = reconstruct(
        load_animator(config, absolute, settings.batch_size),
        open_test_videos(config.dataset, settings.num_videos),
        folder,
        suffix=settings.format,
        visualize=config.visualize,
        evaluator=evaluator,
        curves=read_curves(workdir),
    )
    print(f"L1 {report['l1']:.4f} over {report['frames']} frames of {report['videos']} videos")
    print(f"Films, pictures, metrics.json and report.html are in {folder}")


def run_animation(config: Config, workdir: pathlib.Path) -> None:
    """Animate pairs of test videos."""
    from fomm_jax.animate import animate_pairs
    from input_pipeline.evaluation import open_test_pairs

    settings, folder = config.animate, workdir / "animation"
    pairs = open_test_pairs(config.dataset, settings.num_pairs)
    animator = load_animator(config, settings.normalization, settings.batch_size)
    animate_pairs(animator, pairs, folder, suffix=settings.format, visualize=config.visualize)
    print(f"Films and pictures of {len(pairs)} pairs are in {folder}")


def run_file_animation(config: Config, source: str, driving: str, output: str) -> None:
    """Animate a user's picture by a user's video."""
    from fomm_jax.animate import animate_files

    settings, size = config.animate, config.dataset.frame_shape[:2]
    animator = load_animator(config, settings.normalization, settings.batch_size)
    animate_files(animator, source, driving, output, size)
    print(f"The animation is in {output}")


def run_comparison(config_dict: ConfigDict | None) -> None:
    """Compare with recordings of the original, or with the original itself."""
    from fomm_jax.compare import compare_live, compare_recordings, write_reports
    from fomm_jax.comparison_report import is_over, summarize

    if REFERENCE.value is None:
        raise InputError("--reference: expected recordings of the original, or a clone of it")
    if OUTPUT.value is not None:
        raise InputError("--output: is of no use with --mode=compare, which writes to --workdir")
    reference = pathlib.Path(REFERENCE.value)
    if (reference / "modules" / "model.py").is_file():
        if config_dict is None or CHECKPOINT.value is None:
            raise InputError("--reference is a clone: expected --config and --checkpoint=FILE too")
        pair = SOURCE.value, DRIVING.value
        found = compare_live(reference, from_config_dict(config_dict), CHECKPOINT.value, *pair)
    else:
        if config_dict is not None or SOURCE.value or DRIVING.value:
            raise InputError(
                "--config, --source, --driving: expected with a clone of the original alone;"
                f" {reference} is none, and recordings have their own"
            )
        found = compare_recordings(reference, CHECKPOINT.value)
    folder = pathlib.Path(WORKDIR.value or ".") / "comparison"
    write_reports(found, folder)
    print(f"{summarize(found)}\nJSON, Markdown and a page are in {folder}")
    sys.exit(is_over(found))


def run(config_dict: ConfigDict | None) -> None:
    """Check the flags against one another and do what --mode says."""
    if DISTRIBUTED.value and MODE.value != "train":
        raise InputError("--distributed: expected with --mode=train alone")
    if MODE.value is None:
        raise InputError("--mode: expected train, reconstruct, animate or compare")
    if MODE.value == "compare":
        run_comparison(config_dict)
        return
    if config_dict is None:
        raise InputError("--config: expected a file with get_config(), such as configs/tiny.py")
    config = from_config_dict(config_dict)
    source, driving, output = SOURCE.value, DRIVING.value, OUTPUT.value
    if MODE.value == "animate" and source and driving and output:
        run_file_animation(config, source, driving, output)
        return
    if source or driving or output:
        raise InputError("--source, --driving, --output: expected all three, with --mode=animate")
    if WORKDIR.value is None:
        raise InputError(f"--workdir: expected a folder for what --mode={MODE.value} writes")
    modes = {"train": run_training, "reconstruct": run_reconstruction, "animate": run_animation}
    modes[MODE.value](config, pathlib.Path(WORKDIR.value))


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
