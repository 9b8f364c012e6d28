"""One run at a time in a workdir.

On a disk the kernel holds the lock of a file. `bucket_lock` is about buckets.

The package filelock would leave its file in the workdir after the run, and names no holder.
"""

import contextlib
import dataclasses
import errno
import fcntl
import logging
import os
import pathlib
import socket
from collections.abc import Callable, Iterator

from fomm_jax.buckets import is_in_bucket, to_path
from fomm_jax.errors import InputError
from fomm_jax.files import check_can_write, writing
from fomm_jax.training.bucket_lock import hold
from fomm_jax.user_paths import check_is_text
from fomm_jax.weights.find_checkpoint import FOLDER

logger = logging.getLogger(__name__)

LOCK_FILE = "running"  # inside a workdir, for as long as a run is at work there
PICTURES_FOLDER = "pictures"  # inside a workdir
# Errors of file systems without locks, such as Lustre as it is often mounted.
NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK)


@dataclasses.dataclass(frozen=True)
class HeldWorkdir:
    """A workdir that other runs are kept out of."""

    clean_up: Callable[[], None]  # removes what the lock has made, for a program that ends
    check: Callable[[], None]  # raises an InputError if another run has taken the workdir over


@contextlib.contextmanager
def only_run_in(workdir: str | os.PathLike[str]) -> Iterator[HeldWorkdir]:
    """Keep other runs out of the workdir, which is made if it is missing.

    The kernel releases the lock of a process that ends, however it ends. A workdir that was made
    and stayed empty is removed, and so are folders around it that were made for it.

    Raises:
      InputError: another run is at work, or the workdir cannot be written.
    """
    if is_in_bucket(workdir):
        with hold(to_path(workdir) / LOCK_FILE) as lock:
            yield HeldWorkdir(lock.release, lock.check)
        return
    path = pathlib.Path(workdir) / LOCK_FILE
    with writing(workdir):
        try:
            new_folders = [folder for folder in path.parents if not folder.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = _locked(path)
        except BlockingIOError as error:
            raise _in_use(path) from error

    def clean_up() -> None:
        # The lock is still held, so this is never another run's file.
        with contextlib.suppress(OSError):
            path.unlink()
            for folder in new_folders:  # from the inside out
                folder.rmdir()

    try:
        yield HeldWorkdir(clean_up, lambda: None)
    finally:
        clean_up()
        os.close(descriptor)


def check_can_write_in(workdir: str | os.PathLike[str]) -> None:
    """Check without a trace that a run can write all that it will write into the workdir.

    Raises:
      InputError: the workdir, or a folder in it, cannot be written.
    """
    check_is_text(workdir)
    if is_in_bucket(workdir):  # one object is like another
        check_can_write(to_path(workdir) / LOCK_FILE)
        return
    for folder in ("", FOLDER, PICTURES_FOLDER):
        check_can_write(pathlib.Path(workdir) / folder / LOCK_FILE)


def check_can_run_in(workdir: str | os.PathLike[str]) -> None:
    """Check without a trace that `only_run_in` can keep other runs out of the workdir.

    Raises:
      InputError: another run is at work, or the workdir cannot be written.
    """
    check_can_write_in(workdir)
    if is_in_bucket(workdir):  # it may take a minute to know
        return
    path = pathlib.Path(workdir) / LOCK_FILE
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:  # most often it is not there; all else comes up when the workdir is locked
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _in_use(path) from error
    except OSError:  # a file system without locks
        pass
    finally:
        os.close(descriptor)


def _locked(path: pathlib.Path) -> int:
    """Open and lock the file, and write into it which process this is."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                os.close(descriptor)
                raise
            logger.warning("%s: cannot be locked; a second run would not be noticed", path)
        # The previous run may have removed the file after it was opened here.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
                return descriptor
        os.close(descriptor)


def _in_use(path: pathlib.Path) -> InputError:
    """Return the error that another run holds the lock."""
    return InputError(
        f"{path.parent}: another run is at work here, {_holder(path)}; expected one at a time"
    )


def _holder(path: pathlib.Path) -> str:
    """Describe the process that holds the lock."""
    try:
        return path.read_text().strip() or "which has just begun"
    except OSError:
        return "which is just ending"
