"""Find checkpoints of training without reading them, and without JAX."""

import os

from fomm_jax.buckets import AnyPath, absolute, is_in_bucket, list_folder
from fomm_jax.errors import InputError
from fomm_jax.files import is_file, reading
from fomm_jax.user_paths import check_is_text
from fomm_jax.weights.hub import is_on_hub, local_path
from fomm_jax.weights.other_files import (
    ENDINGS,
    NPZ_FILE,
    SAFETENSORS_FILE,
    TORCH_FILE,
    check_is_no_other_file,
)

FOLDER = "checkpoints"  # inside a workdir
# Files that Orbax writes into each checkpoint, or wrote in an earlier version.
MARKERS = ("_CHECKPOINT_METADATA", "orbax.checkpoint")
# The last file that Orbax writes into each checkpoint in a bucket, where nothing can be renamed.
LAST_FILE = "commit_success.txt"


def find_checkpoint(folder: str | os.PathLike[str]) -> AnyPath:
    """Find the newest checkpoint in a folder.

    Args:
      folder: a workdir, its folder of checkpoints, or a checkpoint itself.

    Raises:
      InputError: there is no checkpoint, or the folder cannot be read or named.
    """
    check_is_text(folder)
    path = absolute(folder)
    with reading(folder):
        for parent in (path / FOLDER, path):
            if checkpoints := list_checkpoints(parent):
                return checkpoints[-1]
        if _is_checkpoint(path):
            return path
    raise InputError(f"{folder}: no checkpoint here; expected a workdir that was trained in")


def check_is_model(path: str | os.PathLike[str]) -> None:
    """Check that a path, such as `load.load_pretrained` takes, leads to a file or a checkpoint.

    Raises:
      InputError: it does not, or the file is recognised as something else than weights.
    """
    path = local_path(path)
    if (kind := _weights_alone(path)) or is_file(path):
        check_is_no_other_file(path, kind or TORCH_FILE)
    else:
        find_checkpoint(path)


def check_is_state(path: str | os.PathLike[str]) -> None:
    """Check that a path, such as `load.load_state` takes, leads to a state of training.

    Raises:
      InputError: it leads to a file of weights alone, or to nothing that `check_is_model` accepts.
    """
    if is_on_hub(path) or _weights_alone(path):
        raise InputError(
            f"{path}: holds no state of training to continue from; expected a checkpoint, or"
            f" config.train.init_from={path}"
        )
    check_is_model(path)


def list_checkpoints(folder: AnyPath) -> list[AnyPath]:
    """List the checkpoints that lie in a folder, in the order of their steps."""
    entries = list_folder(folder)
    checkpoints = [entry for entry in entries if entry.name.isdecimal() and _is_checkpoint(entry)]
    return sorted(checkpoints, key=lambda entry: int(entry.name))


def has_part(path: AnyPath, part: str) -> bool:
    """Return whether a checkpoint has a part, such as `averages`."""
    return (path / part).is_dir()


def _weights_alone(path: str | os.PathLike[str]) -> str | None:
    """Return the kind of a file that holds weights alone, by its name; None for any other path."""
    kinds = (NPZ_FILE, SAFETENSORS_FILE)
    return next((kind for kind in kinds if os.fspath(path).endswith(ENDINGS[kind])), None)


def _is_checkpoint(path: AnyPath) -> bool:
    markers = (LAST_FILE,) if is_in_bucket(path) else MARKERS
    return (path / "params").is_dir() and any((path / name).is_file() for name in markers)
