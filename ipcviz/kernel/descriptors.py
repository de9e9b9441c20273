"""Descriptor tables: rows from /proc/PID/fd and fdinfo, joined to open file descriptions by
kcmp(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Final

import msgspec

from ipcviz.events import Mode, TableEntry
from ipcviz.kernel import procfs, sockets
from ipcviz.kernel.arch import call_numbers, find_native_arch
from ipcviz.kernel.borrow import borrow, can_borrow
from ipcviz.kernel.identity import identify_descriptor, identify_link
from ipcviz.kernel.known import Known, Order, Place, group_of

__all__ = [
    "borrow",
    "can_borrow",
    "can_compare",
    "compare_descriptions",
    "decode_flags",
    "identify_descriptor",
    "identify_link",
    "missing_features",
    "read_entry",
    "read_table",
    "same_description",
    "same_memory",
    "same_table",
]

# linux/kcmp.h
KCMP_FILE: Final = 0
KCMP_VM: Final = 1
KCMP_FILES: Final = 2

replace = msgspec.structs.replace

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long

O_CLOEXEC: Final = os.O_CLOEXEC
O_PATH: Final = 0o10000000
_O_SYNC: Final = 0o4010000
_MODES: Final[tuple[Mode, Mode, Mode, Mode]] = ("r", "w", "rw", "rw")
# asm-generic/fcntl.h; O_DIRECT differs between architectures, so Python's own figure is taken.
_FLAGS: Final = (
    (os.O_APPEND, "append"),
    (os.O_NONBLOCK, "nonblock"),
    (os.O_DIRECT, "direct"),
    (os.O_ASYNC, "async"),
    (os.O_NOATIME, "noatime"),
)


@lru_cache(256)
def decode_flags(flags: int) -> tuple[Mode, tuple[str, ...], bool]:
    """(mode, status flags by name, close-on-exec) of the `flags` of fdinfo (open(2), fcntl(2))."""
    names = [name for bit, name in _FLAGS if flags & bit]
    if flags & _O_SYNC == _O_SYNC:
        names.append("sync")
    elif flags & os.O_DSYNC:
        names.append("dsync")
    mode: Mode = "path" if flags & O_PATH else _MODES[flags & os.O_ACCMODE]
    return mode, tuple(names), bool(flags & O_CLOEXEC)


_TELLING: Final = (
    os.O_ACCMODE
    | os.O_CREAT
    | os.O_EXCL
    | os.O_NOCTTY
    | os.O_TRUNC
    | os.O_APPEND
    | os.O_NONBLOCK
    | os.O_CLOEXEC
    | os.O_DIRECTORY
    | os.O_NOFOLLOW
)
"""Flags of open(2) that it keeps, or that are about the opening alone: nothing else comes of them.
"""


def read_entry(pid: int, fd: int, ofd: int, opened: int = -1) -> TableEntry | None:
    """One row of a process's descriptor table.

    Args:
        pid: The process.
        fd: The descriptor.
        ofd: Number of its open file description, known or new.
        opened: The flags that it has just been opened with: they save a look at fdinfo. -1 if they
            are not known.

    Returns:
        The row; None if the descriptor, or the process, is gone or not ours to look at.
    """
    thing = identify_descriptor(pid, fd, ofd)
    if thing is not None and not opened & ~_TELLING and thing.kind in ("file", "directory"):
        mode, flags, cloexec = decode_flags(opened)
        return TableEntry(fd=fd, ofd=ofd, object=thing, mode=mode, flags=flags, cloexec=cloexec)
    info = procfs.read_fdinfo(pid, fd)
    if info is None or thing is None:
        return None
    mode, flags, cloexec = decode_flags(info.flags)
    return TableEntry(
        fd=fd, ofd=ofd, object=thing, mode=mode, flags=flags, cloexec=cloexec, offset=info.pos
    )


@cache
def _kcmp_number() -> int:
    arch = find_native_arch()
    return call_numbers(arch.table).get("kcmp", -1) if arch is not None else -1


_ORDERS: Final[tuple[Order, ...]] = ("same", "before", "after", "different")


def compare_descriptions(pid1: int, fd1: int, pid2: int, fd2: int) -> Order | None:
    """Compare the open file descriptions of two descriptors (kcmp(2), KCMP_FILE).

    Returns:
        `same`; `before` or `after` in an order that the kernel makes up but keeps to, the same for
        all processes, so that descriptions can be sorted; `different` if it gives no order; None if
        one is gone, or we may not (the rights of ptrace(2) to read are needed for both), or the
        kernel has no kcmp.
    """
    number = _kcmp_number()
    if number < 0:
        return None
    result = _syscall(number, pid1, pid2, KCMP_FILE, ctypes.c_ulong(fd1), ctypes.c_ulong(fd2))
    return _ORDERS[result] if 0 <= result <= 3 else None


def same_description(pid1: int, fd1: int, pid2: int, fd2: int) -> bool | None:
    """Whether two descriptors share one open file description; None if that can't be known (see
    `compare_descriptions`).
    """
    order = compare_descriptions(pid1, fd1, pid2, fd2)
    return None if order is None else order == "same"


def _is_same(kind: int, pid1: int, pid2: int) -> bool | None:
    number = _kcmp_number()
    if number < 0:
        return None
    result = _syscall(number, pid1, pid2, kind, 0, 0)
    return result == 0 if 0 <= result <= 3 else None


def same_table(pid1: int, pid2: int) -> bool | None:
    """Whether two tasks share one descriptor table (clone(2), CLONE_FILES); None if that can't be
    known.
    """
    return _is_same(KCMP_FILES, pid1, pid2)


def same_memory(pid1: int, pid2: int) -> bool | None:
    """Whether two tasks share one address space (clone(2), CLONE_VM); None if that can't be
    known.
    """
    return _is_same(KCMP_VM, pid1, pid2)


def can_compare() -> bool:
    """Whether this kernel has kcmp(2) (CONFIG_KCMP) and lets us use it, tried on ourselves."""
    r, w = os.pipe2(os.O_CLOEXEC)
    try:
        ctypes.set_errno(0)
        return (
            compare_descriptions(os.getpid(), r, os.getpid(), w) is not None
            and ctypes.get_errno() != errno.ENOSYS
        )
    finally:
        os.close(r)
        os.close(w)


def missing_features() -> tuple[str, ...]:
    """What this kernel, or a sandbox that we are in, does not allow, and what is lost by it, a
    sentence each.
    """
    found = []
    if not can_borrow():
        found.append(
            "Descriptors can't be borrowed (pidfd_getfd needs Linux 5.6, and a sandbox may forbid"
            " it): how full pipes and queues are, and what waits in them, is not shown."
        )
    if not can_compare():
        found.append(
            "Open file descriptions can't be compared (kcmp is not in this kernel, or a sandbox"
            " forbids it): which descriptors share one is known only from traced calls."
        )
    return tuple(found)


def read_table(
    pid: int,
    next_ofd: Callable[[], int],
    known: Known | None = None,
    listing: sockets.Listing | None = None,
    links: Mapping[int, str] | None = None,
) -> tuple[TableEntry, ...] | None:
    """A process's whole descriptor table, its descriptors joined by open file description.

    Descriptors can share a description only if they refer to the same object, so only those are
    compared: O(n log n) even if all n do.

    Args:
        pid: The process.
        next_ofd: Gives the number for a description that is not among the known ones.
        known: The descriptions that are known already, of this process and of others; afterwards it
            knows this table.
        listing: All sockets; then none of the process's is borrowed to learn what it is.
        links: What its descriptors refer to, as `procfs.read_links` has just found.

    Returns:
        The rows by number; None if the table can't be read. Without kcmp(2) every descriptor that
        is not itself a known one counts as a description of its own.
    """
    here = links if links is not None else procfs.read_links(pid)
    if here is None:
        return None
    known = Known() if known is None else known
    entries = []
    with procfs.open_directory(f"/proc/{pid}/fdinfo") as place:
        if place is None:
            return None
        for fd, link in here.items():
            info = procfs.read_offset_and_flags(place, fd)
            thing = identify_link(pid, fd, link, 0, listing) if info is not None else None
            if info is None or thing is None:
                continue

            def refers(other: Place, link: str = link) -> bool:
                return (here.get(other[1]) if other[0] == pid else procfs.read_link(*other)) == link

            mode, flags, cloexec = decode_flags(info[1])
            ofd = known.identify_description(
                group_of(thing, mode), (pid, fd), compare_descriptions, refers, next_ofd
            )
            if thing.key == "anon:0":
                thing = replace(thing, key=f"anon:{ofd}")
            entries.append(TableEntry(fd, ofd, thing, mode, flags, cloexec, info[0]))
    for fd in known.list_descriptions(pid).keys() - {entry.fd for entry in entries}:
        known.drop_descriptor((pid, fd))
    return tuple(entries)
