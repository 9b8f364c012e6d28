"""The flags that several modes read, and the names of the modes."""

import contextlib
import dataclasses
import os
import re
from collections.abc import Callable, Collection, Iterator

from absl import flags
from ml_collections import config_flags

from fomm_jax.buckets import AnyPath, to_path
from fomm_jax.cli.config_names import A_CONFIG
from fomm_jax.cli.path_flags import (
    MODEL_PATH,
    PATH,
    PATH_OR_NOTHING,
    PATH_SERIALIZER,
    STORED_PATH,
)
from fomm_jax.config.parsing import from_config_dict
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError, naming
from fomm_jax.user_paths import (
    expand_home,
    parse_model_path,
    parse_path,
    parse_stored_path,
)

# Each is the name of a module of this package, whose function `run` does the work.
TRAINING_MODES = ("train", "train_avd")
MODES = [
    *TRAINING_MODES,
    *("reconstruct", "animate", "live", "compare", "profile", "verify", "demo", "app"),
]

config_flags.DEFINE_config_file(
    "config",
    None,
    "Name of a configuration, such as vox_256, or Python file whose get_config() returns one.",
)
MODE = flags.DEFINE_enum(
    "mode",
    None,
    MODES,
    "What to do. train: train a model. train_avd: train the AVD network of a finished thin-plate"
    " model. reconstruct: reconstruct the test videos and measure the errors. animate: animate"
    " pictures, or pairs of test videos. live: animate a picture by a camera, while it happens."
    " compare: compare with the original. profile: find what a training step spends its time on."
    " verify: tell whether a film or picture is marked as generated. demo: animate drawn heads"
    " with the included model. app: open a page for the browser.",
)
WORKDIR = flags.DEFINE(
    STORED_PATH,
    "workdir",
    None,
    "Folder of a training run, on this computer or at gs://BUCKET/FOLDER. It holds the checkpoints"
    " and all outputs.",
)
CHECKPOINT = flags.DEFINE(
    MODEL_PATH,
    "checkpoint",
    None,
    "Checkpoint, folder of checkpoints, safetensors file, or file of the original, on this computer"
    " or at gs://BUCKET/PATH; or hf:ORGANISATION/NAME[@REVISION], a model on the Hugging Face Hub."
    " The mode uses it in place of the workdir's newest checkpoint; training in a new workdir"
    " starts from it.",
)
# absl itself adds to the help of these three that they may be repeated.
SOURCE = flags.DEFINE_multi(
    PATH,
    PATH_SERIALIZER,
    "source",
    None,
    "Picture to animate, or a pattern such as '*.jpg'; or a video, each frame of which is animated",
)
DRIVING = flags.DEFINE_multi(
    PATH,
    PATH_SERIALIZER,
    "driving",
    None,
    "Video that moves the picture, or a pattern, or - for raw frames from standard input",
)
MOTION = flags.DEFINE_multi(
    PATH,
    PATH_SERIALIZER,
    "motion",
    None,
    "File of --save_motion that moves the picture in place of a video, or a pattern",
)
OUTPUT = flags.DEFINE(
    STORED_PATH,
    "output",
    None,
    "Film to write, in .mp4 or .gif, on this computer or at gs://BUCKET/PATH; a folder if there are"
    " several films; or - for raw frames to standard output. With --mode=live: virtual for a"
    " virtual camera, or -; default: a window.",
)
REFERENCE = flags.DEFINE(
    PATH,
    "reference",
    None,
    "With --mode=compare: folder of recordings of the original, or of a clone of the original.",
)
INPUT = flags.DEFINE(
    PATH, "input", None, "With --mode=verify: film or picture whose marks are read."
)
PORT = flags.DEFINE_integer(
    "port",
    None,
    "With --mode=app: port of this computer where the page is served. Default: the first free one"
    " from 7860 on.",
)
COMPILATION_CACHE = flags.DEFINE(
    PATH_OR_NOTHING,
    "compilation_cache",
    None,
    "Folder where compiled programs are kept for later runs. --compilation_cache= keeps none."
    " Default: the value of JAX_COMPILATION_CACHE_DIR, or else a folder fomm_jax among those where"
    " your system keeps caches, such as ~/.cache.",
)
DISTRIBUTED = flags.DEFINE_boolean(
    "distributed",
    False,
    "With --mode=train: train in several processes, of which this is one. On Cloud TPU, Slurm and"
    " Kubernetes they find each other; elsewhere --coordinator, --num_processes and --process_id"
    " are needed.",
)
COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "With --distributed: HOST:PORT of the first process."
)
NUM_PROCESSES = flags.DEFINE_integer(
    "num_processes", None, "With --distributed: number of processes."
)
PROCESS_ID = flags.DEFINE_integer(
    "process_id", None, "With --distributed: number of this process, from 0."
)


