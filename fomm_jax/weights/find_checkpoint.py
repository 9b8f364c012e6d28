"""Find checkpoints of training without reading them, and without JAX."""

import os
import pathlib

from fomm_jax.errors import InputError
from fomm_jax.files import reading
from fomm_jax.user_paths import check_is_text
from fomm_jax.weights.other_files import NPZ_FILE, TORCH_FILE, check_is_no_other_file

FOLDER = "checkpoints"  # inside a workdir
# Files that Orbax writes into each checkpoint, or wrote in an earlier version.
MARKERS = ("_CHECKPOINT_METADATA", "orbax.checkpoint")


def find_checkpoint(folder: str | os.PathLike[str]) -> pathlib.Path:
    """Find the newest checkpoint in a folder.

    Args:
      folder: a workdir, its folder of checkpoints, or a checkpoint itself.

    Raises:
      InputError: there is no checkpoint, or the folder cannot be read or named.
    """
    check_is_text(folder)
    path = pathlib.Path(folder).absolute()
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
    if pathlib.Path(path).is_file():
        check_is_no_other_file(path, NPZ_FILE if _is_npz(path) else TORCH_FILE)
    else:
        find_checkpoint(path)


def check_is_state(path: str | os.PathLike[str]) -> None:
    """Check that a path, such as `load.load_state` takes, leads to a state of training.

    Raises:
      InputError: it leads to a file of weights alone, or to nothing that `check_is_model` accepts.
    """
    if _is_npz(path):
        raise InputError(
            f"{path}: holds no state of training to continue from; expected a checkpoint, or"
            f" config.train.init_from={path}"
        )
    check_is_model(path)


def list_checkpoints(folder: pathlib.Path) -> list[pathlib.Path]:
    """List the checkpoints that lie in a folder, in the order of their steps."""
    entries = folder.iterdir() if folder.is_dir() else ()
    checkpoints = [entry for entry in entries if entry.name.isdecimal() and _is_checkpoint(entry)]
    return sorted(checkpoints, key=lambda entry: int(entry.name))


def has_averages(path: pathlib.Path) -> bool:
    """Return whether a checkpoint has averages of its weights."""
    return (path / "averages").is_dir()


def _is_npz(path: str | os.PathLike[str]) -> bool:
    return os.fspath(path).endswith(".npz")


def _is_checkpoint(path: pathlib.Path) -> bool:
    return (path / "params").is_dir() and any((path / name).is_file() for name in MARKERS)
