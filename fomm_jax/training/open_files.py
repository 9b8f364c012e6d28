"""The number of files that the system lets a training open at the same time."""

import resource

from fomm_jax.errors import InputError

# While a checkpoint is written, a run of the smallest model has 75 files open, most of them pipes
# between Orbax's threads. The rest is for more data and devices.
NEEDED = 128
NEEDED_FOR_A_WORKER = 16
ENOUGH = 4096


def allow_open_files(num_workers: int = 0) -> None:
    """Raise this process's limit of open files as far as it needs and may.

    Args:
      num_workers: the number of processes that load data.

    Raises:
      InputError: the limit stays below what a training needs.
    """
    limit, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = NEEDED + NEEDED_FOR_A_WORKER * num_workers
    unlimited = highest == resource.RLIM_INFINITY
    allowed = max(ENOUGH, needed) if unlimited else min(max(ENOUGH, needed), highest)
    if limit != resource.RLIM_INFINITY and limit < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, highest))
        limit = allowed
    if limit != resource.RLIM_INFINITY and limit < needed:
        raise InputError(
            f"the system allows {limit} open files; expected at least {needed} (`ulimit -n`), which"
            " a checkpoint takes to be written"
        )
