"""Standard streams that ipcviz was started without."""

from __future__ import annotations

import errno
import os
import select
import sys


def occupy_standard_streams() -> None:
    """Put /dev/null where standard input, output and error were closed, for this process alone.

    Else the next file, pipe or socket that is opened gets such a number, and what is meant for a
    standard stream goes there. The command is still started without them: what Python opens is
    closed by execve.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def let_go() -> None:
    """Close every descriptor that we were started with: whoever waits for the end of a pipe must
    not wait for us.

    They are told by what Python does not do: what it opens itself is closed by execve (PEP 446).
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    for entry in os.listdir("/proc/self/fd"):
        fd = int(entry)
        if fd <= 2:
            os.dup2(nowhere, fd)
        else:
            try:
                inherited = os.get_inheritable(fd)
            except OSError:
                continue  # the one that listed them
            if inherited:
                os.close(fd)
    os.close(nowhere)


def write_all(fd: int, data: bytes) -> None:
    """Write all of it, also to a descriptor that somebody made non-blocking: wait where it takes
    nothing.
    """
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            waiting = select.poll()
            waiting.register(fd, select.POLLOUT)
            waiting.poll()


def duplicate_stdout() -> int:
    """A copy of the descriptor of standard output. Raises OSError if we were started without it."""
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return os.dup(1)
