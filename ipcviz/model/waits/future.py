"""What could still change a fact that calls alone would leave as it is. Pure.

Whoever wants to say that something stays as it is asks here first: it is sure only where nothing is
found. Not counted is what can come from outside at any time, whatever a program does: a signal that
somebody sends, a debugger, a descriptor that is taken out of /proc/PID/fd or by pidfd_getfd(2). So
what is sure does not change *by itself*.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipcviz.events.kinds import KINDS
from ipcviz.model.mechanisms.signals import can_reach, let_in_handlers
from ipcviz.model.mechanisms.sockets import under_way
from ipcviz.model.state import OpenFile, State, Thread, Value
from ipcviz.model.waits.limits import has_limit
from ipcviz.model.waits.values import Wait

By = Literal["handler", "timer", "limit", "parent", "ring", "name", "outside", "flight", "sample"]
"""How something could come: by a signal handler of the one that waits, a timer of it, the end of
its call's time, the end of its parent (PR_SET_PDEATHSIG), its io_uring; by who opens an object
by its name, who has it and is not watched, who receives a descriptor that is on its way; or it
has come, and the last look is older."""


class PossibleChange(Value, frozen=True):
    """One thing that could change a fact.

    Attributes:
        by: How.
        signo: The signal of a handler, a timer or a parent's end; 0 of others, and of several
            handlers.
        object: Key of the object whose name or descriptor it is; empty for others.
    """

    by: By
    signo: int = 0
    object: str = ""


def find_newcomers(
    state: State, key: str, modes: Iterable[str] = ("r", "w", "rw")
) -> tuple[PossibleChange, ...]:
    """How somebody who is not known to have an object open, or an end of it, could have it or come
    to it.

    Args:
        state: A moment at which those that matter have it open still.
        key: The object.
        modes: In which of the ways to have it open.
    """
    thing = state.objects.get(key)
    if thing is None:
        return (PossibleChange("outside", object=key),)
    found = []
    if "reached" in KINDS[thing.info.kind].traits and not thing.unlinked:
        found.append(PossibleChange("name", object=key))
    files = [
        file for file in state.open_files.values() if file.object == key and file.mode in modes
    ]
    if (
        not files
        or any(is_shared_outside(file) for file in files)
        or _is_attached(state)
        or state.dropped
    ):
        found.append(PossibleChange("outside", object=key))
    ways = set(modes)
    for socket, flight in under_way(state, key) if state.flights else ():
        sent = (state.open_files.get(ofd) for ofd in flight.ofds)
        if any(file is not None and file.object == key and file.mode in ways for file in sent):
            found.append(PossibleChange("flight", object=socket))
            break
    return tuple(found)


def is_shared_outside(file: OpenFile) -> bool:
    """Whether somebody who is not watched may have an open file description as well."""
    return file.outside or not file.opened_by


def find_wakers(state: State, thread: Thread) -> tuple[PossibleChange, ...]:
    """What could get a sleeping thread out of its call without anybody else's doing something to
    what it waits for.
    """
    process, call = state.processes.get(thread.pid), thread.waiting
    if process is None or call is None:
        return ()
    found = []
    if has_limit(call) or ((thing := state.objects.get(call.object)) is not None and thing.limited):
        found.append(PossibleChange("limit"))
    timers = armed_timers(state, thread.pid)
    found += [
        PossibleChange("timer", signo)
        for signo in sorted(timers)
        if can_reach(state, thread, signo)
    ]
    caught = let_in_handlers(state, thread)
    if caught - timers:
        found.append(PossibleChange("handler", min(caught) if len(caught) == 1 else 0))
    parent = state.processes.get(process.parent)
    orphaned = parent is not None and parent.fate != "alive"
    if process.death_signal and not orphaned and can_reach(state, thread, process.death_signal):
        found.append(PossibleChange("parent", process.death_signal))
    if process.ring:
        found.append(PossibleChange("ring"))
    return tuple(found)


def find_ends(state: State, wait: Wait, modes: Iterable[str]) -> tuple[PossibleChange, ...]:
    """What could end a wait for bytes or room of an object of which only the one that waits is
    known to have the ends.

    Args:
        state: The moment.
        wait: The wait, of a process's only thread.
        modes: In which ways who ends it has the object open.
    """
    thread = state.threads[wait.tid]
    process = state.processes[wait.pid]
    found = [*find_wakers(state, thread), *find_newcomers(state, wait.object, modes)]
    if not process.full:
        found.append(PossibleChange("sample"))
    return tuple(dict.fromkeys(found))


def armed_timers(state: State, pid: int) -> set[int]:
    """The signals of a process's timers that go on while it sleeps: those that count CPU time do
    not.
    """
    timers = ((owner, timer) for (owner, _), timer in state.timers.items())
    return {t.signo for owner, t in timers if owner == pid and t.armed and t.clock != "CPU time"}


def _is_attached(state: State) -> bool:
    return state.started is not None and state.started.mode == "attached"
