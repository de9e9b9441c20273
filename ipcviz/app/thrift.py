"""How the app's process uses memory and time for objects: the collector of cycles, and the C library's heap."""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import Final

TRIM_SECONDS: Final = 20.0
"""How often free memory is given back to the system."""

# malloc.h
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

_YOUNG: Final = 5_000
_MIDDLE: Final = 10
_OLD: Final = 60


def calm_collector() -> None:
    """Have Python look through all of its objects for cycles rarely: that takes longer than several frames.

    What is there already is left alone. The young ones are so many that most of what a frame makes is gone again before
    it counts as old: old cycles would lie about until the next look through everything.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)


def tie_heap() -> None:
    """Have the C library use one heap for all threads, and map what is large by itself.

    Only one thread runs Python at a time, so each with a heap of its own only wastes what lies free in it. By itself
    glibc keeps ever larger pieces in its heap, as they are freed (mallopt(3)). Elsewhere nothing is done.
    """
    libc = _glibc()
    if libc is not None:
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_MMAP_THRESHOLD, 1 << 19)
        libc.mallopt(_M_TRIM_THRESHOLD, 1 << 19)


def give_back() -> None:
    """Give pages that are free in the C library's heap back to the system (malloc_trim(3)); elsewhere do nothing."""
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    """The C library if it is one that can be told about its heap, else None."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "malloc_trim") and hasattr(libc, "mallopt") else None
