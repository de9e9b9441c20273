"""The heap of our process: what a long session has freed is given back to the system, where the C
library is glibc.
"""

from __future__ import annotations

import ctypes
from typing import Final

TRIM_SECONDS: Final = 20.0
"""How often free memory is given back."""

# malloc.h
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_LARGE: Final = 1 << 19

_libc = ctypes.CDLL(None)


def tie_heap() -> None:
    """Have the C library use one heap for all threads, and map pieces of half a MiB and more by
    themselves.

    Only one thread runs Python at a time, so each with a heap of its own only wastes what lies free
    in it. By itself glibc keeps ever larger pieces in its heap, as they are freed (mallopt(3)). To
    be called before threads are made.
    """
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_ARENA_MAX, 1)
        _libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        _libc.mallopt(_M_TRIM_THRESHOLD, _LARGE)


def give_back() -> None:
    """Give pages that are free in the heap back to the system (malloc_trim(3))."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)
