"""Who sleeps at the ends of pipes, FIFOs and sockets, and who has those ends. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ipcviz.diagnose.moment import CaseMoment
from ipcviz.events.kinds import COUNTERS, PIPES, SOCKETS, UNNAMED_PIPES
from ipcviz.model.state import State
from ipcviz.model.waits.hangs import Hang
from ipcviz.model.waits.values import Buffer, Ready, Wait, WatchedDescriptor, Why

if TYPE_CHECKING:
    from ipcviz.model.query import Holder

LASTS_SECONDS: Final = 2.0
"""How long somebody has waited before it is said that a process which goes on keeps him waiting."""


def list_waits_for_room(moment: CaseMoment, hang: Hang) -> Iterable[Wait]:
    """Those of a hang that wait for room in a pipe, FIFO or socket."""
    return (wait for wait in hang.waits if wait.why is Why.FULL and wait.object)


def list_waits_for_bytes(moment: CaseMoment, hang: Hang) -> Iterable[Wait]:
    """Those that wait for bytes; also who polls one descriptor for them that others write to."""
    for wait in hang.waits:
        if wait.why is Why.EMPTY and wait.object:
            yield wait
        elif wait.why is Why.READY and isinstance(wait.facts, Ready) and hang.ways[wait.tid].tids:
            pipes = [
                one
                for one in wait.facts.things
                if one.key and "w" not in one.events and not _is_counter(moment.state, one.key)
            ]
            if len(pipes) == 1:
                yield _as_read(moment.state, wait, pipes[0])


def _is_counter(state: State, key: str) -> bool:
    thing = state.objects.get(key)
    return thing is not None and thing.info.kind in COUNTERS


def find_other_end(wait: Wait) -> str:
    """Key of the object whose holders could end a wait: a socket's other end, or the pipe."""
    return wait.facts.source or wait.object if isinstance(wait.facts, Buffer) else wait.object


def _as_read(state: State, wait: Wait, one: WatchedDescriptor) -> Wait:
    """A poll of one descriptor as a read of it."""
    thing = state.objects.get(one.key)
    source = thing.info.peer if thing is not None and thing.info.kind in SOCKETS else one.key
    return Wait(
        tid=wait.tid, pid=wait.pid, why=Why.EMPTY, call=wait.call, fd=one.fd, object=one.key,
        since=wait.since, facts=Buffer("w", source),
    )  # fmt: skip


def list_pids(rows: Iterable[Holder]) -> set[int]:
    """The processes of some descriptors."""
    return {row.pid for row in rows}


def list_ends(moment: CaseMoment, key: str, modes: str) -> tuple[tuple[int, int], ...]:
    """(process, descriptor) of who has an object open in one of these ways."""
    return tuple((row.pid, row.fd) for row in moment.holders(key, modes))


def name_kind(state: State, key: str) -> str:
    """`pipe`, `FIFO`, `socket`."""
    thing = state.objects.get(key)
    if thing is None:
        return "pipe"
    if thing.info.kind in PIPES:
        return "pipe" if thing.info.kind in UNNAMED_PIPES else "FIFO"
    return "socket" if thing.info.kind.endswith("socket") else thing.info.kind


def list_long_readers(
    moment: CaseMoment, kinds: Iterable[str] = ("pipe",), seconds: float = LASTS_SECONDS
) -> Iterable[Wait]:
    """Who has read for so long from a pipe, or another of these kinds, in which nothing is."""
    state = moment.state
    for wait in moment.waits:
        if moment.now - wait.since < seconds or wait.limited:
            continue
        if wait.why is Why.READY and isinstance(wait.facts, Ready):
            read = [one for one in wait.facts.things if one.key and "w" not in one.events]
            if len(read) != 1:
                continue
            wait = _as_read(state, wait, read[0])
        thing = state.objects.get(wait.object)
        if wait.why is not Why.EMPTY or thing is None or thing.info.kind not in kinds:
            continue
        if not thing.limited and (thing.level is None or not thing.level.queued):
            yield wait
