"""Worker processes that end together with the work that they are for."""

import concurrent.futures
import contextlib
import multiprocessing
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def worker_pool(num_workers: int) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    """Give the block a pool of processes; after an exception they are ended at once."""
    with concurrent.futures.ProcessPoolExecutor(
        num_workers, multiprocessing.get_context("spawn"), _ignore_terminal
    ) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.terminate()
                worker.join()
            raise


def _ignore_terminal() -> None:
    # A terminal sends Ctrl-C, and its end, to the workers too. The main process ends them; if they
    # died of the signal by themselves, it might take that for a crash.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
