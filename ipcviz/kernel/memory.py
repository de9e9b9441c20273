"""Reading another process's memory without stopping it: process_vm_readv(2), else /proc/PID/mem.

Both need the rights of ptrace(2) (PTRACE_MODE_ATTACH_REALCREDS). What can't be read is None, never
an exception. A read may end early where unmapped memory begins: the result is then shorter than
asked.

Memory may be given by another process when it is touched first (userfaultfd(2)). A read of ours
would be such a touch: it would wait for that process, which may stand at a stop of the tracer's,
and would be felt. As soon as somebody who is watched has a userfaultfd, `read_present_only` has
only pages read that are there.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Callable, Sequence
from typing import Final

from ipcviz.kernel.aside import Aside, check_wanted

PAGE_SIZE: Final = os.sysconf("SC_PAGE_SIZE")
MOST: Final = 1 << 20
"""Bytes that one call reads at most."""
IOV_MAX: Final = 1024
"""limits.h; readv(2) takes no longer vectors."""

_WORD: Final = struct.Struct("=Q")
_HALF: Final = struct.Struct("=I")
_ADDRESS_END: Final = 1 << 64
_THERE: Final = 3 << 62
"""Present, or swapped out: bits 63 and 62 of an entry of /proc/PID/pagemap
(admin-guide/mm/pagemap.rst).
"""


class IoVec(ctypes.Structure):
    """Where bytes lie, and how many: struct iovec (iovec(3type))."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


_libc = ctypes.CDLL(None, use_errno=True)
_readv = _libc.process_vm_readv
_readv.restype = ctypes.c_ssize_t
_readv.argtypes = (
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.c_ulong,
)


_quick: Callable[..., int] = ctypes.PyDLL(None).process_vm_readv
"""The same at half the price, for one range, without errno and without releasing the interpreter's
lock.
"""
_RANGES: Final = struct.Struct("=QQQQ")
_present_only = False
_aside: Final = Aside()

_ranges: Final = ctypes.create_string_buffer(_RANGES.size)
_to: Final = ctypes.c_void_p(ctypes.addressof(_ranges))
_from: Final = ctypes.c_void_p(ctypes.addressof(_ranges) + 16)