def read_config() -> Config | None:
    """Return the configuration of --config; None if the flag is not given.

    Raises:
      InputError: a field of it has no usable value.
    """
    config_dict = flags.FLAGS.config
    return None if config_dict is None else _expand_homes(from_config_dict(config_dict))


def _expand_homes(config: Config) -> Config:
    """Replace a leading `~` in all paths of a configuration.

    Raises:
      InputError: a path cannot be used, such as the address of something on a network. That of
        root_dir is left to the reader of datasets.
    """
    dataset, train, perceptual = config.dataset, config.train, config.perceptual
    return dataclasses.replace(
        config,
        dataset=dataclasses.replace(
            dataset,
            root_dir=expand_home(dataset.root_dir),
            pairs_list=dataset.pairs_list
            and _parse(parse_path, "dataset.pairs_list", dataset.pairs_list),
        ),
        train=dataclasses.replace(
            train,
            init_from=train.init_from
            and _parse(parse_model_path, "train.init_from", train.init_from),
        ),
        perceptual=dataclasses.replace(
            perceptual,
            weights=_parse(parse_stored_path, "perceptual.weights", perceptual.weights),
        ),
    )


def _parse(read: Callable[[str], str], field: str, path: str) -> str:
    with naming(f"config.{field}"):
        return read(path)


def read_config_and_workdir() -> tuple[Config, AnyPath]:
    """Return what a mode needs that works on the configured dataset and writes into a workdir.

    Raises:
      InputError: --config or --workdir is missing, or files to animate are given.
    """
    config = read_config()
    if config is None:
        raise InputError(f"--config: expected {A_CONFIG}")
    if names_files():
        raise InputError("--source, --driving, --output: expected with --mode=animate")
    if WORKDIR.value is None:
        raise InputError(f"--workdir: expected a folder for what --mode={MODE.value} writes")
    return config, to_path(WORKDIR.value)


def names_files() -> bool:
    """Tell whether a flag names a file to animate or to write."""
    return any((SOURCE.value, DRIVING.value, MOTION.value, OUTPUT.value))


def model_path() -> str | None:
    """Return the path of the model, --checkpoint or else --workdir; None if neither is given."""
    return CHECKPOINT.value or WORKDIR.value


@contextlib.contextmanager
def names_as_flags(names: Collection[str]) -> Iterator[None]:
    """Write flags for the arguments at the beginning of an `InputError`'s message.

    The library, which knows nothing of flags, says "best_frame=9: expected less than 7"; the user
    has written --best_frame=9.

    Args:
      names: the names of arguments that are also names of flags.
    """
    try:
        yield
    except InputError as error:
        match = re.match(r"(\w+(?:, \w+)*)([=:].*)", str(error), re.DOTALL)
        arguments = match[1].split(", ") if match else []
        # A file that is named as an argument is meant itself.
        if match is None or not set(arguments).issubset(names) or os.path.lexists(match[1]):
            raise
        flag_names = ", ".join(f"--{argument}" for argument in arguments)
        raise InputError(flag_names + match[2]) from error
