"""Files that are either whole or not there."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

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
