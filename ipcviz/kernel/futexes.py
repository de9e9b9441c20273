"""What a thread that sleeps in futex(2) waits for, as far as the kernel's rules and glibc's structures tell.

Sources: futex(2); glibc's sysdeps/nptl/bits/struct_mutex.h, bits/thread-shared-types.h (struct __pthread_cond_s),
internaltypes.h (struct new_sem) for 64-bit machines.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, Literal

from ipcviz.events import Futex
from ipcviz.kernel import maps, memory

# linux/futex.h
PRIVATE: Final = 0x80
WAIT: Final = 0
LOCK_PI: Final = 6
WAIT_BITSET: Final = 9
LOCK_PI2: Final = 13
_WAITS: Final = frozenset({WAIT, LOCK_PI, WAIT_BITSET, LOCK_PI2})
_COMMAND: Final = 0x7F
OWNER: Final = 0x3FFFFFFF
"""FUTEX_TID_MASK: the owner in the word of a robust or priority-inheriting mutex."""
WAITERS: Final = 0x80000000

# struct __pthread_mutex_s: lock, count, owner, nusers, kind. Kinds are of a few low bits, and 128 if shared.
_MUTEX: Final = struct.Struct("=IIIII")
_MUTEX_KINDS: Final = 0x400
# struct __pthread_cond_s up to __g_signals[2]: wseq, g1_start, g_refs[2], g_size[2], g1_orig_size, wrefs, g_signals[2].
_CONDITION: Final = struct.Struct("=QQIIIIIIII")
_SIGNALS: Final = 40
"""Offset of __g_signals: a waiter sleeps on one of its two words."""
_SEMAPHORE: Final = struct.Struct("=IIiI")
_PLAUSIBLE: Final = 1 << 20

Threads = Callable[[int], bool]
"""Whether a thread lives and has the memory."""


def is_wait(op: int) -> bool:
    """Whether a futex operation sleeps on the word at its address."""
    return op & _COMMAND in _WAITS


def locate(pid: int, address: int, private: bool) -> Futex:
    """Which futex lies at an address: the same key in all threads that can wake each other there."""
    line = maps.read_line(pid, address)
    if line is None or not line.shared:
        return Futex(key=f"futex:vm:{pid}:{address}", offset=address, private=private)
    offset = line.offset + address - line.start
    thing = maps.identify_mapping(line).key
    # A private wait goes by address space and address, even in memory that is shared.
    key = f"futex:vm:{pid}:{address}" if private else f"futex:{thing}:{offset}"
    return Futex(key=key, object=thing, offset=offset, private=private)


def read(pid: int, tid: int, raw: tuple[int, ...], has: Callable[[Futex], Threads]) -> Futex | None:
    """What a thread waits for in futex(2).

    Args:
        pid: Its process.
        tid: The thread.
        raw: The call's argument registers.
        has: Gives for a place who could own what lies there.

    Returns:
        The futex; None if the operation is no wait.
    """
    address, op, value = raw[0], raw[1] & 0xFFFFFFFF, raw[2] & 0xFFFFFFFF
    if not is_wait(op):
        return None
    place = locate(pid, address, bool(op & PRIVATE))
    kind, sure, owner = _told(pid, tid, address, op, value, place, has(place))
    return Futex(
        key=place.key,
        object=place.object,
        offset=place.offset,
        private=place.private,
        kind=kind,
        sure=sure,
        owner=owner,
    )


Kind = Literal["mutex", "semaphore", "condition", "thread", ""]


def _told(
    pid: int, tid: int, address: int, op: int, value: int, place: Futex, threads: Threads
) -> tuple[Kind, bool, int]:
    """(kind, whether that is sure, the owner if it is known)."""
    word = _word(pid, address)
    if op & _COMMAND in (LOCK_PI, LOCK_PI2):
        owner = (word or 0) & OWNER
        return "mutex", True, owner if owner and threads(owner) else 0
    if value == 2:
        return _mutex(pid, tid, address, threads)
    if value & WAITERS and threads(value & OWNER):
        # A robust mutex: the kernel's list of those has the owner in the word.
        return "mutex", False, value & OWNER
    if value not in (0, tid) and not place.private and not place.object and word == value and threads(value):
        # Its own id lies in each thread's memory until it ends: the kernel clears it then (CLONE_CHILD_CLEARTID).
        return "thread", False, value
    semaphore, condition = value == 0 and _is_semaphore(pid, address, place), _is_condition(pid, address)
    if semaphore != condition:
        return ("semaphore" if semaphore else "condition"), False, 0
    return "", False, 0


def _word(pid: int, address: int) -> int | None:
    raw = memory.read(pid, address, 4)
    return int.from_bytes(raw, "little") if raw is not None and len(raw) == 4 else None


def _mutex(pid: int, tid: int, address: int, threads: Threads) -> tuple[Kind, bool, int]:
    """A lock of glibc: 2 says that there are waiters. Only a pthread_mutex_t keeps its owner."""
    raw = memory.read(pid, address, _MUTEX.size)
    if raw is None or len(raw) < _MUTEX.size:
        return "", False, 0
    _, _, owner, users, kind = _MUTEX.unpack(raw)
    if kind >= _MUTEX_KINDS or not 0 < users < _PLAUSIBLE or owner == tid or not owner or not threads(owner):
        return "mutex", False, 0
    return "mutex", False, owner


def _is_semaphore(pid: int, address: int, place: Futex) -> bool:
    raw = memory.read(pid, address, _SEMAPHORE.size)
    if raw is None or len(raw) < _SEMAPHORE.size:
        return False
    value, waiters, private, _ = _SEMAPHORE.unpack(raw)
    # The field is kept inverted: 0 for private, 128 for shared.
    return bool(value == 0 and 0 < waiters < _PLAUSIBLE and private == (0 if place.private else PRIVATE))


def _is_condition(pid: int, address: int) -> bool:
    for group in (0, 1):
        raw = memory.read(pid, address - _SIGNALS - 4 * group, _CONDITION.size)
        if raw is None or len(raw) < _CONDITION.size:
            continue
        wseq, start, ref0, ref1, _, _, _, wrefs, *_ = _CONDITION.unpack(raw)
        refs = (ref0, ref1)[group] >> 1
        if 0 < refs <= wrefs >> 3 < _PLAUSIBLE and start >> 1 <= wseq >> 1 < 1 << 40:
            return True
    return False
