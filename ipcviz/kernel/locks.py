"""/proc/locks: who holds which file lock, and who waits for it (proc(5), flock(2),
fcntl_locking(2)).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable
from typing import Final, Literal, NamedTuple

from ipcviz.events import FileLock
from ipcviz.kernel import procfs


class Lock(NamedTuple):
    """A line of /proc/locks.

    Attributes:
        number: The lock's number; its waiters have the same one.
        waits: It is not held but waited for.
        kind: `POSIX`, `FLOCK`, `OFDLCK` or `LEASE`.
        mode: `READ` or `WRITE` (for leases, what they hold).
        pid: Holder or waiter; -1 for an open file description's lock, 0 if it is in another PID
            namespace.
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


def parse_locks(
    raw: bytes, files: Collection[tuple[int, int]] | None = None, most: int = sys.maxsize
) -> tuple[Lock, ...]:
    """Parse /proc/locks: waiters are the lines with `->`.

    Args:
        raw: The file.
        files: (device, inode) of those whose locks are wanted; None for all. There can be thousands
            of others.
        most: Locks of each of those files at most.
    """
    found = []
    wanted = (
        None if files is None else dict.fromkeys((_place_of(dev, ino) for dev, ino in files), most)
    )
    for line in raw.splitlines():
        words = line.split()
        if wanted is not None:
            left = wanted.get(words[-3], 0) if len(words) > 2 else 0
            if not left:
                continue
            wanted[words[-3]] = left - 1
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
                kind=procfs.decode_text(words[1]),
                mode=procfs.decode_text(words[3]),
                pid=int(words[4]),
                dev=os.makedev(int(place[0], 16), int(place[1], 16)),
                ino=int(place[2]),
                start=int(words[6]),
                end=None if words[7] == b"EOF" else int(words[7]),
            )
        )
    return tuple(found)


def _place_of(dev: int, ino: int) -> bytes:
    """A file as /proc/locks writes it (lock_get_status in fs/locks.c)."""
    return b"%02x:%02x:%d" % (os.major(dev), os.minor(dev), ino)


def read_raw() -> bytes:
    """/proc/locks as it is; empty if it can't be read."""
    return procfs.read_bytes("/proc/locks", whole=True) or b""


_KINDS: Final[dict[str, Literal["flock", "posix", "ofd", "lease"]]] = {
    "FLOCK": "flock",
    "POSIX": "posix",
    "OFDLCK": "ofd",
    "LEASE": "lease",
}


def _file_lock(lock: Lock, pid: int, ofd: int) -> FileLock | None:
    kind = _KINDS.get(lock.kind)
    if kind is None:
        return None
    return FileLock(
        kind=kind,
        mode="r" if lock.mode == "READ" else "w",
        pid=max(pid, 0),
        ofd=ofd,
        start=lock.start,
        end=-1 if lock.end is None else lock.end,
        waits=lock.waits,
    )


def locks_on(
    dev: int, ino: int, every: Iterable[Lock], rows: Iterable[tuple[int, int, int]]
) -> tuple[FileLock, ...]:
    """The locks on one file, each with whoever holds it.

    /proc/locks names no holder of an open file description's lock, and shows none whose taker is
    gone if this is not the first PID namespace; the `lock:` lines of fdinfo are those that this
    very descriptor holds.

    Args:
        dev: The file's device.
        ino: Its inode.
        every: What `parse_locks` gave.
        rows: (pid, descriptor, open file description) of those that have the file open.

    Returns:
        Held locks first, then those waited for, each part by kind and range.
    """
    held: dict[FileLock, None] = {}
    shown: dict[tuple[str, str, int, int | None], int] = {}
    for pid, fd, ofd in rows:
        facts = procfs.read_fdinfo(pid, fd)
        for line in facts.extra.get("lock", ()) if facts is not None else ():
            for lock in parse_locks(line.encode()):
                if (lock.dev, lock.ino) != (dev, ino):
                    continue
                own = lock.kind == "POSIX"
                found = _file_lock(lock, pid if own else lock.pid, 0 if own else ofd)
                if found is not None and found not in held:
                    held[found] = None
                    mark = (lock.kind, lock.mode, lock.start, lock.end)
                    shown[mark] = shown.get(mark, 0) + 1
    waiting = []
    for lock in every:
        if (lock.dev, lock.ino) != (dev, ino):
            continue
        found = _file_lock(lock, lock.pid, 0)
        if found is None:
            continue
        if found.waits:
            waiting.append(found)
            continue
        mark = (lock.kind, lock.mode, lock.start, lock.end)
        if shown.get(mark, 0) > 0:
            shown[mark] -= 1
        else:
            # Held by somebody who is not watched.
            held[found] = None
    return (*sorted(held, key=_make_sort_key), *sorted(waiting, key=_make_sort_key))


def _make_sort_key(lock: FileLock) -> tuple[str, int, int, int, int]:
    return lock.kind, lock.start, lock.end, lock.pid, lock.ofd
