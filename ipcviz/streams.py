"""Standard streams that ipcviz was started without."""

from __future__ import annotations

import errno
import os
import sys


def occupy() -> None:
    """Put /dev/null where standard input, output and error were closed, for this process alone.

    Else the next file, pipe or socket that is opened gets such a number, and what is meant for a standard stream goes
    there. The command is still started without them: what Python opens is closed by execve.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def output() -> int:
    """A copy of the descriptor of standard output. Raises OSError if we were started without it."""
    if sys.stdout is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return os.dup(1)
