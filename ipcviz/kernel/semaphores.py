"""Semaphores: the sem_t of glibc and musl as it lies in memory, the named ones of /dev/shm, System
V sets.

Values are read from memory or asked by semctl(2); nothing is locked or taken, so a value is that of
one moment.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from ipcviz.events import SemaphoreInfo, SemaphoreLevel
from ipcviz.kernel import memory, procfs
from ipcviz.kernel.maps import DELETED, SHM, MapLine, identify_mapping, line_at

_PREFIX: Final = "sem."

# glibc, sysdeps/nptl/internaltypes.h, struct new_sem with __HAVE_64B_ATOMICS: uint64_t data
# (SEM_VALUE_MASK the low 32 bits, SEM_NWAITERS_SHIFT 32), int private, int pad.
_SEM_T: Final = struct.Struct("=Qi")
_VALUE_MASK: Final = 0xFFFFFFFF
_NWAITERS_SHIFT: Final = 32
_PRIVATE_FLAG: Final = 128
"""FUTEX_PRIVATE_FLAG of linux/futex.h"""
# musl, src/thread/sem_*.c: int val[8] with the value, how many wait, and 128 unless it is shared.
# While somebody waits for one that is 0, the value is -1, or from 1.2.4 on its highest bit is set.
# glibc never sets that bit.
_MUSL_WAITERS: Final = 0x80000000

# sys/sem.h
GETPID: Final = 11
GETALL: Final = 13
GETNCNT: Final = 14
GETZCNT: Final = 15

_libc = ctypes.CDLL(None, use_errno=True)
_semctl = _libc.semctl


def decode_semaphore(raw: bytes) -> tuple[int, int, bool]:
    """Decode the sem_t of glibc or musl on 64-bit machines.

    Args:
        raw: Its first 12 bytes or more; raises struct.error if there are fewer.

    Returns:
        (value, threads that wait, whether it is shared between processes). Named ones are always
        shared; for those of sem_init that is what `pshared` said; in musl the opposite.
    """
    data, private = _SEM_T.unpack_from(raw)
    # FUTEX_PRIVATE is 0 here and FUTEX_SHARED is FUTEX_PRIVATE_FLAG, 128: the flag is kept
    # inverted, for xor.
    value = data & _VALUE_MASK
    if value & _MUSL_WAITERS:
        value = 0 if value == _VALUE_MASK else value & ~_MUSL_WAITERS
    return value, data >> _NWAITERS_SHIFT, private != 0


def is_semaphore(raw: bytes, threads: int) -> bool:
    """Whether bytes of memory that one process alone has can still be the semaphore that was there.

    A program that is only sampled may have destroyed and freed it unseen. Then an allocator's
    pointers and keys lie there, or whatever came after. In a sem_t of glibc and of musl the third
    word is 0 or FUTEX_PRIVATE_FLAG, and no more can wait than there are threads.

    Args:
        raw: The first 12 bytes or more.
        threads: How many threads the process has.
    """
    data, private = _SEM_T.unpack_from(raw)
    return private in (0, _PRIVATE_FLAG) and data >> _NWAITERS_SHIFT <= threads


def read_semaphore(pid: int, address: int, info: SemaphoreInfo) -> SemaphoreLevel | None:
    """Value and waiters of a sem_t in a process's memory; None if it can't be read."""
    raw = memory.read_bytes(pid, address, 16)
    if raw is None or len(raw) < 16:
        return None
    value, waiters, _ = decode_semaphore(raw)
    return SemaphoreLevel(info=info, value=value, waiters=waiters)


# Named POSIX semaphores.


def named_semaphores() -> dict[tuple[int, int], str]:
    """The names under which semaphores can be opened now, by (device, inode): `/NAME` for
    /dev/shm/sem.NAME.
    """
    found = {}
    try:
        with os.scandir(SHM) as entries:
            for entry in entries:
                if entry.name.startswith(_PREFIX) and entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    found[status.st_dev, status.st_ino] = "/" + entry.name.removeprefix(_PREFIX)
    except OSError:
        pass
    return found


def find_named(
    maps: Iterable[MapLine], names: Mapping[tuple[int, int], str] | None = None
) -> Iterator[tuple[SemaphoreInfo, int]]:
    """The named semaphores that a process has mapped, each with its address there.

    Args:
        maps: The process's mappings.
        names: Known names by (device, inode); by default those that exist now. A semaphore whose
            name was removed keeps the one that an earlier `named_semaphores` gave, if the caller
            kept that.
    """
    for line in maps:
        if line.shared and line.path.startswith(SHM + _PREFIX):
            if names is None:
                names = named_semaphores()
            yield _identify_named(line, names), line.start


def _identify_named(line: MapLine, names: Mapping[tuple[int, int], str]) -> SemaphoreInfo:
    # The path can't give the name: its creator has mapped a temporary file, which glibc then linked
    # to the name and removed, so it reads `sem.XXXXXX (deleted)`.
    name = names.get((line.dev, line.ino), "")
    if not name and not line.path.endswith(DELETED):
        name = "/" + line.path.removeprefix(SHM + _PREFIX)
    key = identify_mapping(line).key
    return SemaphoreInfo(key=f"sem:{key}:0", kind="named", name=name, object=key)


def locate_semaphore(
    maps: Iterable[MapLine],
    address: int,
    pid: int,
    names: Mapping[tuple[int, int], str] | None = None,
) -> SemaphoreInfo:
    """Which semaphore lies at an address of a process.

    Args:
        maps: The process's mappings.
        address: Of its sem_t.
        pid: The process, for the key of one in private memory.
        names: Known names by (device, inode); by default those that exist now.

    Returns:
        `sem:DEV:INO:OFFSET`, the same in every process that has mapped that object wherever, for
        shared memory of any sort; `sem:vm:PID:ADDRESS` for private memory (also of a file) and
        where nothing is known to be mapped.
    """
    line = line_at(maps, address)
    if line is None or not line.shared:
        # Variables lie in the program's own file mappings, or on the first thread's stack.
        heap = line is not None and not line.path.startswith(("/", "[stack"))
        return SemaphoreInfo(
            key=f"sem:vm:{pid}:{address}", kind="unnamed", offset=address, heap=heap
        )
    offset = line.offset + address - line.start
    if line.path.startswith(SHM + _PREFIX) and offset == 0:
        return _identify_named(line, named_semaphores() if names is None else names)
    key = identify_mapping(line).key
    return SemaphoreInfo(key=f"sem:{key}:{offset}", kind="unnamed", object=key, offset=offset)


# System V sets.


class SemaphoreSet(NamedTuple):
    """A System V semaphore set (/proc/sysvipc/sem, sysvipc(7)), of our own IPC namespace.

    Attributes:
        key: What semget was given; 0 is IPC_PRIVATE.
        semid: Its id.
        mode: Permission bits.
        size: How many semaphores.
        uid: Owner.
        otime: Last semop, in seconds since 1970; 0 if there was none.
        ctime: Last semctl that changed it, or its creation.
    """

    key: int
    semid: int
    mode: int
    size: int
    uid: int
    otime: int
    ctime: int


def sysv_sets() -> dict[int, SemaphoreSet]:
    """All System V semaphore sets by id."""
    return parse_sysv_sets(procfs.read_bytes("/proc/sysvipc/sem", whole=True) or b"")


def parse_sysv_sets(raw: bytes) -> dict[int, SemaphoreSet]:
    """Parse /proc/sysvipc/sem."""
    found = {}
    for line in raw.splitlines()[1:]:
        words = line.split()
        if len(words) >= 10:
            semid = int(words[1])
            found[semid] = SemaphoreSet(
                key=int(words[0]) & 0xFFFFFFFF,
                semid=semid,
                mode=int(words[2], 8),
                size=int(words[3]),
                uid=int(words[4]),
                otime=int(words[8]),
                ctime=int(words[9]),
            )
    return found


def sysv_values(semid: int, size: int = 0) -> tuple[int, ...] | None:
    """The values of a set's semaphores; None if it is gone or its permissions forbid us to read it.

    Args:
        semid: The set.
        size: How many semaphores it has, if that is known.
    """
    # A set of an id that was removed and given again may be larger: leave room for the largest
    # there can be (SEMMSL).
    values = (ctypes.c_ushort * max(size, 32000))()
    if not size:
        one = sysv_sets().get(semid)
        size = one.size if one is not None else 0
    return tuple(values[:size]) if size and _semctl(semid, 0, GETALL, values) >= 0 else None


def sysv_levels(
    semid: int, sets: Mapping[int, SemaphoreSet] | None = None
) -> tuple[SemaphoreLevel, ...] | None:
    """Values, waiters and last process of every semaphore of a set.

    Args:
        semid: The set.
        sets: What `sysv_sets` gave, to save reading it again for each set.

    Returns:
        A level each; None if the set is gone or its permissions forbid us to read it.
    """
    one = (sysv_sets() if sets is None else sets).get(semid)
    if one is None:
        return None
    values = sysv_values(semid, one.size)
    if values is None:
        return None
    found = []
    name = f"{one.key:#x}" if one.key else f"sem {semid}"
    for index in range(one.size):
        waiters, zero, last = (_semctl(semid, index, what) for what in (GETNCNT, GETZCNT, GETPID))
        if min(waiters, zero, last) < 0:
            return None
        info = SemaphoreInfo(key=f"sysv:{semid}:{index}", kind="system v", name=f"{name}[{index}]")
        found.append(
            SemaphoreLevel(
                info=info, value=values[index], waiters=waiters, waiters_zero=zero, last_pid=last
            )
        )
    return tuple(found)
