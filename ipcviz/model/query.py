"""Questions to a state: who has what open, who sleeps on what, what is connected to what. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Container, Mapping
from typing import Final

from ipcviz.events import MapEntry
from ipcviz.events.calls import READS, WRITES
from ipcviz.events.kinds import PIPES, SOCKETS, where
from ipcviz.model.addresses import takes_datagrams
from ipcviz.model.mechanisms.queues import RECEIVES, SENDS
from ipcviz.model.mechanisms.sockets import target_of
from ipcviz.model.state import (
    CallInProgress,
    Object,
    OpenFile,
    Process,
    Semaphore,
    State,
    Thread,
    Value,
)


class Holder(Value, frozen=True):
    """A descriptor of a living process that refers to an object; `fd` -1 for a System V queue, used
    by its id.
    """

    pid: int
    fd: int
    ofd: int
    object: str
    mode: str
    cloexec: bool = False

    @property
    def reads(self) -> bool:
        """Whether bytes can be taken out through it."""
        return self.mode in ("r", "rw")

    @property
    def writes(self) -> bool:
        """Whether bytes can be put in through it."""
        return self.mode in ("w", "rw")


class Link(Value, frozen=True):
    """A line of the picture: a process and an object that it can use, by descriptors or by a
    mapping.

    Attributes:
        pid: The process.
        object: The object's key.
        reads: Bytes can flow from the object to the process.
        writes: Bytes can flow from the process to the object.
        fds: The descriptors that connect them, ascending; empty for a mapping.
        mapped: It has the object mapped.
    """

    pid: int
    object: str
    reads: bool
    writes: bool
    fds: tuple[int, ...] = ()
    mapped: bool = False


def list_living(state: State) -> tuple[Process, ...]:
    """Processes that have not ended, in the order in which they came to be."""
    return tuple(
        sorted(
            (p for p in state.processes.values() if p.fate == "alive"),
            key=lambda p: (p.born, p.pid),
        )
    )


def list_holders(state: State, only: Container[str] | None = None) -> dict[str, tuple[Holder, ...]]:
    """Every object's holders, by object key; each tuple ordered by pid and descriptor.

    Args:
        state: The moment.
        only: Keys of the objects that are asked about, which takes a fraction of the time; None
            for all.
    """
    found: dict[str, list[Holder]] = defaultdict(list)
    files: Mapping[int, OpenFile] = state.open_files
    if only is not None:
        files = {ofd: file for ofd, file in state.open_files.items() if file.object in only}
    for process in state.processes.values():
        if process.fate != "alive" or not files:
            continue
        for descriptor in state.descriptors_of(process.pid).values():
            description = files.get(descriptor.ofd)
            if description is None:
                continue
            found[description.object].append(
                Holder(
                    pid=process.pid,
                    fd=descriptor.fd,
                    ofd=descriptor.ofd,
                    object=description.object,
                    mode=description.mode,
                    cloexec=descriptor.cloexec,
                )
            )
    for pid, keys in state.uses.items():
        for key in keys:
            if only is None or key in only:
                found[key].append(Holder(pid=pid, fd=-1, ofd=-1, object=key, mode="rw"))
    return {key: tuple(sorted(rows, key=lambda h: (h.pid, h.fd))) for key, rows in found.items()}


class Holders:
    """Who holds each object, for one state after the other: worked out again only when a descriptor
    table or the set of the living changed.
    """

    def __init__(self) -> None:
        self._of: tuple[tuple[object, ...], frozenset[int]] | None = None
        self._found: dict[str, tuple[Holder, ...]] = {}

    def list_holders(self, state: State) -> dict[str, tuple[Holder, ...]]:
        """The holders in a state, as the function of that name gives them."""
        living = frozenset(
            pid for pid, process in state.processes.items() if process.fate == "alive"
        )
        of = self._of
        now = (state.tables, state.open_files, state.uses)
        if (
            of is None
            or of[1] != living
            or any(old is not new for old, new in zip(of[0], now, strict=True))
        ):
            self._of = (now, living)
            self._found = list_holders(state)
        return self._found


def list_links(state: State, held: dict[str, tuple[Holder, ...]] | None = None) -> tuple[Link, ...]:
    """Every connection of a process with an object, ordered by object and process.

    Args:
        state: The moment.
        held: The result of `list_holders(state)`, if the caller has it already.
    """
    found: dict[tuple[str, int], Link] = {}
    for key, rows in (list_holders(state) if held is None else held).items():
        for row in rows:
            old = found.get((key, row.pid))
            found[key, row.pid] = Link(
                pid=row.pid,
                object=key,
                reads=row.reads or bool(old and old.reads),
                writes=row.writes or bool(old and old.writes),
                fds=(*(old.fds if old else ()), *((row.fd,) if row.fd >= 0 else ())),
            )
    for pid, entries in state.mappings.items():
        process = state.processes.get(pid)
        if process is None or process.fate != "alive":
            continue
        for entry in entries:
            key = entry.object.key
            old = found.get((key, pid))
            found[key, pid] = Link(
                pid=pid,
                object=key,
                reads="r" in entry.prot or bool(old and old.reads),
                writes=("w" in entry.prot and entry.shared) or bool(old and old.writes),
                fds=old.fds if old else (),
                mapped=True,
            )
    return tuple(found[key] for key in sorted(found))


def has_ended(state: State) -> bool:
    """Whether there were processes, and none is left that has not ended."""
    return bool(state.processes) and not any(p.fate == "alive" for p in state.processes.values())


def list_past_links(state: State) -> tuple[Link, ...]:
    """Every connection that a process has used, whether it still has it or not, ordered as those of
    `list_links`.
    """
    found = [
        Link(
            pid=pid,
            object=key,
            reads=one.took or one.mapped,
            writes=one.put or one.mapped,
            fds=tuple(sorted(one.fds)),
            mapped=one.mapped,
        )
        for pid, used in state.traffic.items()
        for key, one in used.items()
    ]
    return tuple(sorted(found, key=lambda link: (link.object, link.pid)))


_ENDS: Final = where(lambda kind: kind.shape == "end")
"""Kinds of what stands at the ends of a flow: who uses the same one has nothing else in common."""

LAST: Final = 3.0
"""Seconds before the end of all in which the last processes ended."""


def find_last_processes(state: State) -> frozenset[int]:
    """The processes of the system as it last was, once all have ended: those that ended last, and
    those with whom they had anything to do, and so on.
    """
    end = max((p.died or 0.0 for p in state.processes.values()), default=0.0)
    users: dict[str, set[int]] = {}
    for pid, used in state.traffic.items():
        for key in used:
            thing = state.objects.get(key)
            if thing is not None and thing.info.kind not in _ENDS:
                users.setdefault(key, set()).add(pid)
    found: set[int] = set()
    ahead = [p.pid for p in state.processes.values() if (p.died or 0.0) >= end - LAST]
    while ahead:
        pid = ahead.pop()
        if pid not in found and pid in state.processes:
            found.add(pid)
            for key in state.traffic.get(pid, ()):
                ahead.extend(users.pop(key, ()))
    return frozenset(found)


def has_been_woken(thread: Thread) -> bool:
    """Whether a thread that waited for a semaphore is asleep no more: it is held before it goes on
    and takes it, and counts itself as a waiter until it has.
    """
    return bool(thread.semaphore) and thread.poised is not None and thread.poised.at == "return"


def has_communicated(state: State, pid: int) -> bool:
    """Whether a process has moved data through something that others can have at its other end, has
    had memory mapped together with others, or has used a semaphore: so that what it left there is
    still to be understood when it has ended.
    """
    for key, used in state.traffic.get(pid, {}).items():
        thing = state.objects.get(key)
        if thing is not None and (used.mapped or thing.info.kind not in _ENDS):
            return True
    return any(
        pid == found.last_pid or any(hold.pid == pid for hold in found.holds)
        for found in state.semaphores.values()
    )


def list_waiters(state: State, semaphore: str) -> tuple[Thread, ...]:
    """The threads that sleep on a semaphore, as far as the events tell, by tid."""
    found = (
        thread
        for thread in state.threads.values()
        if thread.semaphore == semaphore and not has_been_woken(thread)
    )
    return tuple(sorted(found, key=lambda thread: thread.tid))


def count_woken(state: State, semaphore: str) -> int:
    """How many threads were woken that waited for a semaphore, and have not taken it yet."""
    return sum(
        thread.semaphore == semaphore and has_been_woken(thread)
        for thread in state.threads.values()
    )


def went_in(state: State, thing: Object) -> tuple[int, bool]:
    """Bytes that were written into an object, and whether that is exact or a lower bound.

    A write counts when it returns, so what was read from a pipe and what waits in it can be more
    than what was counted. Into a socket goes what was written to its other end, or sent to its
    address.
    """
    if takes_datagrams(thing.info):
        return max(thing.written, thing.bytes_out), thing.exact and thing.written >= thing.bytes_out
    if thing.info.kind in SOCKETS:
        peer = state.objects.get(thing.info.peer) if thing.info.peer else None
        waits = thing.level.queued if thing.level is not None and thing.level.unit == "bytes" else 0
        least = max(peer.bytes_in if peer is not None else 0, thing.bytes_out + waits)
        return least, peer is not None and peer.exact and least == peer.bytes_in
    if thing.info.kind not in PIPES:
        return thing.bytes_in, thing.exact
    least = max(thing.bytes_in, thing.bytes_out, thing.written)
    return least, thing.exact and least == thing.bytes_in


def _written_to(state: State, call: CallInProgress) -> str:
    """Key of the object in which a call's bytes are to wait: of a socket that is its peer, where it
    is watched.
    """
    thing = state.objects.get(call.object)
    target = (
        target_of(state, thing, call.args)
        if thing is not None and thing.info.kind in SOCKETS
        else None
    )
    return target.info.key if target is not None else call.object


def blocked_on(state: State) -> dict[str, set[int]]:
    """Processes of which a thread sleeps in a write, by the key of the object that is full for
    them.
    """
    found: dict[str, set[int]] = defaultdict(set)
    for thread in state.threads.values():
        if thread.waiting is not None and thread.waiting.object and thread.waiting.name in WRITES:
            found[_written_to(state, thread.waiting)].add(thread.pid)
    return found


def blocked_writers(state: State, key: str) -> tuple[Thread, ...]:
    """The threads that sleep in a write to an object: it is full for them, whatever its byte count
    says.
    """
    return tuple(
        sorted(
            (
                t
                for t in state.threads.values()
                if t.waiting is not None
                and t.waiting.name in WRITES | SENDS
                and _written_to(state, t.waiting) == key
            ),
            key=lambda t: t.tid,
        )
    )


def blocked_readers(state: State, key: str) -> tuple[Thread, ...]:
    """The threads that sleep in a read of an object."""
    return tuple(
        sorted(
            (
                t
                for t in state.threads.values()
                if t.waiting is not None
                and t.waiting.name in READS | RECEIVES
                and t.waiting.object == key
            ),
            key=lambda t: t.tid,
        )
    )


def semaphores_of(state: State, key: str) -> tuple[Semaphore, ...]:
    """The semaphores that lie in an object, by offset."""
    return tuple(
        sorted(
            (s for s in state.semaphores.values() if s.info.object == key),
            key=lambda s: s.info.offset,
        )
    )


class Mapper(Value, frozen=True):
    """A living process's mapping of an object."""

    pid: int
    entry: MapEntry


