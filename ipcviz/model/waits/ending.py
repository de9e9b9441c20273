"""Who could end a thread's wait, how certain that is, and since when it is so. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from ipcviz.events.calls import FOR_CHILD, FOR_TIME, LOCKS, READS, WRITES
from ipcviz.events.kinds import SOCKETS, having
from ipcviz.model.addresses import takes_datagrams
from ipcviz.model.mechanisms.locks import blocking, lock_holders, wanted
from ipcviz.model.mechanisms.queues import PREFIX, RECEIVES, SENDS, uses
from ipcviz.model.mechanisms.semaphores import PRIVATE, waited_on
from ipcviz.model.mechanisms.signals import let_in_handlers
from ipcviz.model.mechanisms.sockets import awaited, under_way
from ipcviz.model.state import CallInProgress, Object, State, Thread, Value
from ipcviz.model.waits.awaited import children
from ipcviz.model.waits.holding import is_own
from ipcviz.model.waits.outsiders import outsiders_waited_for

if TYPE_CHECKING:
    from ipcviz.model.query import Holder

replace = msgspec.structs.replace

SAMPLED: Final = "only sampled"
TIMEOUT: Final = "one has a timeout"
SEEN: Final = "as far as is seen"

_ENDLESS: Final = (0, -1, "0", "0x0", "NULL")
"""Timeouts that are none: a null pointer, or less than nothing (poll(2))."""
_UNOWNED: Final = frozenset({"semaphore", "condition"})
"""Kinds of futexes that no memory tells an owner of, and that only threads which have the memory
can end.
"""
_ROWS: Final = 1000
"""Descriptors that are looked through, where nobody has done so before."""
_BY_NAME: Final = having("reached")
"""Kinds that processes without a descriptor may come to as well."""
_THINGS: Final = having("pooled") | SOCKETS


class Ending(Value, frozen=True):
    """Who could end a wait.

    Attributes:
        tids: The threads, each by itself: those that have what it waits for. One tuple for all who
            wait for the same end of an object, which can be many.
        doubts: Why that is not certain; empty if it is proved.
        since: Since when nothing has been seen that could have ended it, in session seconds. What
            is not told by calls alone has to last before anything can be said.
        at_once: It need not last.
        child: It is a wait for a child, as whoever has started something that hangs is in.
        any_of: Any of the threads could, and nothing tells which of them is meant to.
    """

    tids: tuple[int, ...]
    doubts: tuple[str, ...] = ()
    since: float = 0.0
    at_once: bool = False
    child: bool = False
    any_of: bool = False


def has_limit(call: CallInProgress) -> bool:
    """Whether time alone ends a call."""
    if call.name in FOR_TIME or call.deadline is not None:
        return True
    return call.args.get("timeout", 0) not in _ENDLESS


class Endings:
    """Who could end the waits of one state.

    Args:
        state: The moment.
        held: The result of `query.holders(state)`; without it, few descriptors are looked through
            instead.
    """

    def __init__(self, state: State, held: Mapping[str, tuple[Holder, ...]] | None = None) -> None:
        self.state = state
        self._held = held
        self._own: dict[int, tuple[tuple[int, ...], bool]] = {}
        self._sharing: dict[tuple[str, tuple[str, ...]], tuple[tuple[int, ...], bool]] = {}

    def of(self, thread: Thread) -> Ending | None:
        """Who could end a thread's wait; None if it runs, or if not all who could are known."""
        call = thread.waiting
        process = self.state.processes.get(thread.pid)
        if call is None or process is None or process.fate != "alive":
            return None
        found = self._by_kind(thread, call)
        if found is None or not found.tids:
            return None
        doubts = []
        thing = self.state.objects.get(call.object)
        if found.any_of and has_limit(call):
            return None  # whoever wakes by itself may end all of these
        if has_limit(call) or (thing is not None and thing.limited):
            # Who gives up after milliseconds, and tries again, is no news.
            doubts.append(TIMEOUT)
        if not process.full:
            doubts.append(SAMPLED)
        if process.ring:
            doubts.append("one has an io_uring")
        return replace(
            found,
            doubts=(*doubts, *found.doubts),
            since=max(found.since, call.began),
            at_once=found.at_once and not doubts,
        )

    def _by_kind(self, thread: Thread, call: CallInProgress) -> Ending | None:
        """Of a semaphore those that hold it, if nobody else gives it; of a mutex or a read-write
        lock the owner; of a thread's end that thread; of a file lock all threads of its holders; of
        a child's end all of the child's; of bytes or room all threads of those who have the other
        end.
        """
        state = self.state
        if thread.semaphore:
            return self._semaphore(thread)
        if call.futex is not None:
            owner = call.futex.owner
            if not owner and call.futex.private and call.futex.kind in _UNOWNED:
                return self._own_threads(thread, "a lock known by its memory alone")
            doubts = ("a lock known by its memory alone",) if call.futex.kind == "rwlock" else ()
            return Ending((owner,) if owner else (), doubts, at_once=True)
        if call.name in LOCKS:
            number = call.fd
            descriptor = state.descriptor(thread.pid, number) if number is not None else None
            wish = wanted(call.args, thread.pid, descriptor.ofd if descriptor is not None else 0)
            locks = blocking(state, call.object, wish) if wish is not None else ()
            holders = [lock_holders(state, lock) for lock in locks]
            return (
                Ending(self._threads(pid for pids in holders for pid in pids), at_once=True)
                if all(holders)
                else None
            )
        if call.name in FOR_CHILD:
            child = call.number("pid")
            one = child is not None and child > 0 and call.args.get("which") in (None, 1)
            doubts = () if one or not self._attached else ("others may be its children",)
            return Ending(
                self._threads(p.pid for p in children(state, thread, call)),
                doubts,
                at_once=True,
                child=True,
            )
        return self._other_end(thread, call)

    def _semaphore(self, thread: Thread) -> Ending | None:
        found = waited_on(self.state, thread.semaphore)
        if not found and thread.semaphore.startswith(f"{PRIVATE}{thread.pid}:"):
            return self._own_threads(thread, "who is to post is not known")
        if any(hold.ended or is_own(hold, thread) for hold in found):
            # Who takes it twice waits for somebody to give it, as one does for a message: that can
            # be anybody.
            return None
        semaphore = self.state.semaphores.get(thread.semaphore)
        doubts = (
            (f"others may hold {semaphore.label}",)
            if semaphore is not None and semaphore.unsure
            else ()
        )
        threads = self._threads(hold.pid for hold in found if not hold.tid)
        return Ending(
            tuple(sorted({*(hold.tid for hold in found if hold.tid), *threads})),
            doubts,
            at_once=True,
        )

    def _own_threads(self, thread: Thread, doubt: str) -> Ending | None:
        """Of a semaphore or a condition variable in memory that no other process has: all threads
        of this one.
        """
        if thread.pid not in self._own:
            self._own[thread.pid] = self._sharing_memory(thread.pid)
        tids, handled = self._own[thread.pid]
        if len(tids) < 2:
            return None
        doubts = (doubt, "a handler of its own may end it") if handled else (doubt,)
        return Ending(tids, doubts, any_of=True)

    def _sharing_memory(self, pid: int) -> tuple[tuple[int, ...], bool]:
        """The threads that have a process's memory, none if others may have it; whether one would
        run a handler.
        """
        state = self.state
        process = state.processes[pid]
        others = (
            p
            for p in state.processes.values()
            if p.parent == pid and p.how != "fork" and p.fate == "alive"
        )
        if any(not other.executed for other in others):
            return (), False
        handled = any(
            let_in_handlers(state, state.threads[tid])
            for tid in process.threads
            if tid in state.threads
        )
        return process.threads, handled

    def _other_end(self, thread: Thread, call: CallInProgress) -> Ending | None:
        """All threads of the processes that could read what a call writes, or write what it
        reads.
        """
        state = self.state
        thing = state.objects.get(call.object)
        writes = call.name in WRITES or call.name in SENDS
        if thing is None or thing.info.kind not in _THINGS:
            return None
        if not writes and call.name not in READS and call.name not in RECEIVES:
            return None
        modes: tuple[str, ...] = ("r", "rw") if writes else ("w", "rw")
        key, source = call.object, thing
        if thing.info.kind in SOCKETS:
            other = awaited(state, call, writes=writes)
            if other is None:
                return None
            key, modes, source = other.info.key, ("rw",), other
        if state.flights and under_way(state, key):
            return None
        if outsiders_waited_for(state, thread, call):
            return None
        if key.startswith(PREFIX):
            return self._queue(thread, key, thing)
        if (key, modes) not in self._sharing:
            self._sharing[key, modes] = self._having(key, modes)
        tids, made = self._sharing[key, modes]
        if not made and not self._attached:
            # It was there before the command, and who started it may have it still.
            return None
        if (
            made
            and thing.info.kind not in _BY_NAME
            and self._told(thread, call, thing, source, writes=writes)
        ):
            return Ending(tids, at_once=True)
        if _contradicted(thing, call, writes=writes):
            return None
        doubt = SEEN if made else f"others may have {thing.label}"
        if thing.info.kind in _BY_NAME:
            doubt = f"others could open {thing.label}"
        return Ending(tids, (doubt,), since=max(thing.level_at, source.level_at))

    def _having(self, key: str, modes: tuple[str, ...]) -> tuple[tuple[int, ...], bool]:
        """All threads that have an end of an object, and whether its descriptions were all seen to
        be made.
        """
        rows = [row for row in self._rows(key) or () if row[2] in modes]
        files = (self.state.open_files.get(ofd) for _, ofd, _ in rows)
        made = all(file.opened_by and not file.outside for file in files if file is not None)
        return self._threads(pid for pid, _, _ in rows), made

    def _told(
        self, thread: Thread, call: CallInProgress, thing: Object, source: Object, *, writes: bool
    ) -> bool:
        """Whether calls prove that nothing has come meanwhile that would wake it.

        What is told of another's call can be older than what it did.
        """
        if not self.state.processes[thread.pid].full or thing.info.kind == "eventfd":
            return False
        if takes_datagrams(source.info) or (not writes and call.name not in READS):
            return False
        if writes:
            channel = self.state.channels.get(source.info.key)
            return channel is not None and channel.known and channel.read_until <= call.began
        return (
            not source.shut and source.exact and thing.exact and source.bytes_in == thing.bytes_out
        )

    def _queue(self, thread: Thread, key: str, thing: Object) -> Ending | None:
        """Of a System V queue: who has used it, and their descendants, who may know its number."""
        users = uses(self.state, key)
        if not set(users) - {thread.pid}:
            # There are no descriptors that would tell who else knows it.
            return None
        families = tuple(
            f"{self.state.processes[pid].lineage}."
            for pid in users
            if self.state.processes[pid].lineage
        )
        heirs = (
            p.pid
            for p in self.state.processes.values()
            if p.fate == "alive" and p.lineage.startswith(families)
        )
        return Ending(
            self._threads((*users, *heirs)),
            (f"others may use {thing.label}",),
            since=thing.level_at,
        )

    @cached_property
    def _attached(self) -> bool:
        return self.state.started is not None and self.state.started.mode == "attached"

    def _rows(self, key: str) -> Iterable[tuple[int, int, str]] | None:
        """Who has an object, by which open file description, and how; None if that would take
        long.
        """
        if self._held is not None:
            return [(row.pid, row.ofd, row.mode) for row in self._held.get(key, ())]
        return self._found.get(key, ()) if self._found is not None else None

    @cached_property
    def _found(self) -> dict[str, list[tuple[int, int, str]]] | None:
        """The same of all objects; None if that would take long."""
        found: dict[str, list[tuple[int, int, str]]] = {}
        count = 0
        for process in self.state.processes.values():
            if process.fate != "alive":
                continue
            table = self.state.descriptors_of(process.pid)
            count += len(table)
            if count > _ROWS:
                return None
            for row, file in self.state.descriptions_of(process.pid):
                found.setdefault(file.object, []).append((process.pid, row.ofd, str(file.mode)))
        return found

    def _threads(self, pids: Iterable[int]) -> tuple[int, ...]:
        """All threads of some processes."""
        known = self.state.processes
        return tuple(sorted({tid for pid in pids if pid in known for tid in known[pid].threads}))


def _contradicted(thing: Object, call: CallInProgress, *, writes: bool) -> bool:
    """Whether the last look at an object found what a call on it waits for, so that it is about to
    be woken.
    """
    level = thing.level
    if level is None or thing.info.key.startswith(PREFIX):
        return False
    if writes:
        return level.writable is True and thing.info.kind not in SOCKETS
    return level.queued > 0 and level.unit != "connections" and thing.info.kind != "eventfd"
