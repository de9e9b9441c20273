"""Descriptor tables: rows from /proc/PID/fd and fdinfo, joined to open file descriptions by kcmp(2)."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final, Literal

import msgspec

from ipcviz.events import Mode, TableEntry
from ipcviz.kernel import procfs, sockets
from ipcviz.kernel.arch import call_numbers, native
from ipcviz.kernel.borrow import borrow, can_borrow
from ipcviz.kernel.identity import identify, identify_link

__all__ = [
    "borrow",
    "can_borrow",
    "can_compare",
    "compare",
    "decode_flags",
    "identify",
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


def decode_flags(flags: int) -> tuple[Mode, tuple[str, ...], bool]:
    """(mode, status flags by name, close-on-exec) of the `flags` of fdinfo (open(2), fcntl(2))."""
    names = [name for bit, name in _FLAGS if flags & bit]
    if flags & _O_SYNC == _O_SYNC:
        names.append("sync")
    elif flags & os.O_DSYNC:
        names.append("dsync")
    mode: Mode = "path" if flags & O_PATH else _MODES[flags & os.O_ACCMODE]
    return mode, tuple(names), bool(flags & O_CLOEXEC)


def read_entry(pid: int, fd: int, ofd: int) -> TableEntry | None:
    """One row of a process's descriptor table.

    Args:
        pid: The process.
        fd: The descriptor.
        ofd: Number of its open file description, known or new.

    Returns:
        The row; None if the descriptor, or the process, is gone or not ours to look at.
    """
    link = procfs.fd_link(pid, fd)
    return None if link is None else _read_entry(pid, fd, ofd, link)


def _read_entry(pid: int, fd: int, ofd: int, link: str, listing: sockets.Listing | None = None) -> TableEntry | None:
    info = procfs.read_fdinfo(pid, fd)
    thing = identify_link(pid, fd, link, ofd, listing)
    if info is None or thing is None:
        return None
    mode, flags, cloexec = decode_flags(info.flags)
    return TableEntry(fd=fd, ofd=ofd, object=thing, mode=mode, flags=flags, cloexec=cloexec, offset=info.pos)


@cache
def _kcmp_number() -> int:
    arch = native()
    return call_numbers(arch.table).get("kcmp", -1) if arch is not None else -1


Order = Literal["same", "before", "after", "different"]
_ORDERS: Final[tuple[Order, ...]] = ("same", "before", "after", "different")


def compare(pid1: int, fd1: int, pid2: int, fd2: int) -> Order | None:
    """Compare the open file descriptions of two descriptors (kcmp(2), KCMP_FILE).

    Returns:
        `same`; `before` or `after` in an order that the kernel makes up but keeps to, the same for all processes, so
        that descriptions can be sorted; `different` if it gives no order; None if one is gone, or we may not
        (the rights of ptrace(2) to read are needed for both), or the kernel has no kcmp.
    """
    number = _kcmp_number()
    if number < 0:
        return None
    result = _syscall(number, pid1, pid2, KCMP_FILE, ctypes.c_ulong(fd1), ctypes.c_ulong(fd2))
    return _ORDERS[result] if 0 <= result <= 3 else None


def same_description(pid1: int, fd1: int, pid2: int, fd2: int) -> bool | None:
    """Whether two descriptors share one open file description; None if that can't be known (see `compare`)."""
    order = compare(pid1, fd1, pid2, fd2)
    return None if order is None else order == "same"


def _same(kind: int, pid1: int, pid2: int) -> bool | None:
    number = _kcmp_number()
    if number < 0:
        return None
    result = _syscall(number, pid1, pid2, kind, 0, 0)
    return result == 0 if 0 <= result <= 3 else None


def same_table(pid1: int, pid2: int) -> bool | None:
    """Whether two tasks share one descriptor table (clone(2), CLONE_FILES); None if that can't be known."""
    return _same(KCMP_FILES, pid1, pid2)


def same_memory(pid1: int, pid2: int) -> bool | None:
    """Whether two tasks share one address space (clone(2), CLONE_VM); None if that can't be known."""
    return _same(KCMP_VM, pid1, pid2)


def can_compare() -> bool:
    """Whether this kernel has kcmp(2) (CONFIG_KCMP) and lets us use it, tried on ourselves."""
    r, w = os.pipe2(os.O_CLOEXEC)
    try:
        ctypes.set_errno(0)
        return compare(os.getpid(), r, os.getpid(), w) is not None and ctypes.get_errno() != errno.ENOSYS
    finally:
        os.close(r)
        os.close(w)


