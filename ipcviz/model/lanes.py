"""The story in time: one lane a process, one row an operation. Pure.

The rows are made from events and the states around them, in one pass. What a row says in words is
the narrate floor's to add; this is who did it, who is asleep after it, and from whom it leads to
whom.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

from ipcviz.events import (
    Accessed,
    Call,
    Continued,
    Event,
    Executed,
    Exited,
    Forked,
    HandlerReturned,
    Marker,
    Reaped,
    SemaphoreOp,
    SignalDelivered,
    Stopped,
    ThreadCreated,
    Waiting,
)
from ipcviz.events.calls import where
from ipcviz.model.ledger.provenance import sources_of
from ipcviz.model.mechanisms import wakes
from ipcviz.model.state import State
from ipcviz.model.steps.visible import ENDS, is_visible, is_visible_semaphore
from ipcviz.model.waits.rules import wait_of

Leads = Literal["bytes", "signal", "post", "wake", "birth", "end"]
"""What leads from one process to another: bytes from a write to a read, a signal from its sending
to its delivery, a post, a semop or the wake of a futex to the waiter that it woke, a fork to the
child, an end to its waiter.
"""


class Arrow(NamedTuple):
    """What leads from one process to another one, and came there with a row.

    Attributes:
        leads: What it is.
        source: The process that it comes from.
        target: The process that it comes to.
        n: Number of the event that it began with; 0 if that is not known.
        step: In step mode: the step that it began in; 0 elsewhere.
        sure: Whether that is certain.
    """

    leads: Leads
    source: int
    target: int
    n: int = 0
    step: int = 0
    sure: bool = True


class Deed(NamedTuple):
    """A row: what one process did, and how all stood after it.

    Attributes:
        n: The event's number.
        t: When it was, in session seconds.
        step: In step mode: in which step it was; 0 elsewhere.
        pid: Whose it is.
        words: What was done, in a few words; not escaped yet.
        same: What makes rows one behind the other one row; empty for a row of its own.
        arrows: What came with it from others, or went to a child.
        asleep: The processes all of whose threads are asleep after it, each with the letter `B`
            (until another one acts) or `S`.
        alive: The processes that live after it.
        letter: `B` or `S` if this is where it fell asleep; empty elsewhere.
        times: How many such rows this one stands for.
    """

    n: int
    t: float
    step: int
    pid: int
    words: str
    same: str
    arrows: tuple[Arrow, ...]
    asleep: Mapping[int, str]
    alive: frozenset[int]
    letter: str = ""
    times: int = 1


_OF_ONE: Final = (
    Accessed,
    Executed,
    Exited,
    HandlerReturned,
    Marker,
    Stopped,
    Continued,
    ThreadCreated,
)


_WAITS_FOR_CHILD: Final = where(lambda call: call.waits == "child")


def find_doer(event: Event, before: State) -> int:
    """The process whose operation an event is, 0 if it is nobody's or not worth a row: what another
    process can notice is, in step mode as in a live run.

    Args:
        event: The event.
        before: The state before it.
    """
    if isinstance(event, Forked):
        return event.parent if event.how not in ("launched", "attached") else event.pid
    if isinstance(event, Reaped):
        return event.by if event.by in before.processes else 0
    if isinstance(event, _OF_ONE):
        return event.pid
    if isinstance(event, Call) and event.name == "futex":
        return event.pid if _is_wake(event, before) else 0
    if isinstance(event, Call):
        told = event.name not in ENDS and is_visible(
            before, event.pid, event.name, event.args, event.tid
        )
        # That a child was waited for is a row of its own.
        again = event.restarted or (event.name in _WAITS_FOR_CHILD and event.ret > 0)
        return event.pid if told and not again else 0
    if isinstance(event, Waiting):
        shared = not event.semaphore and wakes.is_between_processes(event.futex)
        told = shared or is_visible(before, event.pid, event.call, event.args)
        return event.pid if told else 0
    if isinstance(event, SemaphoreOp):
        return event.pid if is_visible_semaphore(event.semaphore) else 0
    return event.pid if isinstance(event, SignalDelivered) and event.action != "ignore" else 0


def find_arrows(event: Event, before: State, after: State) -> tuple[Arrow, ...]:
    """What leads to an event from other processes, or from it to a new one.

    Args:
        event: The event.
        before: The state before it.
        after: The state that it led to.
    """
    if isinstance(event, Call) and event.name in wakes.CALLS:
        return _find_waker(event, before)
    if isinstance(event, Call):
        return _find_sources(event, after)
    if isinstance(event, Forked):
        known = event.how not in ("launched", "attached")
        return (Arrow("birth", event.parent, event.pid),) if known else ()
    if isinstance(event, Reaped):
        return (Arrow("end", event.pid, event.by),) if event.by else ()
    if isinstance(event, SignalDelivered | Exited):
        sender = event.sender
        if sender and sender in after.processes and sender != event.pid:
            return (Arrow("signal", sender, event.pid),)
        return ()
    if isinstance(event, SemaphoreOp) and event.op in ("acquired", "gained"):
        found = before.semaphores.get(event.semaphore.key)
        if found is not None and found.last_op == "post" and found.last_pid not in (0, event.pid):
            return (Arrow("post", found.last_pid, event.pid),)
    return ()


def _is_wake(event: Call, before: State) -> bool:
    """Whether a call on a futex wakes another process, or is that of one that another has woken:
    what threads of one process do among themselves is no row.
    """
    if wakes.sleeps_for_others(before.threads.get(event.tid)):
        return not event.error
    return bool(wakes.list_woken_by(before, event))


def _find_waker(event: Call, before: State) -> tuple[Arrow, ...]:
    """Who has woken a thread that comes back from semop(2) or futex(2), where that is certain."""
    thread = before.threads.get(event.tid)
    wake = wakes.find_wake(thread.waiting) if thread is not None and not event.error else None
    if wake is None or wake.pid == event.pid:
        return ()
    return (Arrow("wake", wake.pid, event.pid, wake.n, wake.step),)


def _find_sources(event: Call, after: State) -> tuple[Arrow, ...]:
    """Whose bytes a read took: an arrow from each writer, from the last of its writes."""
    read = sources_of(after, event.n)
    found: dict[int, Arrow] = {}
    for source in read.sources if read is not None else ():
        if source.pid != event.pid:
            sure = source.sure and (source.pid not in found or found[source.pid].sure)
            found[source.pid] = Arrow(
                "bytes", source.pid, event.pid, source.n, source.step, sure=sure
            )
    return tuple(found.values())


class Sleepers:
    """Who is asleep, and how: followed through events, since why a thread sleeps costs a moment to
    find out.

    Args:
        state: The state to begin with.
    """

    def __init__(self, state: State) -> None:
        self._letters: dict[int, str] = {}
        self._seen: tuple[object, object] = (None, None)
        self._asleep: Mapping[int, str] = {}
        self._alive: frozenset[int] = frozenset()
        for tid, thread in state.threads.items():
            if thread.waiting is not None:
                self._letters[tid] = _find_letter(state, tid)

    def add_wait(self, event: Waiting, after: State) -> str:
        """A thread fell asleep. Returns its letter."""
        letter = _find_letter(after, event.tid)
        self._letters[event.tid] = letter
        self._seen = (None, None)
        return letter

    def list_all(self, state: State) -> tuple[Mapping[int, str], frozenset[int]]:
        """Who is asleep in a state, and who lives."""
        if self._seen[0] is not state.threads or self._seen[1] is not state.processes:
            self._seen = (state.threads, state.processes)
            self._asleep, self._alive = self._work_out(state)
        return self._asleep, self._alive

    def _work_out(self, state: State) -> tuple[dict[int, str], frozenset[int]]:
        asleep: dict[int, str] = {}
        alive: set[int] = set()
        for pid, process in state.processes.items():
            if process.fate != "alive":
                continue
            alive.add(pid)
            threads = [state.threads[tid] for tid in process.threads if tid in state.threads]
            if threads and all(thread.waiting is not None for thread in threads):
                letters = {self._letters.get(thread.tid, "S") for thread in threads}
                asleep[pid] = "B" if "B" in letters else "S"
        return asleep, frozenset(alive)


def _find_letter(state: State, tid: int) -> str:
    wait = wait_of(state, tid)
    return "B" if wait is not None and wait.blocked else "S"


def fold_deeds(deeds: Iterable[Deed]) -> list[Deed]:
    """Rows with those that say the same, one behind the other, as one: the last of them, with their
    count.
    """
    rows: list[Deed] = []
    for deed in deeds:
        last = rows[-1] if rows else None
        if (
            last is not None
            and deed.same
            and (last.pid, last.same, last.step) == (deed.pid, deed.same, deed.step)
            and {arrow[:3] for arrow in last.arrows} == {arrow[:3] for arrow in deed.arrows}
        ):
            rows[-1] = deed._replace(times=last.times + deed.times)
        else:
            rows.append(deed)
    return rows


class LaneRows(NamedTuple):
    """The rows around a moment.

    Attributes:
        deeds: The rows, oldest first.
        names: What the processes in them are called, by pid, in the order of their births.
        whole: Whether nothing came before the first row.
    """

    deeds: tuple[Deed, ...] = ()
    names: Mapping[int, str] = {}
    whole: bool = True


NO_ROWS: Final = LaneRows()
"""Nothing is known."""


class Lane(NamedTuple):
    """A column: a process, or several that are alike.

    Attributes:
        name: What it is called; not escaped yet.
        pids: Whose it is.
    """

    name: str
    pids: frozenset[int]


_NUMBER: Final = re.compile(r" \d+\Z")


def fold_lanes(names: Mapping[int, str], most: int, chosen: int = 0) -> tuple[Lane, ...]:
    """The lanes of some processes: one each while there is room, else those of like name together.

    Which lanes there are depends on who there is, not on what they do: what has not changed stays
    in its place.

    Args:
        names: The processes' names, in the order of their lanes.
        most: How many lanes there is room for.
        chosen: A process that keeps a lane of its own.
    """
    if len(names) <= most:
        return tuple(Lane(name, frozenset({pid})) for pid, name in names.items())
    groups: dict[str, list[int]] = {}
    for pid, name in names.items():
        kind = f"\0{pid}" if pid == chosen else _NUMBER.sub("", name)
        groups.setdefault(kind, []).append(pid)
    lanes = [
        Lane(names[pids[0]] if len(pids) == 1 else f"{kind} x{len(pids)}", frozenset(pids))
        for kind, pids in groups.items()
    ]
    if len(lanes) <= most:
        return tuple(lanes)
    kept = [lane for lane in lanes if chosen in lane.pids][: most - 1]
    for lane in lanes:
        if lane not in kept and len(kept) < most - 1:
            kept.append(lane)
    kept.sort(key=lanes.index)
    rest = frozenset[int]().union(*(lane.pids for lane in lanes if lane not in kept))
    return (*kept, Lane(f"{len(rest)} others", rest))


def find_row(deeds: Sequence[Deed], n: int) -> int:
    """The place of the last row that has happened by event `n`; -1 if none has."""
    place = -1
    for at, deed in enumerate(deeds):
        if deed.n > n:
            break
        place = at
    return place
