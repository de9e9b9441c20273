"""What a thread that sleeps in futex(2) waits for, as far as the kernel's rules and libc's
structures tell.

Sources: futex(2); glibc's sysdeps/nptl/bits/struct_mutex.h, bits/struct_rwlock.h,
bits/thread-shared-types.h (struct __pthread_cond_s), internaltypes.h (struct new_sem, struct
pthread_barrier) for 64-bit machines.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from ipcviz.events import Futex
from ipcviz.kernel import maps, memory, procfs
from ipcviz.kernel.libc import Libc

replace = msgspec.structs.replace

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
OWNER_DIED: Final = 0x40000000

# struct __pthread_mutex_s: lock, count, owner, nusers, kind. Kinds are of a few low bits, and 128
# if shared.
_MUTEX: Final = struct.Struct("=IIIII")
_MUTEX_KINDS: Final = 0x400
# struct __pthread_cond_s up to __g_signals[2]: wseq, g1_start, g_refs[2], g_size[2], g1_orig_size,
# wrefs, g_signals[2].
_CONDITION: Final = struct.Struct("=QQIIIIIIII")
_SIGNALS: Final = 40
"""Offset of __g_signals: a waiter sleeps on one of its two words."""
_SEMAPHORE: Final = struct.Struct("=IIiI")
_PLAUSIBLE: Final = 1 << 20

# musl, src/internal/pthread_impl.h: _m_type, _m_lock (EBUSY, or of types other than 0 the owner),
# _m_waiters.
_MUSL_MUTEX: Final = struct.Struct("=IIi")
_MUSL_KINDS: Final = 0x100
_MUSL_OWNED: Final = 15
_MUSL_BUSY: Final = 16
_MUSL_SEMAPHORE: Final = (0xFFFFFFFF, 0x80000000)
"""A semaphore's word while somebody waits for it: until 1.2.3, and from 1.2.4 on."""

# struct __pthread_rwlock_arch_t: readers, writers, wrphase_futex, writers_futex, two paddings,
# cur_writer, shared, elision and padding, padding, flags and padding.
_RWLOCK: Final = struct.Struct("=IIIIIIIIQQII")
_WRITE_PHASE: Final = 1
_WRITER: Final = 2
_READERS: Final = 3
"""Of __readers: the two lowest bits say that writers have it and that one is first in line; the
rest counts readers.
"""
# struct pthread_barrier: in, current_round, count, shared, out.
_BARRIER: Final = struct.Struct("=IIIII")

Fate = Literal["lives", "gone", "copied", "other"]
Threads = Callable[[int], Fate]
"""Whether a thread lives and has the memory; or no thread has that id; or the memory is a copy,
made by fork, of that of its process, where it has stayed; or one has the id that has nothing to
do with it."""


def is_wait(op: int) -> bool:
    """Whether a futex operation sleeps on the word at its address."""
    return op & _COMMAND in _WAITS


def named_owners(pid: int, address: int) -> frozenset[int]:
    """Numbers in a lock's memory that may be of the thread that holds it: in the word, and where
    glibc keeps it.
    """
    raw = memory.read_bytes(pid, address, 12)
    if raw is None or len(raw) < 12:
        return frozenset()
    word, _, owner = struct.unpack("=III", raw)
    return frozenset((word & OWNER, owner))


def locate_futex(pid: int, address: int, private: bool) -> Futex:
    """Which futex lies at an address: the same key in all threads that can wake each other
    there.
    """
    line = maps.read_line(pid, address)
    if line is None or not line.shared:
        return Futex(key=f"futex:vm:{pid}:{address}", offset=address, private=private)
    offset = line.offset + address - line.start
    thing = maps.identify_mapping(line).key
    # A private wait goes by address space and address, even in memory that is shared.
    key = f"futex:vm:{pid}:{address}" if private else f"futex:{thing}:{offset}"
    return Futex(key=key, object=thing, offset=offset, private=private)


