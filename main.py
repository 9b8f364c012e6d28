"""Train a model, reconstruct test videos, animate pictures; the README says more.

    python main.py --config=configs/actions_64.py --workdir=W --mode=train
    python main.py --config=configs/actions_64.py --workdir=W --mode=reconstruct
    python main.py --config=configs/actions_64.py --workdir=W --mode=animate
    python main.py --config=configs/actions_64.py --workdir=W --mode=animate \\
        --source=PICTURE --driving=VIDEO --output=OUT.mp4

Any field of the configuration is overridden as --config.train.num_steps=10.
"""

import pathlib
import sys
from typing import NoReturn

import jax
from absl import app, flags, logging
from flax import nnx
from ml_collections import ConfigDict, config_flags

from fomm_jax.animate import animate_files, animate_pairs
from fomm_jax.animator import Animator
from fomm_jax.checkpoints import restore_networks
from fomm_jax.config import Config, NormalizationConfig
from fomm_jax.config_dict import from_config_dict
from fomm_jax.errors import InputError
from fomm_jax.networks import Networks
from fomm_jax.perceptual_weights import load_vgg
from fomm_jax.reconstruct import reconstruct
from fomm_jax.train import NotFiniteError, train
from input_pipeline.loader import steps_per_epoch, training_batches
from input_pipeline.pairs import animation_pairs
from input_pipeline.sources import open_video
from input_pipeline.splits import split_videos

config_flags.DEFINE_config_file(
    "config", None, "File with get_config(), such as those in configs/."
)
MODE = flags.DEFINE_enum("mode", None, ["train", "reconstruct", "animate"], "What to do.")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run: checkpoints and all outputs.")
CHECKPOINT = flags.DEFINE_string(
    "checkpoint", None, "Checkpoint, or folder of them, to use in place of the workdir's newest."
)
SOURCE = flags.DEFINE_string("source", None, "Picture to animate.")
DRIVING = flags.DEFINE_string("driving", None, "Video whose motion it gets.")
OUTPUT = flags.DEFINE_string("output", None, "Film to write, .mp4 or .gif.")


def run_training(config: Config, workdir: pathlib.Path) -> None:
    """Train, or go on with training."""
    settings = config.train
    vgg = load_vgg(config.perceptual) if any(settings.loss_weights.perceptual) else {}
    per_epoch = steps_per_epoch(
        config.dataset, batch_size=settings.batch_size, num_repeats=settings.num_repeats
    )
    batches = training_batches(
        config.dataset,
        batch_size=settings.batch_size,
        num_repeats=settings.num_repeats,
        seed=settings.seed,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )
    train(config, workdir, batches, per_epoch, vgg)
    batches.close()
    print(f"Trained; checkpoints, event files and pictures are in {workdir}")


def load_animator(config: Config, motion: NormalizationConfig, batch_size: int) -> Animator:
    """The networks of --checkpoint, or of --workdir's newest, ready to animate."""
    folder = CHECKPOINT.value or WORKDIR.value
    if folder is None:
        raise InputError("--workdir or --checkpoint: expected one of them, to find the networks")
    networks = nnx.eval_shape(lambda: Networks(config.model, config.compat, rngs=nnx.Rngs(0)))
    return Animator(restore_networks(folder, networks), motion, batch_size)


def run_reconstruction(config: Config, workdir: pathlib.Path) -> None:
    """Reconstruct the test videos from their first frames."""
    absolute = NormalizationConfig(use_relative_movement=False)
    animator = load_animator(config, absolute, config.reconstruct.batch_size)
    paths = split_videos(config.dataset).test[: config.reconstruct.num_videos]
    folder = workdir / "reconstruction"
    report = reconstruct(
        animator,
        [open_video(path, config.dataset.frame_shape) for path in paths],
        folder,
        suffix=config.reconstruct.format,
        visualize=config.visualize,
    )
    print(f"L1 {report['l1']:.4f} over {report['frames']} frames of {report['videos']} videos")
    print(f"Films, pictures and metrics.json are in {folder}")


def run_animation(config: Config, workdir: pathlib.Path) -> None:
    """Animate pairs of test videos."""
    animator = load_animator(config, config.animate.normalization, config.animate.batch_size)
    folder = workdir / "animation"
    pairs = [
        tuple(open_video(path, config.dataset.frame_shape) for path in pair)
        for pair in animation_pairs(config.dataset, config.animate.num_pairs)
    ]
    animate_pairs(
        animator,
        pairs,
        folder,
        suffix=config.animate.format,
        visualize=config.visualize,
    )
    print(f"Films and pictures of {len(pairs)} pairs are in {folder}")


def run_file_animation(config: Config) -> None:
    """Animate --source by --driving."""
    animator = load_animator(config, config.animate.normalization, config.animate.batch_size)
    animate_files(
        animator, SOURCE.value, DRIVING.value, OUTPUT.value, config.dataset.frame_shape[:2]
    )
    print(f"The animation is in {OUTPUT.value}")


def run(config_dict: ConfigDict | None) -> None:
    """Check the flags against one another and do what --mode says."""
    files = [flag.value for flag in (SOURCE, DRIVING, OUTPUT)]
    if config_dict is None:
        raise InputError("--config: expected a file with get_config(), such as configs/tiny.py")
    if MODE.value is None:
        raise InputError("--mode: expected train, reconstruct or animate")
    if any(files) and (MODE.value != "animate" or not all(files)):
        raise InputError("--source, --driving, --output: expected all three, with --mode=animate")
    if WORKDIR.value is None and not any(files):
        raise InputError(f"--workdir: expected a folder for what --mode={MODE.value} writes")
    config = from_config_dict(config_dict)
    if any(files):
        return run_file_animation(config)
    modes = {"train": run_training, "reconstruct": run_reconstruction, "animate": run_animation}
    return modes[MODE.value](config, pathlib.Path(WORKDIR.value))


def refuse(message: str) -> NoReturn:
    """Leave with one line and the status of bad input."""
    print(f"main.py: {message}", file=sys.stderr)
    sys.exit(2)


def parse_flags(arguments: list[str]) -> list[str]:
    """Parse the command line; a wrong config field or file ends in one line."""
    try:
        rest = flags.FLAGS(arguments)
        if flags.FLAGS.config is not None:
            flags.FLAGS.config.to_dict()  # a missing file is told on the first look
    except OSError as error:
        refuse(f"--config: {str(error).splitlines()[-1].strip()}")
    except (flags.Error, InputError, AttributeError) as error:
        # ml_collections tells of a wrong field in two lines, within quotes within quotes.
        message = str(error).replace("\\n", " ").replace("\\'", "").strip("'\"")
        refuse(f"{' '.join(message.split())}; see main.py --help")
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.ERROR)  # Orbax tells of every file that it writes
    return rest


def main(_: list[str]) -> None:
    """Run, and turn what a user can act on into one line."""
    try:
        run(flags.FLAGS.config)
    except (InputError, NotFiniteError) as error:
        refuse(str(error))
    except KeyboardInterrupt:
        print("main.py: interrupted; the same command goes on from the last checkpoint")
        sys.exit(130)


if __name__ == "__main__":
    app.run(main, flags_parser=parse_flags)
