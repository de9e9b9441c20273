"""Questions to a state: who holds what, who waits for what, what is connected to what. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from typing import Final, Literal

from ipcviz.events import MapEntry, Outsider
from ipcviz.events.calls import (
    CHANGES_SEMAPHORES,
    FOR_CHILD,
    FOR_READY,
    FOR_SIGNAL,
    FOR_TIME,
    LOCKS,
    OPENS,
    READS,
    WRITES,
)
from ipcviz.events.kinds import NOTIFIERS, PIPES, SOCKETS, having
from ipcviz.model.addresses import takes_datagrams
from ipcviz.model.mechanisms.notifiers import read_words, ready_words
from ipcviz.model.mechanisms.queues import RECEIVES, SENDS, room_words, wanted_words
from ipcviz.model.mechanisms.sockets import (
    backlogs,
    connect_words,
    leads_to,
    not_accepted_words,
    target_of,
    unseen_end,
)
from ipcviz.model.mechanisms.sockets import full_words as socket_full_words
from ipcviz.model.mechanisms.system_v import wanted_change
from ipcviz.model.state import (
    CallInProgress,
    Object,
    Process,
    Semaphore,
    State,
    Thread,
    Value,
)
from ipcviz.model.waits.awaited import OTHER, awaited_signals, children, children_words, lock_words
from ipcviz.model.waits.enders import enders_of
from ipcviz.model.waits.holding import copy_words, futex_words, holder_words
from ipcviz.model.waits.limits import let_in, limit_words, time_words
from ipcviz.model.waits.outsiders import (
    few_things,
    names_words,
    outside_words,
    outsiders_waited_for,
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


class Wait(Value, frozen=True):
    """What a thread sleeps in, and what would end it.

    Attributes:
        tid: The thread.
        pid: Its process.
        call: The call's name, or `sem_wait` where the semaphore is known.
        fd: Its descriptor argument; -1 if it has none.
        object: Key of the object that it waits on; empty if there is none.
        semaphore: Key of the semaphore that it waits on; empty if there is none.
        reason: Why, in the field's terms: `empty`, `full`, `no writer has it open`, `for a child`,
            ...
        since: When the call was entered, in session seconds.
        kind: `blocked` if another process or thread must act; `idle` for waits on time, signals or
            readiness.
        detail: Which child, which signals, how long; empty if that is not known.
        limit: For how long at most it goes on; empty if it has no such limit, or if that is not
            known.
        deadline: When it ends by itself at the latest, in session seconds; None if never, or if
            that is not known.
        enders: Processes that could end it, ascending, as far as the state shows.
        outsiders: Those who are not watched and could end it, by pid, as far as they were looked
            for.
    """

    tid: int
    pid: int
    call: str
    fd: int = -1
    object: str = ""
    semaphore: str = ""
    reason: str = ""
    since: float = 0.0
    kind: Literal["blocked", "idle"] = "blocked"
    enders: tuple[int, ...] = ()
    detail: str = ""
    limit: str = ""
    deadline: float | None = None
    outsiders: tuple[Outsider, ...] = ()


def living(state: State) -> tuple[Process, ...]:
    """Processes that have not ended, in the order in which they came to be."""
    return tuple(
        sorted(
            (p for p in state.processes.values() if p.fate == "alive"),
            key=lambda p: (p.born, p.pid),
        )
    )


def holders(state: State) -> dict[str, tuple[Holder, ...]]:
    """Every object's holders, by object key; each tuple ordered by pid and descriptor."""
    found: dict[str, list[Holder]] = defaultdict(list)
    for process in state.processes.values():
        if process.fate != "alive":
            continue
        for descriptor, description in state.descriptions_of(process.pid):
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
            found[key].append(Holder(pid=pid, fd=-1, ofd=-1, object=key, mode="rw"))
    return {key: tuple(sorted(rows, key=lambda h: (h.pid, h.fd))) for key, rows in found.items()}


def links(state: State, held: dict[str, tuple[Holder, ...]] | None = None) -> tuple[Link, ...]:
    """Every connection of a process with an object, ordered by object and process.

    Args:
        state: The moment.
        held: The result of `holders(state)`, if the caller has it already.
    """
    found: dict[tuple[str, int], Link] = {}
    for key, rows in (holders(state) if held is None else held).items():
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


def waiters(state: State, semaphore: str) -> tuple[Thread, ...]:
    """The threads that sleep on a semaphore, as far as the events tell, by tid."""
    return tuple(
        sorted((t for t in state.threads.values() if t.semaphore == semaphore), key=lambda t: t.tid)
    )