def read_futex(
    pid: int, tid: int, raw: tuple[int, ...], has: Callable[[Futex], Threads], libc: Libc = "glibc"
) -> Futex | None:
    """What a thread waits for in futex(2).

    Args:
        pid: Its process.
        tid: The thread.
        raw: The call's argument registers.
        has: Gives for a place who could own what lies there.
        libc: Whose structures lie in the memory.

    Returns:
        The futex; None if the operation is no wait.
    """
    address, op, value = raw[0], raw[1] & 0xFFFFFFFF, raw[2] & 0xFFFFFFFF
    if not is_wait(op):
        return None
    place = locate_futex(pid, address, bool(op & PRIVATE))
    if op & _COMMAND in (LOCK_PI, LOCK_PI2):
        return _set_owner(place, (_read_word(pid, address) or 0) & OWNER, has(place), sure=True)
    if libc == "go":
        return replace(place, kind="go", sure=True)
    if libc == "musl":
        return _classify_musl_futex(pid, address, value, place, has(place))
    return _classify_futex(pid, tid, address, op, value, place, has(place)) if libc else place


def _classify_futex(
    pid: int, tid: int, address: int, op: int, value: int, place: Futex, threads: Threads
) -> Futex:
    """The same place with what lies there, as far as that can be told."""
    word = _read_word(pid, address)
    command = op & _COMMAND
    lock = (
        _read_rwlock(pid, address, value, place, threads)
        if command == WAIT_BITSET and value in (2, 3)
        else None
    )
    if lock is not None:
        return lock
    barrier = _read_barrier(pid, address, value, place) if command == WAIT else None
    if barrier is not None:
        return barrier
    if value == 2:
        return _read_mutex(pid, tid, address, place, threads)
    if value & WAITERS and threads(value & OWNER) != "other":
        # A robust mutex: the kernel's list of those has the owner in the word.
        return _set_owner(place, value & OWNER, threads)
    if (
        value not in (0, tid)
        and not place.private
        and not place.object
        and word == value
        and threads(value) in ("lives", "copied")
    ):
        # Its own id lies in each thread's memory until it ends: the kernel clears it then
        # (CLONE_CHILD_CLEARTID).
        return replace(_set_owner(place, value, threads), kind="thread")
    semaphore, condition = (
        value == 0 and _is_semaphore(pid, address, place),
        _is_condition(pid, address),
    )
    if semaphore != condition:
        return replace(place, kind="semaphore" if semaphore else "condition")
    return place


def _set_owner(place: Futex, owner: int, threads: Threads, *, sure: bool = False) -> Futex:
    fate = threads(owner) if owner else "other"
    return replace(
        place,
        kind="mutex",
        sure=sure,
        owner=owner if fate == "lives" else 0,
        former=owner if fate == "gone" else 0,
        holder=owner if fate == "copied" else 0,
    )


def _classify_musl_futex(
    pid: int, address: int, value: int, place: Futex, threads: Threads
) -> Futex:
    """The same of musl's: a mutex's type lies before the word, and how many wait for it, or a
    semaphore, behind it.

    Of a mutex of the usual type the word has no owner. Condition variables, barriers and threads to
    join have nothing that would tell them.
    """
    raw = memory.read_bytes(pid, address - 4, 12)
    if raw is None or len(raw) < 12 or not value & WAITERS:
        return place
    kind, _, waiters = _MUSL_MUTEX.unpack(raw)
    if not 0 < waiters < _PLAUSIBLE:
        return place
    if value in _MUSL_SEMAPHORE:
        return replace(place, kind="semaphore")
    if kind >= _MUSL_KINDS:
        return place
    if kind & _MUSL_OWNED == 0:
        return replace(place, kind="mutex") if value == WAITERS | _MUSL_BUSY else place
    return _set_owner(place, value & OWNER, threads)


def _read_word(pid: int, address: int) -> int | None:
    raw = memory.read_bytes(pid, address, 4)
    return int.from_bytes(raw, "little") if raw is not None and len(raw) == 4 else None


def _read_mutex(pid: int, tid: int, address: int, place: Futex, threads: Threads) -> Futex:
    """A lock of glibc: 2 says that there are waiters. Only a pthread_mutex_t keeps its owner."""
    raw = memory.read_bytes(pid, address, _MUTEX.size)
    if raw is None or len(raw) < _MUTEX.size:
        return place
    _, _, owner, users, kind = _MUTEX.unpack(raw)
    if kind >= _MUTEX_KINDS or not 0 < users < _PLAUSIBLE:
        return replace(place, kind="mutex")
    if owner == tid and not _sleeps_at(pid, tid, address):
        # It has got the mutex since, and runs on.
        return replace(place, kind="mutex")
    return _set_owner(place, owner, threads)


