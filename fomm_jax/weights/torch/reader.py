"""Read PyTorch's files of tensors without PyTorch.

`torch.save` writes a zip archive since PyTorch 1.6 (`zip_format`); before, it wrote a stream
(`stream_format`). In both a pickle describes the object (`unpickler`).
"""

import contextlib
import os
from collections.abc import Collection, Iterator
from typing import Any

from fomm_jax.errors import InputError
from fomm_jax.files import local_file, reading
from fomm_jax.weights.other_files import TORCH_FILE, check_is_no_other_file
from fomm_jax.weights.torch.stream_format import read_stream
from fomm_jax.weights.torch.zip_format import ZIP_START, read_zip


def read_torch_file(path: str | os.PathLike[str], entries: Collection[str] | None = None) -> Any:
    """Read a file that `torch.save` has written.

    Args:
      path: a file of either format that holds tensors and plain values in dicts, lists and tuples.
      entries: where the file holds a dict, its entries to read. The others are None, whatever they
        hold. By default all are read.

    Returns:
      The same tree with numpy arrays in place of tensors. Arrays are writable and have the
      strides of the tensors. Arrays share memory where the tensors shared a storage. Device and
      `requires_grad` are dropped. bfloat16 is `ml_dtypes.bfloat16`.

    Raises:
      InputError: the file is missing, damaged, cut short, or not one of torch's, or it asks for
        anything beyond tensors. Nothing that it holds is run. The message says what a file of
        another kind is.
    """
    check_is_no_other_file(path, TORCH_FILE)
    with (
        local_file(path) as local,
        reading(path),
        local.open("rb") as file,
        _one_line_errors(path),
    ):
        start = file.read(len(ZIP_START))
        file.seek(0)
        read = read_zip if start == ZIP_START else read_stream
        return read(file, entries)


@contextlib.contextmanager
def _one_line_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn every error but an OSError into an InputError of one line that names the file."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except OSError:
        raise
    except Exception as error:  # a damaged pickle or archive may raise whatever it likes
        raise InputError(
            f"{path}: not a whole file of tensors as torch.save writes it; it may be cut short"
        ) from error
