"""Reading .npz files that may be damaged, or something else."""

import os
import zipfile
import zlib
from collections.abc import Callable

import numpy as np

from fomm_jax.errors import InputError


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
