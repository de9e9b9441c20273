"""A second reference to another process's open file description, for a moment: pidfd_getfd(2).

When it is safe. While a descriptor is borrowed, the pipe's end or the socket that it refers to
stays open even if its owner closes it or dies, so:

* a borrowed *write end* can delay a reader's end of file until it is given back;
* a borrowed *read end* can let a write succeed, and its bytes be lost, where SIGPIPE would have
  come.

So hold one only for a few non-blocking calls, never across anything that waits, never while an
observed process is let go on. Calls that an observed process can make wait, by a lock that it
sleeps with, are `ipcviz.kernel.aside`'s. It is altogether safe while every holder that could close
the end is stopped, or may not run on because its close(2) or exit is a stop that the borrowing
thread itself would have to handle: then nothing can happen meanwhile. Where both ends are at hand
and either would do, borrow the write end: a delayed end of file is still seen, a lost SIGPIPE is
not. Closing gives back only the reference; it drops neither locks nor data of the owner.
"""

from __future__ import annotations

import ctypes
import os
import threading
from types import TracebackType
from typing import Final

PIDFD_OPEN: Final = 434
PIDFD_GETFD: Final = 438
"""System call numbers, the same on all architectures since 5.1's common table
(asm-generic/unistd.h).
"""

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long


class _Last(threading.local):
    """The process that this thread borrowed from last, and a pidfd of it: mostly the next
    descriptor is of the same.

    Each thread's own, since threads may have tables of descriptors of their own
    (`ipcviz.kernel.aside`).
    """

    pid = 0
    pidfd = -1


_last = _Last()


def _open_pidfd(pid: int) -> int:
    if _last.pidfd >= 0:
        os.close(_last.pidfd)
    _last.pid, _last.pidfd = 0, -1
    pidfd = int(_syscall(PIDFD_OPEN, pid, 0))
    if pidfd >= 0:
        _last.pid, _last.pidfd = pid, pidfd
    return pidfd


class borrow:  # noqa: N801 (it reads as a verb: `with borrow(pid, fd) as number`)
    """Context manager: another process's descriptor as one of ours (with O_CLOEXEC), given back at
    the end.

    Gives None if the process or the descriptor is gone, if we may not (the rights of ptrace(2) are
    needed), or if the kernel has no pidfd_getfd (before 5.6). Read the module's text on when it is
    safe.

    Args:
        pid: A process (not one of its other threads).
        fd: Its descriptor.
    """

    __slots__ = ("_fd", "_number", "_pid")

    def __init__(self, pid: int, fd: int) -> None:
        self._pid = pid
        self._fd = fd
        self._number = -1

    def __enter__(self) -> int | None:
        if _last.pid == self._pid:
            self._number = _syscall(PIDFD_GETFD, _last.pidfd, self._fd, 0)
        if self._number < 0:
            # Of another process, or that one is gone and its number was given away.
            self._number = _syscall(PIDFD_GETFD, _open_pidfd(self._pid), self._fd, 0)
        return self._number if self._number >= 0 else None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._number >= 0:
            number, self._number = self._number, -1
            os.close(number)


def can_borrow() -> bool:
    """Whether this kernel, and whatever sandbox we are in, lets us borrow a descriptor (tried on
    ourselves).
    """
    r, w = os.pipe2(os.O_CLOEXEC)
    try:
        with borrow(os.getpid(), r) as number:
            return number is not None
    finally:
        os.close(r)
        os.close(w)