def wait_of(
    state: State,
    tid: int,
    held: dict[str, tuple[Holder, ...]] | None = None,
    now: float | None = None,
) -> Wait | None:
    """What a thread waits for, or None if it runs.

    Args:
        state: The moment.
        tid: The thread.
        held: The result of `holders(state)`, if the caller has it already; without it `enders` stay
            empty for objects.
        now: The moment for what is left of timers, in session seconds; that of the last event if it
            is not given.
    """
    thread = state.threads.get(tid)
    if thread is None or thread.waiting is None:
        return None
    call = thread.waiting
    found = _wait(state, thread, call, state.t if now is None else now)
    if found.enders or held is None or found.reason == _DISK:
        return found
    enders = enders_of(state, thread, call, found.reason, held)
    if not enders:
        return found
    return Wait(
        **{name: getattr(found, name) for name in found.__struct_fields__ if name != "enders"},
        enders=tuple(sorted(enders)),
    )


def describe_wait(state: State, wait: Wait) -> str:
    """A wait in a few words: `read(0) on P1, empty`."""
    words = wait.call if wait.fd < 0 else f"{wait.call}({wait.fd})"
    if wait.semaphore and wait.semaphore in state.semaphores:
        words += f" on {state.semaphores[wait.semaphore].label}"
    elif wait.object and wait.object in state.objects:
        words += f" on {state.objects[wait.object].label}"
    return ", ".join(filter(None, (words, reason_words(wait))))


