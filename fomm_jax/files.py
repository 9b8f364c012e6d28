"""Reading and writing files: an output appears whole or not at all, and errors fit in one line."""

import contextlib
import errno
import os
import pathlib
import secrets
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator

import numpy as np

from fomm_jax.buckets import AnyPath, describe_failure, file_system, is_in_bucket, to_path
from fomm_jax.errors import InputError
from fomm_jax.signals import removed_at_the_end

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
    except Exception as error:
        reason = _reason(path, error, (OSError, UnicodeDecodeError))
        if reason is None:
            raise
        message = f"{path}: cannot be read ({reason})"
        raise InputError(f"{message}; {hint}" if hint else message) from error


def is_file(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path leads to a file.

    Raises:
      InputError: a bucket, or the operating system, does not tell.
    """
    with reading(path):
        return to_path(path).is_file()


def check_is_file(path: str | os.PathLike[str], expected: str) -> None:
    """Check that a file is there and may be read.

    A pipe is refused, since what comes out of it cannot be read twice.

    Args:
      path: the file.
      expected: what the file should be, such as "a picture", for the message.

    Raises:
      InputError: there is no such file, it may not be read, or it is a folder, a pipe or a device.
    """
    with reading(path, f"expected {expected}"):
        if is_in_bucket(path):
            if not is_file(path):
                raise InputError(f"{path}: there is no such file, expected {expected}")
            return
        try:
            kind = os.stat(path).st_mode
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(f"{path}: there is no such file, expected {expected}") from error
        if stat.S_ISDIR(kind):
            raise InputError(f"{path}: is a folder, expected {expected}")
        if not stat.S_ISREG(kind):
            raise InputError(f"{path}: is a pipe or a device, expected {expected} in a file")
        with open(path, "rb"):
            pass


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
    except Exception as error:
        reason = _reason(path, error, errors)
        if reason is None:
            raise
        raise InputError(f"{path}: cannot be written ({reason})") from error


def _reason(
    path: str | os.PathLike[str], error: Exception, errors: tuple[type[Exception], ...]
) -> str | None:
    """Return in one line why the operating system, FFmpeg or a bucket refused.

    None stands for an error that is none of `errors` and no failure of a bucket.
    """
    if isinstance(error, InputError):
        return None
    if is_in_bucket(path) and (reason := describe_failure(path, error)):
        return reason
    if not isinstance(error, errors):
        return None
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8"
    return " ".join(str(getattr(error, "strerror", None) or error).split())


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Give the block a temporary file to write, and rename it to `path` when the block ends.

    Missing folders are made. A symbolic link stays, and the file that it leads to is replaced.
    After an exception the temporary file is removed, and a file that was at `path` before stays as
    it was.

    Yields:
      The name to write to, in the folder of the file. It is short: the file's own name may be as
      long as the file system allows. For a path in a bucket it is a file on this computer, which
      is sent when the block ends.

    Raises:
      InputError: nothing can be written there, or a folder, a pipe or a device is there.
    """
    if is_in_bucket(path):
        with tempfile.TemporaryDirectory() as folder:
            local = pathlib.Path(folder) / "unfinished"
            yield local
            with writing(path):
                file_system().put_file(os.fspath(local), os.fspath(path))
        return
    unfinished = None
    try:
        with writing(path):
            check_can_write(path)  # before folders are made
            target = _find_target(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            unfinished = target.with_name(f".{os.getpid()}.{secrets.token_hex(4)}.unfinished")
            with removed_at_the_end(unfinished):
                yield unfinished
                unfinished.replace(target)
    finally:
        if unfinished is not None:
            with contextlib.suppress(OSError):
                unfinished.unlink()


@contextlib.contextmanager
def local_folder(folder: AnyPath) -> Iterator[pathlib.Path]:
    """Give the block a folder on this computer to write into with libraries that know no bucket.

    What it holds when the block ends is sent to the bucket, if that is where `folder` is.

    Raises:
      InputError: it cannot be sent.
    """
    if isinstance(folder, pathlib.Path):
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield pathlib.Path(temporary)
        with writing(folder):
            file_system().put(f"{temporary}/", f"{os.fspath(folder)}/", recursive=True)


@contextlib.contextmanager
def local_file(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Give the block a file to read; one in a bucket is fetched for as long as the block lasts.

    Raises:
      InputError: it cannot be fetched.
    """
    if not is_in_bucket(path):
        yield pathlib.Path(path)
        return
    with tempfile.TemporaryDirectory() as temporary:
        copy = pathlib.Path(temporary) / os.path.basename(path)
        with reading(path):
            file_system().get_file(os.fspath(path), os.fspath(copy))
        yield copy


def check_can_write(path: str | os.PathLike[str]) -> None:
    """Check before long work that `replacing` will be able to write a file.

    In a bucket, that takes to write an object, which is removed at once.

    Raises:
      InputError: its folder is no folder, or may not be written; its name is too long; or a folder,
        a pipe, a device or a file that may not be written is there.
    """
    with writing(path):
        if is_in_bucket(path):
            probe = to_path(path).with_name(f".{secrets.token_hex(8)}.unfinished")
            probe.write_bytes(b"")
            probe.unlink()
            return
        target = _find_target(path)
        existing = next(parent for parent in target.parents if os.path.exists(parent))
        if not existing.is_dir():
            raise InputError(f"{path}: cannot be written ({existing} is not a folder)")
        for place in (existing, target):
            if os.path.exists(place) and not os.access(place, os.W_OK):
                raise InputError(f"{path}: cannot be written (no permission for {place})")
        # Windows does not tell.
        longest = os.pathconf(existing, "PC_NAME_MAX") if hasattr(os, "pathconf") else 255
        for name in target.relative_to(existing).parts:
            if len(os.fsencode(name)) > longest:
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))


def _find_target(path: str | os.PathLike[str]) -> pathlib.Path:
    """Return the file that a path leads to through symbolic links; it need not exist.

    Raises:
      InputError: a folder, a pipe or a device is there.
      OSError: the path cannot be followed.
    """
    target = pathlib.Path(os.path.realpath(path))
    try:
        kind = os.stat(target).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return target
    if stat.S_ISDIR(kind):
        raise InputError(f"{path}: is a folder, expected the name of a file")
    if not stat.S_ISREG(kind):
        raise InputError(f"{path}: is a pipe or a device, expected the name of a file")
    return target


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
    with reading(path), to_path(path).open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files if select(name)}
        except _NPZ_DAMAGE as error:
            raise InputError(f"{path}: is not a whole and readable .npz file") from error
