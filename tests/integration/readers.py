"""What the kernel shows of an object by another way than the one that ipcviz takes: to compare
with.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ipcviz.events import SemaphoreInfo, SemaphoreLevel
from ipcviz.kernel import procfs, queues, semaphores, sockets
from ipcviz.kernel.locks import Lock, parse_locks, read_raw
from ipcviz.kernel.maps import SHM
from ipcviz.kernel.procfs import Io, parse_io
from ipcviz.kernel.sockets import InetSocket

if TYPE_CHECKING:
    from tests.integration.lessons import Seen


def read_io(pid: int) -> Io | None:
    """A process's I/O counters, summed over its threads, ended ones too; needs the rights of
    ptrace(2) to read.
    """
    raw = procfs.read_bytes(f"/proc/{pid}/io")
    return parse_io(raw) if raw else None


def read_locks() -> tuple[Lock, ...]:
    """All file locks that the kernel shows: held ones and those waited for."""
    return parse_locks(read_raw())


def read_named(name: str) -> SemaphoreLevel | None:
    """Value and waiters of a named semaphore, from its file; None if it is not there or not ours to
    read.
    """
    path = f"{SHM}sem.{name.removeprefix('/')}"
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        status = os.fstat(fd)
        raw = os.pread(fd, 16, 0)
    except OSError:
        return None
    finally:
        os.close(fd)
    if len(raw) < 16:
        return None
    value, waiters, _ = semaphores.decode_semaphore(raw)
    key = f"{status.st_dev}:{status.st_ino}"
    info = SemaphoreInfo(
        key=f"sem:{key}:0", kind="named", name="/" + name.removeprefix("/"), object=key
    )
    return SemaphoreLevel(info=info, value=value, waiters=waiters)


def inet_sockets() -> dict[int, InetSocket]:
    """All TCP and UDP sockets that have an inode, by it."""
    return {one.ino: one for one in sockets.Listing().all_inet()}


class PosixQueue(NamedTuple):
    """A POSIX queue with a name, in a mounted mqueue file system.

    Attributes:
        name: `/NAME`.
        dev: Device of the file system: with `ino` the key of its descriptors.
        ino: Inode.
        size: Bytes in it; -1 if it is not ours to read.
        notify_pid: The process that asked to be told of a message (mq_notify(3)), 0 if none.
    """

    name: str
    dev: int
    ino: int
    size: int
    notify_pid: int


def posix_queues() -> tuple[PosixQueue, ...]:
    """The POSIX queues with a name, if an mqueue file system is mounted; without one, only
    descriptors show them.
    """
    found = []
    for mount in list_queue_mounts():
        try:
            with os.scandir(mount) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    fields = queues._queue_fields(procfs.read_bytes(entry.path) or b"")
                    size, notify = fields.get("QSIZE", -1), fields.get("NOTIFY_PID", 0)
                    found.append(
                        PosixQueue("/" + entry.name, status.st_dev, status.st_ino, size, notify)
                    )
        except OSError:
            continue
    return tuple(found)


def list_queue_mounts() -> list[str]:
    raw = procfs.read_bytes("/proc/self/mountinfo", whole=True) or b""
    mounts: dict[bytes, str] = {}
    for line in raw.splitlines():
        words = line.split()
        if b"-" in words and words[words.index(b"-") + 1] == b"mqueue":
            # The kernel writes blanks in paths as octal escapes.
            path = (
                words[4].replace(b"\\040", b" ").replace(b"\\011", b"\t").replace(b"\\134", b"\\")
            )
            mounts.setdefault(words[2], os.fsdecode(path))
    return list(mounts.values())


def read_semaphore(seen: Seen, label: str) -> tuple[int, int]:
    """(value, waiters) of a semaphore of a story, from the memory of the first process that has it
    mapped: glibc's sem_t has them in one word of 8 bytes.
    """
    info = seen.state.semaphores[seen.keys[label]].info
    inode = info.object.rpartition(":")[2]
    for pid in seen.pids.values():
        maps = Path(f"/proc/{pid}/maps")
        for row in maps.read_text().splitlines() if maps.exists() else ():
            span, _, offset, _, number, *_ = row.split()
            if number == inode:
                with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
                    start = int(span.partition("-")[0], 16)
                    memory.seek(start + info.offset - int(offset, 16))
                    word = int.from_bytes(memory.read(8), "little")
                return word & 0xFFFFFFFF, word >> 32
    raise AssertionError(f"nobody has {label} mapped")
