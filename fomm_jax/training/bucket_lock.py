"""One run at a time in a workdir in a bucket, where no kernel holds a lock.

An object in the workdir names the run that is at work. It is created on the condition that it does
not exist, and changed on the condition that nobody else has changed it. The run renews it. If it is
not renewed for `SILENCE` seconds, another run may take the workdir over.
"""

import contextlib
import dataclasses
import datetime
import email.utils
import json
import logging
import os
import pathlib
import secrets
import socket
import threading
import time
from collections.abc import Iterator

from fomm_jax.buckets import AnyPath, create_object, delete_object, read_object
from fomm_jax.errors import InputError
from fomm_jax.files import writing

logger = logging.getLogger(__name__)

RENEWAL = 15.0  # seconds between two renewals
SILENCE = 60.0  # seconds without a renewal, after which a run counts as dead
POLL = 1.0  # seconds between two looks at another run's object
# Names of variables that keep their value when a cluster starts a job again.
JOB_VARIABLES = ("FOMM_JAX_JOB", "SLURM_JOB_ID")


@dataclasses.dataclass(frozen=True)
class Holder:
    """A run that holds a workdir."""

    run: str  # a random name
    job: str  # what a restarted job has in common with itself; may be empty
    machine: str  # the machine or container, since it was started
    process: int
    began: str  # when the process began, by the machine's own count
    words: str  # for people

    def is_dead_or_same_job(self, me: "Holder") -> bool:
        """Tell whether this run has ended for certain, or is an earlier start of the same job."""
        if self.job and self.job == me.job:
            return True
        return self.machine == me.machine and _began(self.process) != self.began


class BucketLock:
    """The object of a run that holds a workdir; `hold` makes it.

    Args:
      path: the object.
      me: the run.
    """

    def __init__(self, path: AnyPath, me: Holder) -> None:
        self._path, self._me = path, me
        self._content = json.dumps(dataclasses.asdict(me)).encode()
        self._generation = ""
        self._has_ended = threading.Event()
        self._lock = threading.Lock()
        self._taken_by: str | None = None
        self._renewed = time.monotonic()

    def check(self) -> None:
        """Raise an `InputError` if another run has taken the workdir over."""
        if time.monotonic() - self._renewed > SILENCE - RENEWAL:
            self._renew()
        if self._taken_by is not None:
            raise InputError(
                f"{self._path.parent}: was taken over by another run, {self._taken_by}, because"
                f" this one was silent for {SILENCE:.0f} s"
            )

    def acquire(self) -> None:
        """Take the workdir, or wait until it is known whether the run that holds it is alive.

        Raises:
          InputError: it is; or the bucket cannot be written.
        """
        first_seen = None
        while True:
            if self._put("0"):
                return
            seen = read_object(self._path)
            if seen is None:  # it was removed since
                continue
            holder = _parse(seen.content)
            age = _age(seen.updated, seen.now)
            if holder.run == self._me.run:  # the bucket had done what it answered wrongly
                self._generation = seen.generation
                return
            is_over = holder.is_dead_or_same_job(self._me)
            if is_over or age > SILENCE:
                if self._put(seen.generation):
                    if not is_over:
                        logger.warning(
                            "%s: taken over from %s, silent for %.0f s",
                            self._path.parent, holder.words, age,
                        )  # fmt: skip
                    return
                continue
            if first_seen is None:
                first_seen = seen.generation
                logger.info(
                    "%s: is held by %s; waiting for up to %.0f s to know whether it is alive",
                    self._path.parent, holder.words, SILENCE - age,
                )  # fmt: skip
            elif seen.generation != first_seen:
                raise InputError(
                    f"{self._path.parent}: another run is at work here, {holder.words}; expected"
                    " one at a time"
                )
            time.sleep(POLL)

    def renew_until_released(self) -> None:
        """Renew the object now and then; a thread runs this."""
        while not self._has_ended.wait(RENEWAL):
            with contextlib.suppress(Exception):  # the next attempt may do
                self._renew()
            if self._taken_by is not None:
                return

    def release(self) -> None:
        """Remove the object, unless another run has taken it."""
        self._has_ended.set()
        with self._lock, contextlib.suppress(Exception):
            seen = read_object(self._path)
            if seen is not None and _parse(seen.content).run == self._me.run:
                delete_object(self._path, seen.generation)

    def _renew(self) -> None:
        with self._lock:
            if self._has_ended.is_set() or self._put(self._generation):
                return
            seen = read_object(self._path)
            if seen is not None and _parse(seen.content).run == self._me.run:
                self._generation = seen.generation
            elif seen is not None:
                self._taken_by = _parse(seen.content).words
            else:
                self._put("0")

    def _put(self, generation: str) -> bool:
        """Write the object if it still has a generation; "0" stands for none."""
        begun = time.monotonic()
        created = create_object(self._path, self._content, generation)
        if created is None:
            return False
        self._generation, self._renewed = created, begun
        return True


@contextlib.contextmanager
def hold(path: AnyPath) -> Iterator[BucketLock]:
    """Hold a workdir in a bucket during the block.

    Args:
      path: the object that names the holder.

    Raises:
      InputError: another run is at work there, or the bucket cannot be written.
    """
    lock = BucketLock(path, _me())
    with writing(path.parent):
        lock.acquire()
    threading.Thread(target=lock.renew_until_released, daemon=True).start()
    try:
        yield lock
    finally:
        lock.release()


def _me() -> Holder:
    job = next((os.environ[name] for name in JOB_VARIABLES if os.environ.get(name)), "")
    process = os.getpid()
    return Holder(
        run=secrets.token_hex(8),
        job=job,
        machine=_machine(),
        process=process,
        began=_began(process),
        words=f"process {process} on {socket.gethostname()}",
    )


def _machine() -> str:
    """Name this machine, since its start; processes of two containers do not see each other."""
    with contextlib.suppress(OSError):
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    return f"{socket.gethostname()} {os.getppid()}"


def _began(process: int) -> str:
    """Return when a process began, so that a later one of the same number differs."""
    try:
        # The name of the program, in parentheses, may hold spaces; the 22nd field is the time.
        status = pathlib.Path(f"/proc/{process}/stat").read_text()
        return status.rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _parse(content: bytes) -> Holder:
    try:
        return Holder(**json.loads(content))
    except (ValueError, TypeError):  # an object that something else has written
        return Holder("", "", "", 0, "", "whose object is not readable")


def _age(updated: str, now: str) -> float:
    """Return the seconds between two times of the bucket's own clock."""
    end = email.utils.parsedate_to_datetime(now)
    return (end - datetime.datetime.fromisoformat(updated)).total_seconds()
