"""The memory of the process."""

import ctypes
import gc
import sys


def return_freed_memory() -> None:
    """Give freed memory back to the system, where its C library can.

    The library keeps what was freed for later: gigabytes, after a large program was compiled.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has it
        if trim is not None:
            trim(0)
