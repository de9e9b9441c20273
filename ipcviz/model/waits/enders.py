"""Which watched processes could end a wait on an object: who has its other end, or listens there.

Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipcviz.events.calls import ACCEPTS, FOR_READY, READS, WRITES
from ipcviz.events.kinds import PIPES, SOCKETS
from ipcviz.model.addresses import listens, takes_datagrams
from ipcviz.model.mechanisms.notifiers import watched_things
from ipcviz.model.mechanisms.sockets import awaited, backlogs, leads_to
from ipcviz.model.state import CallInProgress, Object, State, Thread

if TYPE_CHECKING:
    from ipcviz.model.query import Holder

_NOBODY: Final[frozenset[int]] = frozenset()


def enders_of(
    state: State,
    thread: Thread,
    call: CallInProgress,
    reason: str,
    held: dict[str, tuple[Holder, ...]],
) -> frozenset[int]:
    """The processes that could end a wait, by what they hold; empty if that is not known, or
    anybody could.

    Args:
        state: The moment.
        thread: Who waits.
        call: In what.
        reason: Why, as `Wait.reason` has it.
        held: `query.holders(state)`.
    """
    if call.name in FOR_READY:
        return _of_ready(state, thread, call, held)
    thing = state.objects.get(call.object)
    if thing is None or call.name in ACCEPTS:
        return _NOBODY
    if thing.info.kind in SOCKETS:
        other = awaited(state, call, writes=call.name in WRITES)
        if other is None and call.name in READS:
            other = _not_accepted(state, thing)
        return _holding(held, other)
    rows = held.get(call.object, ())
    if call.name in READS or "no writer" in reason:
        return frozenset(row.pid for row in rows if row.writes)
    if call.name in WRITES or "no reader" in reason:
        return frozenset(row.pid for row in rows if row.reads)
    return frozenset(row.pid for row in rows if row.pid != thread.pid)


def _of_ready(
    state: State, thread: Thread, call: CallInProgress, held: dict[str, tuple[Holder, ...]]
) -> frozenset[int]:
    """Of a wait until one of several is ready: all who could make one so; nobody if of one of them
    it is not known.
    """
    asked = state.objects.get(call.object)
    if asked is not None and asked.notifier is not None and asked.notifier.more:
        return _NOBODY
    found: set[int] = set()
    for thing, events in watched_things(state, thread.pid, call):
        if thing is None or listens(thing.info):
            return _NOBODY
        kind, some = thing.info.kind, _NOBODY
        rows = held.get(thing.info.key, ())
        if kind in PIPES:
            # Without a letter only the end of the file, or of its readers, is waited for.
            some = frozenset(
                row.pid for row in rows if (row.reads if "w" in events else row.writes)
            )
        elif kind in SOCKETS and not takes_datagrams(thing.info):
            peer = state.objects.get(thing.info.peer) if thing.info.peer else None
            some = _holding(held, peer or _not_accepted(state, thing))
        elif kind == "eventfd":
            some = frozenset(row.pid for row in rows)
        elif (
            kind == "pidfd" and thing.notifier is not None and thing.notifier.pid in state.processes
        ):
            some = frozenset((thing.notifier.pid,))
        if not some:
            return _NOBODY
        found |= some
    process = state.processes.get(thread.pid)
    alone = process is not None and len(process.threads) == 1
    # Pipes and eventfds to oneself, as event loops have them, end no sleep of a process's only
    # thread.
    return frozenset(found - {thread.pid} if alone else found)


def _holding(held: dict[str, tuple[Holder, ...]], thing: Object | None) -> frozenset[int]:
    return (
        frozenset(row.pid for row in held.get(thing.info.key, ())) if thing is not None else _NOBODY
    )


def _not_accepted(state: State, thing: Object) -> Object | None:
    """The listener that has not accepted a connection yet: who could answer has to do that
    first.
    """
    if takes_datagrams(thing.info) or thing.info.peer in state.objects:
        return None
    return leads_to(state, thing, backlogs(state))
