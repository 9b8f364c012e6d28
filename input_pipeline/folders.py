"""New folders that appear whole or not at all."""

import contextlib
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
      The temporary folder, which lies beside `path`.

    Raises:
      InputError: the folder cannot be made.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield partial
        partial.chmod(0o755)  # mkdtemp makes folders that only their owner may read
        partial.rename(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
