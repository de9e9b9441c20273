"""Files that ipcviz reads: all that a person can name are opened here.

Whoever opens a FIFO waits until somebody writes to it, and whoever opens a device may do anything:
neither is touched.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from typing import Final

from ipcviz.outputs import CLOSED_ON_EXEC, kind_of

_OPEN_ALREADY: Final = ("/dev/fd/", "/proc/self/fd/")
"""Paths that stand for a descriptor of ours, such as a shell's `<(COMMAND)`."""


class InputError(OSError):
    """What a path leads to is no file to read; `strerror` says why, as the system does for
    others.
    """

    def __init__(self, why: str) -> None:
        super().__init__(errno.EINVAL, why)


def open_input(path: str | os.PathLike[str], *, streams: bool = False) -> io.BufferedReader:
    """Open a regular file for reading.

    Args:
        path: As given by a person.
        streams: Take a pipe, too, that is open already: what is read is read once, from its
            beginning to its end.

    Raises:
        OSError: It can't be opened; or it is no regular file, which `strerror` says.
    """
    shown = os.fspath(path)
    try:
        _check_kind(os.stat(path).st_mode, shown, streams=streams)
        # If it became something else meanwhile, opening does not wait.
        number = os.open(path, os.O_RDONLY | CLOSED_ON_EXEC | getattr(os, "O_NONBLOCK", 0))
    except ValueError as error:
        raise InputError(str(error)) from None
    try:
        _check_kind(os.fstat(number).st_mode, shown, streams=streams)
        os.set_blocking(number, True)
    except BaseException:
        os.close(number)
        raise
    return os.fdopen(number, "rb")


def read_input(path: str | os.PathLike[str], limit: int) -> bytes:
    """The first `limit` bytes of a regular file. Raises OSError as `open_input` does."""
    with open_input(path) as file:
        return file.read(limit)


def _check_kind(mode: int, path: str, *, streams: bool) -> None:
    kind = kind_of(mode)
    if not kind or (streams and stat.S_ISFIFO(mode) and path.startswith(_OPEN_ALREADY)):
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    raise InputError(f"it is {kind} and no file")
