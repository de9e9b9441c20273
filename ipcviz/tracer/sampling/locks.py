"""Looks at file locks: at the return of calls that could change them, and with every sample."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from ipcviz.events import AnyEffect, Closed, Duplicated, FileLock, Locks, ObjectLocks, Trouble
from ipcviz.events.kinds import having
from ipcviz.kernel import locks, procfs
from ipcviz.model.mechanisms.locks import lock_holders
from ipcviz.model.query import Holder
from ipcviz.model.state import State
from ipcviz.tracer.calls.table import LOCK_COMMANDS
from ipcviz.tracer.context import Context

_LOCKABLE: Final = having("lockable")


MOST: Final = 200
"""Locks of one file that are told."""

COSTLY: Final = 100_000
"""Bytes of /proc/locks: if there are more, from some 1,500 locks on this machine, they are read
with samples alone.
"""

BRIEF: Final = 1e-3
"""Seconds of CPU time that a look at a call's return may take: who calls waits for it."""
LOOK_SHARE: Final = 0.1
"""Share of the time that looks which take longer may have, because hundreds of processes have the
file open, or wait for its locks. Between two of them samples look, as in a sampled process."""

WAITING_SHARE: Final = 0.02
"""Share of the time that samples may spend on /proc/locks: the kernel makes its reader wait,
mostly for some 10 ms, until no CPU is inside of a lock call any more (fs/locks.c,
percpu_down_write), and what is traced waits with it."""


