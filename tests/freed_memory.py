"""Freed memory, which glibc keeps for later: half a gigabyte after some tests."""

import ctypes
import gc
import sys


def return_freed_memory():
    """Give freed memory back to the system, where its C library can."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