class _Room:
    """A buffer that is kept between reads: making one costs more than the read itself."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.buffer = (ctypes.c_char * size)()
        self.address = ctypes.addressof(self.buffer)
        self.local = IoVec(self.address, size)
        self.local_address = ctypes.addressof(self.local)
        self.remote = (IoVec * IOV_MAX)()
        self.remote_address = ctypes.addressof(self.remote)
        self.view = memoryview(self.buffer).cast("B")


_small = _Room(16384)
_large: list[_Room] = []


def _choose_room(length: int) -> _Room:
    if length <= _small.size:
        return _small
    if not _large:
        _large.append(_Room(MOST))
    return _large[0]


def read_present_only() -> None:
    """From now on read no page that is not in memory, and wait for none: such a read ends before
    it.
    """
    global _present_only
    _present_only = True


def _read_present(pid: int, parts: list[tuple[int, int]]) -> bytes | None:
    """Parts of memory up to the first page that is not there; it can go between the look and the
    read, so aside.
    """
    key = f"{pid} {parts[0][0] // PAGE_SIZE}"
    return _aside.ask(key, lambda: _read_by_pagemap(pid, parts))


def _read_by_pagemap(pid: int, parts: list[tuple[int, int]]) -> bytes | None:
    found = bytearray()
    try:
        pages = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        for address, length in parts:
            there = min(length, _present_from(pages, address, length))
            room = ctypes.create_string_buffer(max(there, 1))
            local, remote = IoVec(ctypes.addressof(room), there), IoVec(address, there)
            got = (
                _readv(pid, ctypes.addressof(local), 1, ctypes.addressof(remote), 1, 0)
                if there
                else 0
            )
            check_wanted()
            found += room.raw[: max(got, 0)]
            if got < length:
                break
    except (OSError, OverflowError):
        pass
    finally:
        os.close(pages)
    return bytes(found) or None


def _present_from(pages: int, address: int, length: int) -> int:
    """How many bytes from an address on are in memory, or swapped out, by an open
    /proc/PID/pagemap.
    """
    first, last = address // PAGE_SIZE, (address + length - 1) // PAGE_SIZE
    entries = os.pread(pages, (last - first + 1) * _WORD.size, first * _WORD.size)
    count = 0
    for (entry,) in _WORD.iter_unpack(entries):
        if not entry & _THERE:
            break
        count += 1
    return max((first + count) * PAGE_SIZE - address, 0) if count else 0


def _gather_parts(pid: int, parts: list[tuple[int, int]], total: int) -> bytes | None:
    if _present_only:
        return _read_present(pid, parts)
    room = _choose_room(total)
    room.local.length = total
    for index, (address, length) in enumerate(parts):
        place = room.remote[index]
        place.base, place.length = address, length
    got = _readv(pid, room.local_address, 1, room.remote_address, len(parts), 0)
    if got >= 0:
        return ctypes.string_at(room.address, got)
    if ctypes.get_errno() in (errno.ENOSYS, errno.EPERM):
        return _through_file(pid, parts)
    return None


def _through_file(pid: int, parts: list[tuple[int, int]]) -> bytes | None:
    """The fallback where a sandbox forbids process_vm_readv or the kernel lacks it
    (CONFIG_CROSS_MEMORY_ATTACH).
    """
    try:
        fd = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    found = bytearray()
    try:
        for address, length in parts:
            piece = os.pread(fd, length, address)
            found += piece
            if len(piece) < length:
                break
    except (OSError, OverflowError):
        pass
    finally:
        os.close(fd)
    return bytes(found) or None


def read_bytes(pid: int, address: int, length: int) -> bytes | None:
    """Read up to `length` bytes (at most `MOST`) at an address.

    Args:
        pid: A process, or any thread of it.
        address: Where, in its address space.
        length: How many bytes.

    Returns:
        The bytes, fewer if the memory ends before; None if nothing could be read.
    """
    if length <= 0:
        return b""
    if not 0 < address < _ADDRESS_END:
        return None
    length = min(length, MOST)
    if _present_only:
        return _read_present(pid, [(address, length)])
    room = _choose_room(length)
    _RANGES.pack_into(_ranges, 0, room.address, length, address, length)
    got: int = _quick(pid, _to, 1, _from, 1, 0)
    if got > 0:
        return room.view[:got].tobytes()
    return _gather_parts(pid, [(address, length)], length) or None


def read_several(pid: int, addresses: Sequence[int], length: int) -> list[bytes] | None:
    """Read `length` bytes at each of some addresses, at once; None if not all of them can be
    read.
    """
    total = length * len(addresses)
    if not 0 < len(addresses) <= IOV_MAX or total > MOST:
        return None
    found = _gather_parts(pid, [(address, length) for address in addresses], total)
    if found is None or len(found) < total:
        return None
    return [found[start : start + length] for start in range(0, total, length)]


def read_string(pid: int, address: int, limit: int = 4096) -> bytes | None:
    """Read a C string of at most `limit` bytes, without its NUL; None if it can't be read.

    It is cut off, without a sign of it, at `limit` and where readable memory ends.
    """
    if limit <= 0 or not 0 < address < _ADDRESS_END:
        return None
    found = b""
    while len(found) < limit:
        here = address + len(found)
        # Up to the page's end at most: the next page may not be mapped, and most strings end in
        # this one.
        piece = read_bytes(pid, here, min(limit - len(found), PAGE_SIZE - here % PAGE_SIZE, 1024))
        if piece is None:
            return found or None
        end = piece.find(0)
        if end >= 0:
            return found + piece[:end]
        found += piece
    return found


def read_u64(pid: int, address: int) -> int | None:
    """Read an unsigned word of 8 bytes in the machine's byte order."""
    raw = read_bytes(pid, address, 8)
    return None if raw is None or len(raw) < 8 else int(_WORD.unpack(raw)[0])


def read_u32(pid: int, address: int) -> int | None:
    """Read an unsigned word of 4 bytes in the machine's byte order."""
    raw = read_bytes(pid, address, 4)
    return None if raw is None or len(raw) < 4 else int(_HALF.unpack(raw)[0])


def read_iovec(pid: int, address: int, count: int, limit: int) -> bytes | None:
    """The bytes that a struct iovec array points to, joined, at most `limit` (readv(2),
    sendmsg(2)).

    Args:
        pid: A process, or any thread of it, with 64-bit pointers.
        address: Where the array is.
        count: Its elements; more than IOV_MAX (1024) are an error to the kernel and are not looked
            at.
        limit: Bytes wanted at most.

    Returns:
        The bytes, fewer if a buffer can't be read; None if the array itself can't be.
    """
    if count <= 0 or limit <= 0:
        return b""
    array = read_bytes(pid, address, min(count, IOV_MAX) * 16)
    if array is None:
        return None
    parts = []
    limit = min(limit, MOST)
    left = limit
    for base, length in struct.iter_unpack("=QQ", array[: len(array) // 16 * 16]):
        if length and left:
            parts.append((base, min(length, left)))
            left -= min(length, left)
    if not parts:
        return b""
    return _gather_parts(pid, parts, limit - left) or b""
