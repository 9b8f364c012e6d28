"""A run of several hosts ends in one line when one of them dies, stands still or is cut off.

The processes of JAX tell the first one all the time that they are alive. When one of them is not
heard of any more, JAX writes a page to stderr and aborts all others. It does so in C++ and tells
Python nothing: the callback that it has for this fails (std::bad_cast in JAX 0.10). So a thread
reads what C++ code writes to stderr, and ends the program before JAX does.
"""

import contextlib
import ctypes
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from fomm_jax import console
from fomm_jax.errors import InputError

# What JAX writes before it aborts, from the first line to the one after the reason.
FIRST_LINE = "the JAX distributed service detected fatal errors"
LAST_LINE = "*** Check failure stack trace"
SILENT_PROCESSES = re.compile(r"tasks are unhealthy.*\n((?:\S*\d\n)+)|Task (\d+) heartbeat")
# Errors of a step whose reason may be that another host is gone.
LOST_CONNECTION = re.compile(
    r"gloo|nccl|connection|socket|network|peer|barrier|unavailable|deadline", re.IGNORECASE
)
# The first process brings the others the news, and so has to live a little longer.
SECONDS_TO_SPREAD = 1.0
# JAX looks for silent processes every now and then only.
SECONDS_TO_FIND_OUT = 15.0
LONGEST_NAME = 64  # of a host, by POSIX


class HostWatch:
    """Ends the program with the reason when a host of the run is gone.

    Args:
      end: ends the program in one line, which begins with the reason.

    Attributes:
      process: the number of this process.
      hosts: the name of each process's host, once they are known.
    """

    def __init__(self, end: Callable[[str], None]) -> None:
        self.process = 0
        self.hosts: Sequence[str] = ()
        self._end = end

    def start(self) -> None:
        """Read what C++ code writes to stderr, for as long as the program runs.

        Lines of Python go to the terminal as before, and so do all other lines of C++.
        """
        read_end, write_end = os.pipe()
        terminal = os.dup(2)
        sys.stderr = open(terminal, "w", buffering=1, errors="backslashreplace")  # noqa: SIM115
        console.keep_stderr()
        os.dup2(write_end, 2)
        os.close(write_end)
        # Who aborts first sleeps, in C, for as many seconds as SIGABRT has for a number: 6.
        libc = ctypes.CDLL(None)
        libc.signal(signal.SIGABRT, ctypes.cast(libc.sleep, ctypes.c_void_p))
        threading.Thread(target=self._read, args=(read_end, terminal), daemon=True).start()

    def learn_names(self) -> None:
        """Exchange the names of the hosts; all processes of the run call this once."""
        import jax  # this module is loaded before JAX, so that bad input need not wait for it
        import numpy as np
        from jax.experimental import multihost_utils

        self.process = jax.process_index()
        name = np.zeros(LONGEST_NAME, np.uint8)
        encoded = socket.gethostname().encode()[:LONGEST_NAME]
        name[: len(encoded)] = list(encoded)
        names = multihost_utils.process_allgather(name)
        self.hosts = [bytes(row).rstrip(b"\0").decode(errors="replace") for row in names]

    @contextlib.contextmanager
    def finding_out(self, seconds: float) -> Iterator[None]:
        """Do not let an error out of the block before JAX has found out which host is gone.

        Args:
          seconds: the time after which a silent host counts as gone.
        """
        try:
            yield
        except InputError:
            raise
        except Exception as error:
            if LOST_CONNECTION.search(str(error)):
                time.sleep(seconds + SECONDS_TO_FIND_OUT)  # the thread ends the program
                text = " ".join(str(error).split())
                self._end(f"the connection to another host failed ({text})")
            raise

    def _read(self, read_end: int, terminal: int) -> None:
        """Pass the lines of C++ on, until one says that JAX aborts the process."""
        with open(read_end, errors="backslashreplace") as lines:
            for line in lines:
                if FIRST_LINE in line:
                    message = line
                    while line and LAST_LINE not in line:
                        line = lines.readline()
                        message += line
                    if self.process == 0:
                        time.sleep(SECONDS_TO_SPREAD)
                    self._end(explain(message, self.process, self.hosts))
                with contextlib.suppress(OSError):
                    os.write(terminal, line.encode(errors="backslashreplace"))


def explain(message: str, process: int, hosts: Sequence[str]) -> str:
    """Return in a few words why JAX aborts a process.

    Args:
      message: what it writes to stderr.
      process: the number of the process.
      hosts: the name of each process's host; empty if they are not known yet.
    """

    def name(number: int) -> str:
        return f"host {hosts[number]} (process {number})" if hosts else f"process {number}"

    if silent := SILENT_PROCESSES.search(message):
        numbers = sorted(int(task) for task in re.findall(r"\d+$", silent[1] or silent[2], re.M))
        if process in numbers:
            return f"{name(process)} stood still, or was cut off, and the others gave it up"
        verbs = "died, stands still or is" if len(numbers) == 1 else "died, stand still or are"
        return f"{' and '.join(map(name, numbers))} {verbs} cut off"
    if "RegisterTask" in message:
        return "the processes did not all come together within config.train.join_timeout seconds"
    if "CoordinationService" in message:
        return f"{name(0)}, which keeps the others together, died, stands still or is cut off"
    return f"the hosts lost one another ({' '.join(message.split())})"
