"""/proc/locks: who holds which file lock, and who waits for it (proc(5), flock(2), fcntl_locking(2))."""

from __future__ import annotations

import os
from typing import NamedTuple

from ipcviz.kernel import procfs


class Lock(NamedTuple):
    """A line of /proc/locks.

    Attributes:
        number: The lock's number; its waiters have the same one.
        waits: It is not held but waited for.
        kind: `POSIX`, `FLOCK`, `OFDLCK` or `LEASE`.
        mode: `READ` or `WRITE` (for leases, what they hold).
        pid: Holder or waiter; -1 for an open file description's lock, 0 if it is in another PID namespace.
        dev: Device of the file, as st_dev.
        ino: Its inode.
        start: First byte.
        end: Last byte; None means the end of the file, wherever that is.
    """

    number: int
    waits: bool
    kind: str
    mode: str
    pid: int
    dev: int
    ino: int
    start: int
    end: int | None


def parse_locks(raw: bytes) -> tuple[Lock, ...]:
    """Parse /proc/locks: waiters are the lines with `->`."""
    found = []
    for line in raw.splitlines():
        words = line.split()
        waits = len(words) > 1 and words[1] == b"->"
        if waits:
            del words[1]
        place = words[5].split(b":") if len(words) >= 8 else []
        if len(place) != 3:
            continue
        found.append(
            Lock(
                number=int(words[0].rstrip(b":")),
                waits=waits,
                kind=procfs.text(words[1]),
                mode=procfs.text(words[3]),
                pid=int(words[4]),
                dev=os.makedev(int(place[0], 16), int(place[1], 16)),
                ino=int(place[2]),
                start=int(words[6]),
                end=None if words[7] == b"EOF" else int(words[7]),
            )
        )
    return tuple(found)


def read_locks() -> tuple[Lock, ...]:
    """All file locks that the kernel shows: held ones and those waited for."""
    return parse_locks(procfs.read_bytes("/proc/locks", whole=True) or b"")