def reason_words(wait: Wait) -> str:
    """Why, which, and for how long at most: `for a child: sleep[12]`, `empty, at most 1.5 s
    more`.
    """
    return ", ".join(
        filter(None, (f"{wait.reason}: {wait.detail}" if wait.detail else wait.reason, wait.limit))
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


def full_words(thing: Object) -> str:
    """Why a writer sleeps: `full: 62,029 B in 16 of 16 pages`, or `for room` if the last look still
    found some.
    """
    level = thing.level
    if level is None:
        return "full"
    if level.unit == "messages":
        return f"full: {level.queued:,} of {level.capacity:,} messages"
    if level.writable:
        return f"for room: {level.queued:,} B waiting"
    if level.slots_total and level.writable is False:
        return f"full: {level.queued:,} B in {level.slots_total} of {level.slots_total} pages"
    return (
        f"full: {level.queued:,} B of {level.capacity:,} B"
        if level.capacity
        else f"full: {level.queued:,} B"
    )


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


_DISK: Final = "for the disk"
_ON_DISK: Final = having("disk")


def _wait(state: State, thread: Thread, call: CallInProgress, now: float) -> Wait:
    """The wait without its enders, by call and object."""
    number = call.fd
    fd = number if number is not None else -1
    thing = state.objects.get(call.object)

    def made(
        reason: str,
        kind: Literal["blocked", "idle"] = "blocked",
        *,
        name: str = call.name,
        semaphore: str = "",
        enders: tuple[int, ...] = (),
        detail: str = "",
    ) -> Wait:
        return Wait(
            tid=thread.tid,
            pid=thread.pid,
            call=name,
            fd=fd,
            object=call.object,
            semaphore=semaphore,
            reason=reason,
            since=call.began,
            kind=kind,
            enders=enders,
            detail=detail,
            limit="" if call.name in FOR_TIME else limit_words(state, thread, call, now),
            deadline=call.deadline,
            outsiders=outsiders_waited_for(state, thread, call),
        )

    if thread.semaphore and call.name == "futex":
        reason, enders = holder_words(state, thread, "0")
        if call.futex is not None and call.futex.copied:
            reason, enders = f"0, {copy_words(state, call.futex, 'a semaphore')}", ()
        return made(reason, name="sem_wait", semaphore=thread.semaphore, enders=enders)
    if call.name in CHANGES_SEMAPHORES:
        reason, enders = holder_words(
            state, thread, wanted_change(state, thread.semaphore, call.args)
        )
        return made(reason, semaphore=thread.semaphore, enders=enders)
    if call.futex is not None and call.name == "futex":
        name, reason, enders = futex_words(state, thread, call.futex)
        return made(reason, name=name, enders=enders)
    if call.name in LOCKS:
        reason, enders = lock_words(state, thread, call, fd)
        return made(reason, enders=enders)
    if call.name == "msgrcv":
        return made(wanted_words(thing, call.args.get("type"), call.args.get("flags")))
    if call.name == "msgsnd":
        return made(room_words(thing, call.number("count")))
    if call.name in SENDS:
        return made(full_words(thing) if thing is not None else "full")
    if call.name in READS:
        if thing is not None and thing.info.kind == "terminal":
            return made("for input", "idle")
        if thing is not None and thing.info.kind in _ON_DISK:
            return made(_DISK)
        if thing is not None and thing.info.kind in NOTIFIERS:
            kind: Literal["blocked", "idle"] = "blocked" if thing.info.kind == "eventfd" else "idle"
            return made(read_words(state, thing, now) or "empty", kind)
        return made("empty", detail=_unseen(state, thing, "w") if thing is not None else "")
    if call.name in WRITES:
        if thing is not None and thing.info.kind in _ON_DISK:
            return made(_DISK)
        if thing is not None and thing.info.kind == "eventfd":
            return made("its counter can't hold that much more")
        if thing is not None and thing.info.kind in SOCKETS:
            return made(socket_full_words(state, call, thing), detail=_unseen(state, thing, "r"))
        return made(
            full_words(thing) if thing is not None else "full", detail=_unseen(state, thing, "r")
        )
    if call.name == "connect":
        return made(connect_words(state, call))
    if call.name in OPENS:
        if thing is not None and thing.info.kind == "fifo":
            writes = call.has_flag("O_WRONLY")
            return made("no reader has it open" if writes else "no writer has it open")
        return made("opening")
    if call.name in FOR_CHILD:
        found = children(state, thread, call)
        return made(
            "for a child", enders=tuple(sorted(p.pid for p in found)), detail=children_words(found)
        )
    if call.name in FOR_SIGNAL:
        return made("for a signal", "idle", detail=awaited_signals(state, thread, call))
    if call.name in FOR_TIME:
        return made("for time to pass", "idle", detail=time_words(call, now))
    if call.name in FOR_READY:
        others = outsiders_waited_for(state, thread, call)
        detail = _first_unaccepted(state, thread, call)
        if others:
            detail = f"{names_words(others)}, not watched, could make one so"
        words = ready_words(state, thread.pid, call, now) + let_in(thread, call)
        return made(words, "idle", detail=detail)
    reason, kind = OTHER.get(call.name, ("", "blocked"))
    return made(reason, kind)


def _first_unaccepted(state: State, thread: Thread, call: CallInProgress) -> str:
    """Of the first connection that a call waits for and that nobody has accepted: who has not;
    empty if all were.
    """
    for thing, _ in few_things(state, thread, call):
        if (
            thing is not None
            and thing.info.kind in SOCKETS
            and thing.info.peer not in state.objects
        ):
            listener = (
                leads_to(state, thing, backlogs(state)) if not takes_datagrams(thing.info) else None
            )
            if listener is not None:
                return not_accepted_words(state, thing, listener)
    return ""


def _unseen(state: State, thing: Object | None, side: Literal["r", "w"]) -> str:
    """Who of those that are not watched could write into what is empty, or read from what is full;
    empty if nobody.
    """
    if thing is None:
        return ""
    if thing.info.kind in PIPES:
        words = outside_words(state, thing.info.key, side)
    else:
        words = outside_words(state, thing.info.key, "both")
    return words or (unseen_end(state, thing) if side == "w" or thing.info.kind in SOCKETS else "")


class Mapper(Value, frozen=True):
    """A living process's mapping of an object."""

    pid: int
    entry: MapEntry


def mappers(state: State) -> dict[str, tuple[Mapper, ...]]:
    """Who has each object mapped, by object key; each tuple by process and address."""
    found: dict[str, list[Mapper]] = defaultdict(list)
    for pid in sorted(state.mappings):
        process = state.processes.get(pid)
        if process is not None and process.fate == "alive":
            for entry in state.mappings[pid]:
                found[entry.object.key].append(Mapper(pid=pid, entry=entry))
    return {key: tuple(rows) for key, rows in found.items()}


def mapping_at(state: State, pid: int, address: int, length: int = 1) -> MapEntry | None:
    """The first known mapping of a process that has bytes of a range; None if it has none."""
    entries = state.mappings.get(pid, ())
    index = bisect_right(entries, address, key=_start)
    near = (*entries[max(0, index - 1) : index], *entries[index : index + 1])
    return next(
        (m for m in near if m.start < address + length and address < m.start + m.length), None
    )


def _start(entry: MapEntry) -> int:
    return entry.start
