"""Signals as something to read: signalfd(2)."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterable
from typing import Final

_libc = ctypes.CDLL(None, use_errno=True)
_signalfd = _libc.signalfd
_signalfd.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int)

SIGSET_SIZE: Final = 128
"""sizeof(sigset_t) of glibc and musl: 1024 bits."""


def open_signalfd(signals: Iterable[signal.Signals]) -> int:
    """Block signals in this thread and get a non-blocking descriptor that is readable while one of
    them is pending.

    Each read takes away what is pending. The descriptor is closed by an exec. Raises OSError.
    """
    chosen = set(signals)
    signal.pthread_sigmask(signal.SIG_BLOCK, chosen)
    bits = sum(1 << (signo - 1) for signo in chosen)
    mask = ctypes.create_string_buffer(bits.to_bytes(SIGSET_SIZE, "little"), SIGSET_SIZE)
    number: int = _signalfd(-1, ctypes.addressof(mask), os.O_CLOEXEC | os.O_NONBLOCK)
    if number < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return number
