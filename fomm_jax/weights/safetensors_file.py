"""Read and write safetensors files: tensors by name, and a few texts beside them."""

import contextlib
import os
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fomm_jax.errors import InputError
from fomm_jax.files import local_file, reading, replacing
from fomm_jax.weights.other_files import SAFETENSORS_FILE, check_is_no_other_file

SUFFIX = ".safetensors"
LONGEST_REASON = 200  # characters; the library may list all types that there are


def is_safetensors(path: str | os.PathLike[str]) -> bool:
    """Return whether a path has the name of a safetensors file."""
    return os.fspath(path).endswith(SUFFIX)


def write_safetensors(
    path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], texts: Mapping[str, str]
) -> None:
    """Write a safetensors file.

    Args:
      path: the file to write; it appears only when it is whole.
      arrays: the tensors by name.
      texts: what the file's metadata say, by name.

    Raises:
      InputError: the file cannot be written.
    """
    from safetensors.numpy import save

    # The library takes the memory of an array, in whatever order its axes are there. It would write
    # a file for its owner alone, under a name of its own that a signal leaves behind.
    in_order = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    content = save(in_order, dict(texts))
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)


def read_safetensors(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Read the tensors of a safetensors file by name; bfloat16 is `ml_dtypes.bfloat16`.

    Raises:
      InputError: the file is missing, damaged, cut short or something else, or it has tensors of a
        type that NumPy does not know.
    """
    with _opening(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping


def read_texts(path: str | os.PathLike[str]) -> dict[str, str]:
    """Read the texts in the metadata of a safetensors file by name.

    Raises:
      InputError: as in `read_safetensors`.
    """
    with _opening(path) as file:
        return file.metadata() or {}


@contextlib.contextmanager
def _opening(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Open a safetensors file; any error but an OSError becomes an InputError of one line."""
    import ml_dtypes  # noqa: F401  # tells NumPy of bfloat16
    from safetensors import safe_open

    check_is_no_other_file(path, SAFETENSORS_FILE)
    with local_file(path) as local, reading(path):
        try:
            with safe_open(local, framework="numpy") as file:
                yield file
        except (InputError, OSError):
            raise
        except Exception as error:  # for a type that NumPy does not know, it is no SafetensorError
            reason = textwrap.shorten(str(error), LONGEST_REASON, placeholder=" …")
            raise InputError(
                f"{path}: is not a whole safetensors file with tensors for NumPy ({reason})"
            ) from error
