"""Reading and writing files: an output appears whole or not at all, and errors fit in one line."""

import contextlib
import os
import pathlib
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator

import numpy as np

from fomm_jax.errors import InputError

# Besides OSError, NumPy raises one of these on a damaged .npz file, depending on the damage.
_NPZ_DAMAGE = (ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error)


@contextlib.contextmanager
def reading(path: str | os.PathLike[str], hint: str = "") -> Iterator[None]:
    """Raise an InputError that names the file if the block fails to read it.

    Args:
      path: the file that the block reads.
      hint: how the message ends, such as "expected a CSV file".

    Raises:
      InputError: the block raised an OSError, or decoded text that is not UTF-8.
    """
    try:
        yield
    except (OSError, UnicodeDecodeError) as error:
        is_text_error = isinstance(error, UnicodeDecodeError)
        reason = "it is not text in UTF-8" if is_text_error else _reason(error)
        message = f"{path}: cannot be read ({reason})"
        raise InputError(f"{message}; {hint}" if hint else message) from error


@contextlib.contextmanager
def writing(
    path: str | os.PathLike[str], errors: tuple[type[Exception], ...] = (OSError,)
) -> Iterator[None]:
    """Raise an InputError that names the file or folder if the block fails to write it.

    Args:
      path: the file or folder that the block writes.
      errors: the exceptions that mean a failure to write.

    Raises:
      InputError: the block raised one of `errors`.
    """
    try:
        yield
    except errors as error:
        raise InputError(f"{path}: cannot be written ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    """Return in one line why the operating system or FFmpeg refused."""
    return " ".join(str(getattr(error, "strerror", None) or error).split())


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Give the block a temporary file to write, and rename it to `path` when the block ends.

    Missing folders are made. After an exception the temporary file is removed, and a file that was
    at `path` before stays as it was.

    Yields:
      The name to write to, in the folder of `path`.

    Raises:
      InputError: nothing can be written there.
    """
    target = pathlib.Path(path)
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.unfinished")
    try:
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            yield unfinished
            unfinished.replace(target)
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()


def check_can_write(path: str | os.PathLike[str]) -> None:
    """Check before long work that `replacing` will be able to write a file.

    Raises:
      InputError: its folder is no folder, or may not be written.
    """
    folder = pathlib.Path(path).parent
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not existing.is_dir():
        raise InputError(f"{path}: cannot be written ({existing} is not a folder)")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"{path}: cannot be written (no permission for {existing})")


def strip_suffix(name: str, suffixes: Collection[str]) -> str:
    """Return a file's name without its folder and suffix, or `name` itself if it is no such file.

    A dot may also belong to the name of a folder of frames, which has no suffix to remove.

    Args:
      name: the name of a file or folder.
      suffixes: the suffixes to remove, in lower case, such as ".mp4".
    """
    path = pathlib.PurePath(name)
    return path.stem if path.suffix.lower() in suffixes else name


def read_npz(
    path: str | os.PathLike[str], select: Callable[[str], bool] = lambda name: True
) -> dict[str, np.ndarray]:
    """Read the arrays of a `.npz` file.

    Args:
      path: the file to read.
      select: tells by an array's name whether to read it; by default all are read.

    Returns:
      The arrays by their names.

    Raises:
      InputError: the file is missing or damaged.
    """
    with reading(path), open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files if select(name)}
        except _NPZ_DAMAGE as error:
            raise InputError(f"{path}: is not a whole and readable .npz file") from error