def _sleeps_at(pid: int, tid: int, address: int) -> bool:
    """Whether a thread is in a call about this futex still."""
    now = procfs.read_syscall(pid, tid)
    return now is not None and bool(now.args) and now.args[0] == address


def _read_rwlock(
    pid: int, address: int, value: int, place: Futex, threads: Threads
) -> Futex | None:
    """A read-write lock: readers, and the writer that is next, sleep on its third word, other
    writers on its fourth.
    """
    found = []
    for before, asks in ((8, "read" if value == 3 else "write"), (12, "write")):
        raw = memory.read_bytes(pid, address - before, _RWLOCK.size)
        if raw is None or len(raw) < _RWLOCK.size or (before == 12 and value == 2):
            continue
        lock = decode_rwlock(raw, private=place.private)
        if lock is None:
            continue
        readers, phase, line, writer = lock
        if before == 8 and (
            phase not in (2, 3) or bool(readers & _WRITE_PHASE) != (asks == "read")
        ):
            continue
        if before == 12 and (line not in (2, 3) or not readers & _WRITER):
            continue
        fate = threads(writer) if writer else "other"
        found.append(
            replace(
                place,
                kind="rwlock",
                asks="read" if asks == "read" else "write",
                readers=0 if readers & _WRITE_PHASE else readers >> _READERS,
                owner=writer if fate == "lives" else 0,
                former=writer if fate == "gone" else 0,
                holder=writer if fate == "copied" else 0,
            )
        )
    # Where both readings make sense, neither is believed.
    return found[0] if len(found) == 1 else None


def decode_rwlock(raw: bytes, *, private: bool) -> tuple[int, int, int, int] | None:
    """(readers, wrphase_futex, writers_futex, cur_writer), if it can be a pthread_rwlock_t; None if
    it can't.
    """
    readers, writers, phase, line, pad3, pad4, writer, shared, elision, pad2, flags, _ = (
        _RWLOCK.unpack(raw)
    )
    if pad3 or pad4 or elision or pad2 or flags > 2 or shared > 1 or bool(shared) == private:
        return None
    if (
        phase > 3
        or line > 3
        or readers >> _READERS >= _PLAUSIBLE
        or writers >= _PLAUSIBLE
        or writer > OWNER
    ):
        return None
    return readers, phase, line, writer


def _read_barrier(pid: int, address: int, value: int, place: Futex) -> Futex | None:
    """A barrier: who has come sleeps on its second word, the number of the round."""
    raw = memory.read_bytes(pid, address - 4, _BARRIER.size)
    found = (
        decode_barrier(raw, value, private=place.private)
        if raw is not None and len(raw) == _BARRIER.size
        else None
    )
    return (
        replace(place, kind="barrier", arrived=found[0], parties=found[1])
        if found is not None
        else None
    )


def decode_barrier(raw: bytes, value: int, *, private: bool) -> tuple[int, int] | None:
    """(threads that have come, threads that must come) of what can be a pthread_barrier_t; None if
    it can't.
    """
    came, current, count, shared, left = _BARRIER.unpack(raw)
    arrived = came - current
    if (
        current != value
        or not 0 < arrived < count < _PLAUSIBLE
        or shared != (0 if private else PRIVATE)
        or left > came
    ):
        return None
    return arrived, count


def _is_semaphore(pid: int, address: int, place: Futex) -> bool:
    raw = memory.read_bytes(pid, address, _SEMAPHORE.size)
    if raw is None or len(raw) < _SEMAPHORE.size:
        return False
    value, waiters, private, _ = _SEMAPHORE.unpack(raw)
    # The field is kept inverted: 0 for private, 128 for shared.
    return bool(
        value == 0 and 0 < waiters < _PLAUSIBLE and private == (0 if place.private else PRIVATE)
    )


def _is_condition(pid: int, address: int) -> bool:
    for group in (0, 1):
        raw = memory.read_bytes(pid, address - _SIGNALS - 4 * group, _CONDITION.size)
        if raw is None or len(raw) < _CONDITION.size:
            continue
        wseq, start, ref0, ref1, _, _, _, wrefs, *_ = _CONDITION.unpack(raw)
        refs = (ref0, ref1)[group] >> 1
        if 0 < refs <= wrefs >> 3 < _PLAUSIBLE and start >> 1 <= wseq >> 1 < 1 << 40:
            return True
    return False
