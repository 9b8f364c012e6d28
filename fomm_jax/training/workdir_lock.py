"""One run at a time in a workdir."""

import contextlib
import errno
import fcntl
import os
import pathlib
import socket
import sys
from collections.abc import Iterator

from fomm_jax.errors import InputError
from fomm_jax.files import writing

LOCK_FILE = "running"  # inside a workdir, for as long as a run is at work there
# Of file systems that know no locks, as Lustre is often mounted.
NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK)


@contextlib.contextmanager
def only_run_in(workdir: str | os.PathLike[str]) -> Iterator[None]:
    """Keep other runs out of the workdir, which is made where it is missing.

    The kernel takes the lock back from a process that ends, however it does.

    Raises:
      InputError: another run is at work, or the workdir cannot be written.
    """
    path = pathlib.Path(workdir) / LOCK_FILE
    with writing(workdir):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = _locked(path)
        except BlockingIOError as error:
            raise InputError(
                f"{workdir}: another run is at work here, {_holder(path)}; expected one at a time"
            ) from error
    try:
        yield
    finally:
        # While the lock is held, so that it is never another run's file.
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)


def _locked(path: pathlib.Path) -> int:
    """The file of the lock, open; it tells of this process."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                os.close(descriptor)
                raise
            print(f"{path}: cannot be locked; a second run would not be noticed", file=sys.stderr)
        # The run before may have removed the file after it was opened here.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
                return descriptor
        os.close(descriptor)


def _holder(path: pathlib.Path) -> str:
    try:
        return path.read_text().strip() or "which has just begun"
    except OSError:
        return "which is just ending"