def missing_features() -> tuple[str, ...]:
    """What this kernel, or a sandbox that we are in, does not allow, and what is lost by it, a sentence each."""
    found = []
    if not can_borrow():
        found.append(
            "Descriptors can't be borrowed (pidfd_getfd needs Linux 5.6, and a sandbox may forbid it):"
            " how full pipes and queues are, and what waits in them, is not shown."
        )
    if not can_compare():
        found.append(
            "Open file descriptions can't be compared (kcmp is not in this kernel, or a sandbox forbids it):"
            " which descriptors share one is known only from traced calls."
        )
    return tuple(found)


class _Group:
    """Descriptors of one object, one for each of its open file descriptions, sorted by kcmp's order."""

    __slots__ = ("rows",)

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int]] = []
        """(ofd, pid, fd)."""

    def find(self, pid: int, fd: int) -> tuple[int | None, int]:
        """(ofd of the description behind a descriptor, or None if it is not here; where it belongs)."""
        low, high = 0, len(self.rows)
        while low < high:
            middle = (low + high) // 2
            ofd, other, number = self.rows[middle]
            order = compare(pid, fd, other, number)
            if order == "same":
                return ofd, middle
            if order == "before":
                high = middle
            elif order == "after":
                low = middle + 1
            else:
                # One of the two is gone, or the kernel gives no order: the rest can only be tried one by one.
                return self._try_all(pid, fd), len(self.rows)
        return None, low

    def _try_all(self, pid: int, fd: int) -> int | None:
        return next((ofd for ofd, other, number in self.rows if compare(pid, fd, other, number) == "same"), None)


def read_table(
    pid: int,
    next_ofd: Callable[[], int],
    known: Mapping[int, tuple[int, int]] | None = None,
    objects: Mapping[int, str] | None = None,
    listing: sockets.Listing | None = None,
) -> tuple[TableEntry, ...] | None:
    """A process's whole descriptor table, its descriptors joined by open file description.

    Descriptors can share a description only if they refer to the same object, so only those are compared:
    O(n log n) even if all n do.

    Args:
        pid: The process.
        next_ofd: Gives the number for a description that is not among the known ones.
        known: For descriptions known already, by their numbers, a living descriptor (pid, fd) of each, of this
            process or of others. A descriptor of this process itself is believed to be what it was if it refers to
            the same object: /proc can't tell whether it was closed and that object opened again in its place.
        objects: Keys of the objects behind the known ones, as far as they are known: it saves looking at those that
            this process does not have.
        listing: All sockets; then none of the process's is borrowed to learn what it is.

    Returns:
        The rows by number; None if the table can't be read. Without kcmp(2) every descriptor that is not itself a
        known one counts as a description of its own.
    """
    numbers = procfs.read_fd_numbers(pid)
    if numbers is None:
        return None
    links: dict[int, str] = {}
    rows: dict[int, TableEntry] = {}
    for fd in numbers:
        link = procfs.fd_link(pid, fd)
        row = _read_entry(pid, fd, 0, link, listing) if link is not None else None
        if link is not None and row is not None:
            links[fd], rows[fd] = link, row
    wanted = set(links.values())
    keys = {row.object.key for row in rows.values()}
    groups: dict[str, _Group] = {}
    own: dict[int, int] = {}
    for ofd, (other, fd) in (known or {}).items():
        key = objects.get(ofd, "") if objects is not None else ""
        if key and key not in keys and not key.startswith("anon:"):
            continue
        link = links.get(fd) if other == pid else procfs.fd_link(other, fd)
        if link is None or link not in wanted:
            continue
        if other == pid:
            own[fd] = ofd
        group = groups.setdefault(link, _Group())
        found, place = group.find(other, fd)
        if found is None:
            group.rows.insert(place, (ofd, other, fd))
    entries = []
    for fd, link in links.items():
        group = groups.setdefault(link, _Group())
        found, place = group.find(pid, fd)
        if found is None:
            found = own.get(fd) or next_ofd()
            group.rows.insert(place, (found, pid, fd))
        row = rows[fd]
        thing = replace(row.object, key=f"anon:{found}") if row.object.key == "anon:0" else row.object
        entries.append(replace(row, ofd=found, object=thing))
    return tuple(entries)
