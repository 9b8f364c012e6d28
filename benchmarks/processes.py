"""Measurements in processes of their own, which take JSON and print JSON."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from fomm_jax.errors import InputError

# How JAX, torch and cuDNN say that memory has run out.
_OUT_OF_MEMORY = re.compile(
    r"RESOURCE_EXHAUSTED|OutOfMemoryError|out of memory|ALLOC_FAILED|MemoryError", re.I
)
_EXCEPTION = re.compile(r"[\w.]+(?:Error|Exception|Interrupt|Exit)\b")
_LONGEST_REASON = 300  # characters; XLA's messages may list all buffers


class OutOfMemory(InputError):
    """A measurement needs more memory than there is."""


def run_module(
    module: str,
    argument: Mapping[str, Any],
    environment: Mapping[str, str],
    timeout: float | None = None,
) -> dict[str, Any]:
    """Run a module of the project as a program, and return what it measured.

    Args:
      module: the module's name. It takes JSON as its only argument, and the last line of its stdout
        is JSON.
      argument: the argument.
      environment: the environment of the process.
      timeout: seconds after which the process and its own processes are ended.

    Raises:
      OutOfMemory: the process fails because the memory is too small.
      InputError: the process fails, or takes too long. The message is one line.
    """
    # Each process of the group ends with the first one.
    with subprocess.Popen(
        [sys.executable, "-m", module, json.dumps(argument)],
        # JAX would otherwise end its errors with a remark about tracebacks.
        env={**environment, "JAX_TRACEBACK_FILTERING": "off"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise InputError(f"took longer than {timeout:.0f} s") from None
        finally:
            end_group(process)
    if process.returncode:
        raise _failure(process.returncode, errors)
    try:
        return json.loads(output.splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        raise InputError("the process ended without a result") from None


def end_group(process: subprocess.Popen) -> None:
    """End a process that leads a group, and all processes of the group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _failure(status: int, errors: str) -> InputError:
    """Return the error that tells in one line why a process failed."""
    lines = [line for line in errors.splitlines() if line.strip()]
    exceptions = [line for line in lines if _EXCEPTION.match(line)]
    memory = [line for line in exceptions or lines if _OUT_OF_MEMORY.search(line)]
    if memory:
        return OutOfMemory(memory[-1].strip()[:_LONGEST_REASON])
    if status == -signal.SIGKILL:
        return OutOfMemory("was killed, as Linux does when the host's memory ends")
    if status < 0:
        return InputError(f"was ended by signal {-status}")
    last = [*lines[-1:], *exceptions[-1:]] or ["the process failed without a message"]
    return InputError(last[-1].strip()[:_LONGEST_REASON])
