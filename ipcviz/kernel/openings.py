"""Who opens a FIFO, by whatever name and whoever it is: fanotify(7), which an ordinary user may use
for this, too.

Nothing is opened and nobody waits: an event is put into a queue of ours once an open has succeeded,
before it returns. Needs Linux 5.13 for an ordinary user, and a file system that has file handles.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from typing import Final

# linux/fanotify.h
_FAN_CLOEXEC: Final = 0x1
_FAN_NONBLOCK: Final = 0x2
_FAN_REPORT_FID: Final = 0x200
_FAN_MARK_ADD: Final = 0x1
_FAN_MARK_REMOVE: Final = 0x2
_FAN_OPEN: Final = 0x20
_FAN_EVENT_ON_CHILD: Final = 0x0800_0000
_AT_FDCWD: Final = -100
_EVENT: Final = struct.Struct("=IBBHQii")
"""struct fanotify_event_metadata: length, version, reserved, length of this, mask, descriptor,
process.
"""

_libc = ctypes.CDLL(None, use_errno=True)


class Openings:
    """Opens of one FIFO, from before it comes to be.

    Args:
        folder: Path of the directory that it is about to be made in.

    Raises:
        OSError: The kernel, the file system, or a limit of the user does not allow it.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        flags = _FAN_CLOEXEC | _FAN_NONBLOCK | _FAN_REPORT_FID
        self._fd = _check_result(_libc.fanotify_init(flags, os.O_RDONLY | os.O_CLOEXEC))
        try:
            self._mark_path(_FAN_MARK_ADD, _FAN_OPEN | _FAN_EVENT_ON_CHILD, folder)
        except OSError:
            self.close()
            raise

    def narrow_to_fifo(self, path: str, key: str) -> bool:
        """The FIFO is there: look at it alone from now on.

        Whether nobody can have opened it so far.

        Args:
            path: Where it is.
            key: Its `DEV:INO`.
        """
        try:
            number = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        except (OSError, ValueError):
            return False
        try:
            found = os.fstat(number)
            if not stat.S_ISFIFO(found.st_mode) or f"{found.st_dev}:{found.st_ino}" != key:
                return False
            self._mark_path(_FAN_MARK_ADD, _FAN_OPEN, f"/proc/self/fd/{number}")
            self._mark_path(_FAN_MARK_REMOVE, _FAN_OPEN | _FAN_EVENT_ON_CHILD, self._folder)
        except OSError:
            return False
        finally:
            os.close(number)
        return not self.read_openers()

    def read_openers(self) -> list[int]:
        """Who has opened it since the last time; 0 for others' processes, unless we are root.

        The kernel keeps several opens of one process as one.
        """
        pids: list[int] = []
        while True:
            try:
                block = os.read(self._fd, 8192)
            except OSError:
                return pids
            offset = 0
            while offset + _EVENT.size <= len(block):
                length, _, _, _, _, _, pid = _EVENT.unpack_from(block, offset)
                pids.append(max(pid, 0))
                offset += max(length, _EVENT.size)

    def close(self) -> None:
        """Look no longer."""
        os.close(self._fd)

    def _mark_path(self, what: int, mask: int, path: str) -> None:
        _check_result(
            _libc.fanotify_mark(self._fd, what, ctypes.c_uint64(mask), _AT_FDCWD, os.fsencode(path))
        )


def _check_result(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
