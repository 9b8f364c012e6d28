"""New folders that appear whole or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fomm_jax.files import writing


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give the block a temporary folder to fill, and rename it to `path` when the block ends.

    Missing parent folders are made. After an exception the temporary folder is removed.

    Yields:
      The temporary folder, which lies beside the folder that `path` leads to.

    Raises:
      InputError: the folder cannot be made.
    """
    with writing(path):
        target = Path(os.path.realpath(path))  # what a symbolic link leads to
        target.parent.mkdir(parents=True, exist_ok=True)
        # The prefix is short: the folder's own name may be as long as the file system allows.
        partial = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=target.parent))
    try:
        yield partial
        with writing(path):
            partial.chmod(0o755)  # mkdtemp makes folders that only their owner may read
            partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
