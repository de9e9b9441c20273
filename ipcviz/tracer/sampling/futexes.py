"""Looks at futexes that threads sleep on: when one goes to sleep there, and whether it still has
the same owner.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from ipcviz.events import Futex
from ipcviz.kernel import futexes, libc, procfs
from ipcviz.kernel.futexes import Fate
from ipcviz.tracer.context import Context

HELD: Final = frozenset({"mutex", "rwlock", "barrier"})
"""Kinds of futexes whose holders, or those that have come, change while somebody sleeps there."""

MOST_IDS: Final = 1 << 22
"""PID_MAX_LIMIT of linux/threads.h: ids of threads are smaller."""

_MOST: Final = 200
"""Futexes that one sample looks at again."""


class FutexLooks:
    """Tells what threads wait for in futex(2).

    Args:
        context: The session's.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._asleep: dict[int, tuple[int, tuple[int, ...]]] = {}

    def read_futex(self, pid: int, tid: int, raw: tuple[int, ...]) -> Futex | None:
        """What a thread of a process waits for, by the call's argument registers; None if it does
        not wait.
        """
        found = self._read_futex(pid, tid, raw)
        if found is not None:
            self._asleep[tid] = (pid, raw)
        return found

    def _read_futex(self, pid: int, tid: int, raw: tuple[int, ...]) -> Futex | None:
        """The futex with our numbers of threads; in memory are those of the process's own PID
        namespace.
        """
        inner = self._context.numbers.is_nested(pid)
        status = procfs.read_status(pid, tid) if inner else None
        own = status.nspid[-1] if status is not None and status.nspid else tid
        found = futexes.read_futex(
            pid,
            own,
            raw,
            lambda place: lambda owner: self._find_fate(pid, place, owner),
            _find_libc(pid),
        )
        if found is None:
            return None
        if inner:
            owner, former = (
                self._translate_number(pid, found.owner),
                self._translate_number(pid, found.former),
            )
            holder = self._translate_number(pid, found.holder)
            found = msgspec.structs.replace(found, owner=owner, former=former, holder=holder)
        return self._with_origin(pid, own, raw[0], found)

    def _with_origin(self, pid: int, own: int, address: int, found: Futex) -> Futex:
        """The same with whose memory it is a copy of, if another thread of that held what lies
        there.

        A lock that names no owner, and a semaphore, may be held by whoever waits: it is only
        probable of one that has been alone since the fork, and of locks that do not name that
        thread itself.
        """
        process = self._context.processes.get(pid)
        if (
            process is None
            or not process.left_behind
            or found.object
            or found.owner
            or found.former
        ):
            return found
        if found.holder:
            return msgspec.structs.replace(found, copied=process.left_behind.get(found.holder, 0))
        if not process.alone or found.kind not in ("mutex", "semaphore"):
            return found
        if found.kind == "mutex" and futexes.named_owners(pid, address) & (process.copiers | {own}):
            return found
        return msgspec.structs.replace(found, copied=next(reversed(process.left_behind.values())))

    def _translate_number(self, pid: int, number: int) -> int:
        """The thread that a process knows by a number; 0 if that is not known."""
        if self._context.numbers.is_nested(pid):
            return self._context.numbers.translate_number(pid, number)
        return number if procfs.same_namespace(pid, "pid") else 0

    def read_changed(self) -> tuple[Futex, ...]:
        """The futexes that threads still sleep on and that have another owner by now."""
        return tuple(self._iterate_changed()) if self._asleep else ()

    def _iterate_changed(self) -> Iterator[Futex]:
        threads = self._context.state.threads
        looked: set[str] = set()
        for tid, (pid, raw) in list(self._asleep.items()):
            thread = threads.get(tid)
            known = (
                thread.waiting.futex if thread is not None and thread.waiting is not None else None
            )
            if known is None:
                del self._asleep[tid]
                continue
            if known.kind not in HELD or known.key in looked or len(looked) >= _MOST:
                continue
            looked.add(known.key)
            now = self._read_futex(pid, tid, raw)
            if (
                now is not None
                and now.key == known.key
                and now.kind == known.kind
                and _list_holding(now) != _list_holding(known)
            ):
                yield now

    def _find_fate(self, pid: int, place: Futex, owner: int) -> Fate:
        """What became of the thread with an id that lies in the memory of a process.

        It has to live, and to be of a process that has this memory, to own what is there; or to be
        no more.
        """
        owner = self._translate_number(pid, owner) if 0 < owner < MOST_IDS else 0
        if not owner:
            return "other"
        process = self._context.processes.get(pid)
        status = procfs.read_status(owner)
        if (
            process is not None
            and owner in process.left_behind
            and not place.object
            and (status is None or status.tgid != pid)
        ):
            return "copied"
        look = procfs.read_stat(status.tgid, owner) if status is not None else None
        if status is None or look is None or look.state in "ZX":
            return "gone"
        if status.tgid == pid:
            return "lives"
        entries = self._context.state.mappings.get(status.tgid, ())
        shared = bool(place.object) and any(entry.object.key == place.object for entry in entries)
        return "lives" if shared else "other"


def _find_libc(pid: int) -> libc.Libc:
    return libc.of_program(f"/proc/{pid}/exe")


def _list_holding(futex: Futex) -> tuple[int, ...]:
    return futex.owner, futex.former, futex.readers, futex.arrived