class LockLooks:
    """Reads /proc/locks for the files that watched processes have open.

    Args:
        context: The session's.
        find_holders: Gives the holders of some objects, by the objects' keys.
    """

    def __init__(
        self,
        context: Context,
        find_holders: Callable[[Iterable[str]], dict[str, tuple[Holder, ...]]],
    ) -> None:
        self._context = context
        self._find_holders = find_holders
        self._too_many: set[str] = set()
        self._costly = False
        self._next = 0.0
        self._looked = False
        self._lost: dict[str, tuple[FileLock, ...]] = {}
        self._next_look = 0.0

    def read_changed(self, held: dict[str, tuple[Holder, ...]]) -> tuple[ObjectLocks, ...]:
        """The files whose locks are not what the state has, out of all that are open or had locks.

        Nothing between two readings. What watched processes do to locks is read at once at their
        calls' returns. The first look at all leaves them to the second one: what it shows should
        not have to wait for them. That a lock is gone is told by the second reading that finds it
        so: the call that released it may be about to return, and tells itself what it did.
        """
        state = self._context.state
        began = time.monotonic()
        first, self._looked = not self._looked, True
        if first and not self._context.holding:
            return ()
        if began < self._next and self._context.policy.from_start and not self._context.holding:
            return ()
        every = self._read_locks(state, {*state.locks, *held})
        ended = time.monotonic()
        self._next = ended + (ended - began) / WAITING_SHARE
        marks = {(lock.dev, lock.ino) for lock in every}
        if not marks and not state.locks:
            return ()
        found = []
        lost, self._lost = self._lost, {}
        for key in {*state.locks, *held}:
            place = _find_place(state, key)
            if place is not None and (key in state.locks or place in marks):
                now = self._select_locks(state, key, every, held.get(key, ()))
                before = state.locks.get(key, ())
                if now == before:
                    continue
                if not _is_kept(before, now) and lost.get(key) != now:
                    self._lost[key] = now
                else:
                    found.append(ObjectLocks(object=key, locks=now))
        return tuple(sorted(found, key=lambda one: one.object))

    def read_changed_on(self, keys: Iterable[str]) -> tuple[ObjectLocks, ...]:
        """The same for some files alone."""
        state, context = self._context.state, self._context
        limited = not (context.config.full or context.holding)
        if limited and time.monotonic() < self._next_look:
            return ()  # the next sample looks
        began, keys = time.thread_time(), tuple(keys)
        held = self._find_holders(keys)
        every = self._read_locks(state, keys)
        found = []
        for key in keys:
            now = self._select_locks(state, key, every, held.get(key, ()))
            if now != state.locks.get(key, ()):
                found.append(ObjectLocks(object=key, locks=now))
        took = time.thread_time() - began
        if took > BRIEF:
            self._next_look = time.monotonic() + took / LOOK_SHARE
        return tuple(found)

    def read_effects(
        self, pid: int, name: str, raw: tuple[int, ...], key: str, made: Iterable[AnyEffect]
    ) -> list[Locks]:
        """What a call that has just returned, whose thread is stopped, did to locks.

        Args:
            pid: The process.
            name: The call.
            raw: Its argument registers.
            key: The object behind its descriptor.
            made: Its effects so far: closing a descriptor can lose locks.
        """
        state = self._context.state
        if self._costly:
            return []  # the next sample looks
        keys = set()
        if key and (name == "flock" or (name == "fcntl" and raw[1] in LOCK_COMMANDS)):
            keys.add(key)
        if state.locks:
            for effect in made:
                if isinstance(effect, Closed | Duplicated):
                    thing = state.object_at(pid, effect.fd)
                    if thing is not None and thing.info.key in state.locks:
                        keys.add(thing.info.key)
        return (
            [
                Locks(object=one.object, locks=one.locks)
                for one in self.read_changed_on(sorted(keys))
            ]
            if keys
            else []
        )

    def _read_locks(self, state: State, keys: Iterable[str]) -> tuple[locks.Lock, ...]:
        """The locks on some objects, those that are files."""
        places = {place for key in keys if (place := _find_place(state, key)) is not None}
        raw = locks.read_raw() if places else b""
        self._costly = len(raw) > COSTLY
        return locks.parse_locks(raw, places, MOST + 1)

    def _select_locks(
        self, state: State, key: str, every: tuple[locks.Lock, ...], rows: tuple[Holder, ...]
    ) -> tuple[FileLock, ...]:
        """The locks on one file, not more than so many; said once of each that has more."""
        place = _find_place(state, key)
        found = tuple(lock for lock in every if (lock.dev, lock.ino) == place)
        if len(found) <= MOST:
            self._too_many.discard(key)
            return self._match_holders(state, key, found, rows)
        if key not in self._too_many:
            self._too_many.add(key)
            message = (
                f"{state.objects[key].info.path} has more than {MOST} locks: so many are shown,"
                " without the descriptors that have them."
            )
            self._context.emit(Trouble(message=message))
        return self._match_holders(state, key, found[:MOST], ())

    @staticmethod
    def _match_holders(
        state: State, key: str, every: tuple[locks.Lock, ...], rows: tuple[Holder, ...]
    ) -> tuple[FileLock, ...]:
        thing = state.objects.get(key)
        if thing is None:
            return ()
        now = locks.locks_on(
            thing.info.dev, thing.info.ino, every, ((row.pid, row.fd, row.ofd) for row in rows)
        )
        gone = [lock for lock in state.locks.get(key, ()) if lock not in now and not lock.waits]
        # What an ending process has lost goes with the event of its end, which is on its way.
        ending = [
            lock
            for lock in gone
            if any(not procfs.read_fd_numbers(pid) for pid in lock_holders(state, lock))
        ]
        # While it closes them, the kernel still shows those locks, but nobody's descriptor has them
        # any more.
        going = {_identify_lock(lock) for lock in ending}
        left = (lock for lock in now if lock.ofd or lock.waits or _identify_lock(lock) not in going)
        return (*ending, *left)


def _find_place(state: State, key: str) -> tuple[int, int] | None:
    """Device and inode of an object that can have locks; None of others."""
    thing = state.objects.get(key)
    return (
        (thing.info.dev, thing.info.ino)
        if thing is not None and thing.info.kind in _LOCKABLE
        else None
    )


def _identify_lock(lock: FileLock) -> tuple[str, int, int, int]:
    return lock.kind, lock.pid, lock.start, lock.end


def _is_kept(before: tuple[FileLock, ...], now: tuple[FileLock, ...]) -> bool:
    """Whether all locks that were held are held still."""
    return all(lock in now for lock in before if not lock.waits)
