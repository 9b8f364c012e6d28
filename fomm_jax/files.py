"""Files that are either whole or not there."""

import contextlib
import os
import pathlib
import zipfile
import zlib
from collections.abc import Callable, Iterator

import numpy as np

from fomm_jax.errors import InputError


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """A name to write to, in the folder of `path`, which becomes `path` when the block ends.

    Missing folders on the way to it are made. On an error an earlier file stays as it was.

    Raises:
      InputError: nothing can be written there.
    """
    target = pathlib.Path(path)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.unfinished")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        unfinished.replace(target)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror or error})") from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()


def check_can_write(path: str | os.PathLike[str]) -> None:
    """Tell before long work whether `replacing` will find a folder that can be written.

    Raises:
      InputError: it will not.
    """
    folder = pathlib.Path(path).parent
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not there.is_dir():
        raise InputError(f"{path}: cannot be written ({there} is no folder)")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"{path}: cannot be written (no permission for {there})")


def read_npz(
    path: str | os.PathLike[str], wanted: Callable[[str], bool] = lambda name: True
) -> dict[str, np.ndarray]:
    """The arrays of a file whose names are wanted; others are not read.

    Raises:
      InputError: the file is not there, or cannot be read.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files if wanted(name)}
    except FileNotFoundError as error:
        raise InputError(f"{path}: is not there") from error
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: is not a whole and readable .npz file") from error
