"""Processes that are not watched, in the state: who of them could end a wait. Pure.

A look through all of /proc finds them (`ipcviz.tracer.sampling.outsiders`). What a thread waits for
can be theirs to give, so where one was found, "nobody" is never said.
"""

from __future__ import annotations

from typing import Final, Literal

from ipcviz.events import Outsider
from ipcviz.events.calls import FOR_READY, LOCKS, READS, WRITES
from ipcviz.events.kinds import PIPES, SOCKETS
from ipcviz.model.addresses import is_listening, takes_datagrams
from ipcviz.model.mechanisms.locks import find_wanted_lock, list_blocking_locks, lock_holders
from ipcviz.model.mechanisms.notifiers import watched_things
from ipcviz.model.mechanisms.sockets import leads_to, list_backlogs
from ipcviz.model.state import CallInProgress, Object, State, Thread, Value

Side = Literal["r", "w", "both", "lock"]
"""What somebody has to have of an object: a read end, a write end, either, or a lock on it."""
MOST: Final = 8
"""Whoever waits for more things than so many serves whoever comes: who else has those is not asked.
"""
CAN: Final[dict[Side, frozenset[str]]] = {
    "r": frozenset({"r", "rw"}),
    "w": frozenset({"w", "rw"}),
    "both": frozenset({"r", "w", "rw"}),
    "lock": frozenset({"r", "w", "rw"}),
}
"""How one has an object open who has a side of it."""


class Want(Value, frozen=True):
    """An object whose holders could end a wait, and what they have to have of it."""

    object: str
    side: Side


def outsiders_of(state: State, key: str, side: Side = "both") -> tuple[Outsider, ...]:
    """Who of those that are not watched has an object, by pid, as the last look found."""
    outside = state.outsiders.get(key)
    if outside is None:
        return ()
    return tuple(
        one
        for one in outside.holders
        if (one.how == "lock") == (side == "lock")
        and one.mode in CAN[side]
        and not is_watched(state, one.pid)
    )


def is_watched(state: State, pid: int) -> bool:
    """Whether a process is one of those that are watched, and lives."""
    process = state.processes.get(pid)
    return process is not None and process.fate == "alive"


def wants_of(state: State, thread: Thread, call: CallInProgress) -> tuple[Want, ...]:
    """The objects that somebody who is not watched may have, by which he could end a wait; none if
    it is for many.
    """
    if call.name in FOR_READY:
        things = few_things(state, thread, call)
        found = [
            want
            for thing, events in things
            if thing is not None
            for want in _of_ready(state, thing, events)
        ]
        return tuple(dict.fromkeys(found))
    thing = state.objects.get(call.object)
    if thing is None:
        return ()
    if call.name in LOCKS:
        return (Want(call.object, "lock"),) if _is_locked_outside(state, thread, call) else ()
    if thing.info.kind in PIPES and call.name in READS | WRITES:
        return (Want(call.object, "r" if call.name in WRITES else "w"),)
    if thing.info.kind in SOCKETS and call.name in READS | WRITES and _leads_outside(state, thing):
        return (Want(call.object, "both"),)
    return ()


def few_things(
    state: State, thread: Thread, call: CallInProgress
) -> list[tuple[Object | None, str]]:
    """`watched_things`, if they are few; none of a server's that waits for all of its clients."""
    asked = state.objects.get(call.object)
    if asked is not None and asked.notifier is not None and len(asked.notifier.listed) > MOST:
        return []
    things = watched_things(state, thread.pid, call)
    return things if len(things) <= MOST else []


def _of_ready(state: State, thing: Object, events: str) -> tuple[Want, ...]:
    if thing.info.kind in PIPES:
        # Without a letter only the end of the file, or of its readers, is waited for.
        return (Want(thing.info.key, "r" if "w" in events else "w"),)
    if thing.info.kind in SOCKETS and not is_listening(thing.info) and _leads_outside(state, thing):
        return (Want(thing.info.key, "both"),)
    return ()


def _leads_outside(state: State, thing: Object) -> bool:
    """Whether the other end of a connected socket is no watched process's, as far as is known."""
    info = thing.info
    if (
        takes_datagrams(info)
        or is_listening(info)
        or leads_to(state, thing, list_backlogs(state)) is not None
    ):
        return False
    return info.peer not in state.ends and bool(
        info.peer or info.remote or info.detail.endswith("established")
    )


def _is_locked_outside(state: State, thread: Thread, call: CallInProgress) -> bool:
    """Whether a lock is waited for of which no watched process is known to hold all that is in the
    way.
    """
    number = call.fd
    row = state.find_descriptor(thread.pid, number) if number is not None else None
    wish = find_wanted_lock(call.args, thread.pid, row.ofd if row is not None else 0)
    found = list_blocking_locks(state, call.object, wish) if wish is not None else ()
    return not found or not all(
        any(is_watched(state, pid) for pid in lock_holders(state, one)) for one in found
    )


def outsiders_waited_for(
    state: State, thread: Thread, call: CallInProgress
) -> tuple[Outsider, ...]:
    """Who of those that are not watched could end a wait, each once, by pid."""
    if not state.outsiders:
        return ()
    found = {
        one.pid: one
        for want in wants_of(state, thread, call)
        for one in outsiders_of(state, want.object, want.side)
    }
    return tuple(found[pid] for pid in sorted(found))


def nobody_else_has(state: State, key: str) -> bool:
    """Whether it is known that only watched processes have an object open, as far as /proc and
    their calls tell.
    """
    outside = state.outsiders.get(key)
    if outside is not None:
        return not outside.holders and not outside.hidden
    channel = state.channels.get(key)
    return channel is not None and not channel.outside and not channel.named
