"""Where a process's paths lead: the directory that a name lies in, and what it names
(path_resolution(7)).

Nothing is opened for real: O_PATH descriptors and lstat(2) wake no reader, change no access time of
what they name, and are no events for inotify.
"""

from __future__ import annotations

import os
import stat

from ipcviz.kernel import served

AT_FDCWD = "AT_FDCWD"

_OWN = (
    ("/proc/self", ""),
    ("/proc/thread-self", ""),
    ("/dev/fd", "/fd"),
    ("/dev/stdin", "/fd/0"),
    ("/dev/stdout", "/fd/1"),
    ("/dev/stderr", "/fd/2"),
)
"""Names that mean something else to us than to the process, and what they are below /proc/PID."""


def resolve_path(pid: int, path: str, directory: int | str = AT_FDCWD) -> str:
    """A path of a process as one that we can follow, through its root, its working directory or its
    descriptor.

    Args:
        pid: The process.
        path: The path as it gave it.
        directory: Its descriptor of a directory that a relative path begins at, or `AT_FDCWD`.
    """
    if path.startswith("/"):
        for begin, own in _OWN:
            if path == begin or path.startswith(f"{begin}/"):
                return f"/proc/{pid}{own}{path[len(begin) :]}"
        return f"/proc/{pid}/root{path}"
    if isinstance(directory, int) and directory >= 0:
        return f"/proc/{pid}/fd/{directory}/{path}"
    return f"/proc/{pid}/cwd/{path}"


def folder_of(pid: int, path: str, directory: int | str = AT_FDCWD) -> tuple[str, str]:
    """(path of the directory, last name in it) of a process's path, symbolic links on the way
    followed.

    The directory's path is as we see it, so the same for all processes. It is empty if it can't be
    looked at. Of a path that itself ends in a directory (`queue/`, `.`), the name is empty.
    """
    above, _, name = path.rpartition("/")
    if name in ("", ".", ".."):
        above, name = path, ""
    elif not above and path.startswith("/"):
        above = "/"
    where = resolve_path(pid, above, directory)
    return served.ask_file(where, lambda: _find_folder(where)) or "", name


def _find_folder(path: str) -> str:
    """Where a path to a directory leads; empty if it can't be looked at."""
    try:
        number = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except (OSError, ValueError):
        return ""
    try:
        return os.readlink(f"/proc/thread-self/fd/{number}")
    except OSError:
        return ""
    finally:
        os.close(number)


def key_of(pid: int, path: str, directory: int | str = AT_FDCWD) -> str:
    """Key `DEV:INO` of what a process's path names, itself if it is a symbolic link; empty if it
    names nothing.
    """
    where = resolve_path(pid, path, directory)
    try:
        found = served.ask_file(where, lambda: os.lstat(where))
    except (OSError, ValueError):
        return ""
    if found is None:
        return ""
    return f"{found.st_dev}:{found.st_ino}"


def names_nothing(pid: int, path: str) -> bool:
    """Whether a process's path surely leads to nothing: a call with it fails with ENOENT or
    ENOTDIR.
    """
    where = resolve_path(pid, path)
    try:
        served.ask_file(where, lambda: os.stat(where))
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def fifo_of(pid: int, path: str, directory: int | str = AT_FDCWD) -> str:
    """Key `DEV:INO` of the FIFO that a process's path leads to; empty if it leads to none."""
    where = resolve_path(pid, path, directory)
    try:
        found = served.ask_file(where, lambda: os.stat(where))
    except (OSError, ValueError):
        return ""
    if found is None or not stat.S_ISFIFO(found.st_mode):
        return ""
    return f"{found.st_dev}:{found.st_ino}"