def list_mappers(state: State) -> dict[str, tuple[Mapper, ...]]:
    """Who has each object mapped, by object key; each tuple by process and address."""
    found: dict[str, list[Mapper]] = defaultdict(list)
    for pid in sorted(state.mappings):
        process = state.processes.get(pid)
        if process is not None and process.fate == "alive":
            for entry in state.mappings[pid]:
                found[entry.object.key].append(Mapper(pid=pid, entry=entry))
    return {key: tuple(rows) for key, rows in found.items()}


def rank_memory(state: State, thing: Object, rows: tuple[Mapper, ...]) -> int:
    """How much a mapped object has to do with communication; less is more.

    0: a scenario names it, or there are semaphores or watched variables in it. 1: several processes
    have it mapped, and one of them may write to it. 2: several can only read it: a library's data,
    a cache. 3: one process alone has it, or none has.

    Args:
        state: The moment.
        thing: The object.
        rows: Who has it mapped.
    """
    key = thing.info.key
    if thing.named or any(
        one.info.object == key for one in (*state.semaphores.values(), *state.variables.values())
    ):
        return 0
    if len({row.pid for row in rows}) < 2:
        return 3
    return 1 if any(row.entry.shared and "w" in row.entry.prot for row in rows) else 2


def mapping_at(state: State, pid: int, address: int, length: int = 1) -> MapEntry | None:
    """The first known mapping of a process that has bytes of a range; None if it has none."""
    entries = state.mappings.get(pid, ())
    index = bisect_right(entries, address, key=_get_start)
    near = (*entries[max(0, index - 1) : index], *entries[index : index + 1])
    return next(
        (m for m in near if m.start < address + length and address < m.start + m.length), None
    )


def _get_start(entry: MapEntry) -> int:
    return entry.start
