"""Threads that wait for each other in a circle, so that none of them can go on by itself. Pure.

All that is said of circles, wherever it is said, comes from here. A circle is proved where calls
alone say who could end each of the waits, and that nobody else could; else it probably is one, and
why that is not certain is told with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from ipcviz.events.signals import SIGCHLD
from ipcviz.model.mechanisms.signals import let_in_handlers
from ipcviz.model.state import State, Thread, Value
from ipcviz.model.waits.ending import SAMPLED, TIMEOUT, Ending, Endings
from ipcviz.model.waits.future import armed_timers
from ipcviz.model.waits.holding import name_of
from ipcviz.model.waits.limits import given_up

if TYPE_CHECKING:
    from ipcviz.model.query import Holder

LONG_SECONDS: Final = 0.5
"""How long a wait has to last before something is made of it that calls alone do not tell."""
_DOUBTS_TOLD: Final = 2


class Circle(Value, frozen=True):
    """Threads of which each waits for the next one, and the last one for the first.

    Others that could end one of the waits, as far as is known, wait in the same way for one of
    these or of each other.

    Attributes:
        tids: The threads.
        pids: Their processes, each once, in that order.
        doubts: Why that is not certain; empty if it is proved.
    """

    tids: tuple[int, ...]
    pids: tuple[int, ...]
    doubts: tuple[str, ...] = ()

    def beginning_with(self, tid: int) -> Circle:
        """The same one, told from one of its threads on."""
        at = self.tids.index(tid)
        return Circle((*self.tids[at:], *self.tids[:at]), self.pids, self.doubts)


def long_asleep(state: State, thread: Thread, since: float, now: float) -> bool:
    """Whether a thread has slept in its call for long without a break, as far as that is known.

    One that is only sampled may have been out of it in between: then its process has done something
    meanwhile.
    """
    process = state.processes.get(thread.pid)
    if process is None or now - since < LONG_SECONDS:
        return False
    return process.full or (process.sample is not None and now - process.stirred >= LONG_SECONDS)


def circle(
    state: State,
    tid: int,
    held: Mapping[str, tuple[Holder, ...]] | None = None,
    now: float | None = None,
) -> Circle | None:
    """The circle that keeps a thread from going on, and that would let it if it ended; None if
    there is none.

    It begins with the thread, except where others that this one waits for too make a shorter one.
    For the arguments see `circles`.
    """
    graph = _Graph(state, (tid,), held, now, only=True)
    tied = graph.tied(tid) if tid in graph.endings else set()
    found = _circle(state, graph, tied) if tied else None
    return found.beginning_with(tid) if found is not None and tid in found.tids else found


def circles(
    state: State, held: Mapping[str, tuple[Holder, ...]] | None = None, now: float | None = None
) -> tuple[Circle, ...]:
    """All circles, each beginning with its smallest thread; of those that share threads, the
    shortest.

    Args:
        state: The moment.
        held: The result of `query.holders(state)`, if the caller has it already.
        now: The moment, in session seconds; that of the last event if it is not given.
    """
    waiting = sorted(tid for tid, thread in state.threads.items() if thread.waiting is not None)
    graph = _Graph(state, waiting, held, now)
    found = []
    done: set[int] = set()
    for tid in sorted(graph.endings):
        tied = graph.tied(tid, done) if tid not in done else set()
        if tied:
            found.append(_circle(state, graph, tied))
        done |= tied or {tid}
    return tuple(found)


class _Group:
    """Threads that wait for the same ones."""

    def __init__(self, tids: tuple[int, ...]) -> None:
        self.tids = tids
        self.having = frozenset(tids)
        self.waiting: list[int] = []


class _Graph:
    """The threads that can't go on by themselves, with who could end their waits: all of those are
    among them.

    Args:
        state: The moment.
        tids: Where to begin.
        held: See `circles`.
        now: See `circles`.
        only: Nothing is wanted unless it is about all of `tids`.

    Attributes:
        endings: Who could end each one's wait.
    """

    def __init__(
        self,
        state: State,
        tids: Iterable[int],
        held: Mapping[str, tuple[Holder, ...]] | None,
        now: float | None,
        *,
        only: bool = False,
    ) -> None:
        self.endings: dict[int, Ending] = {}
        self._groups: dict[int, _Group] = {}
        self._of: dict[int, list[_Group]] = {}
        endings = Endings(state, held)
        moment = state.t if now is None else now
        at_rest = state.stepping and not state.moving
        free: list[int] = []
        todo = list(tids)
        seen = set(todo)
        while todo:
            tid = todo.pop()
            thread = state.threads.get(tid)
            ending = endings.of(thread) if thread is not None else None
            if (
                thread is None
                or ending is None
                or not (at_rest or _holds(state, thread, ending, moment))
            ):
                free.append(tid)
                if only:
                    break
                continue
            self.endings[tid] = ending
            group = self._groups.get(id(ending.tids))
            if group is None:
                group = self._groups[id(ending.tids)] = _Group(ending.tids)
                for other in ending.tids:
                    self._of.setdefault(other, []).append(group)
                todo.extend(group.having - seen)
                seen |= group.having
            group.waiting.append(tid)
        if only and free:
            self.endings.clear()
            return
        while free:
            for group in self._of.pop(free.pop(), ()):
                free.extend(tid for tid in group.waiting if self.endings.pop(tid, None) is not None)

    def around(self, tid: int, without: Collection[int] = ()) -> tuple[int, ...]:
        """The shortest way from a thread through others back to it; itself alone if there is none;
        empty if neither.

        `without`: Threads through which it does not go.
        """
        came_from: dict[int, int] = {}
        gone_through: set[int] = set()
        layer = [tid]
        while layer:
            following = []
            for one in sorted(layer, key=lambda one: self.endings[one].child):
                group = self._groups[id(self.endings[one].tids)]
                if one != tid and tid in group.having:
                    path = [one]
                    while path[-1] != tid:
                        path.append(came_from[path[-1]])
                    return tuple(reversed(path))
                if id(group) in gone_through:
                    continue
                gone_through.add(id(group))
                for other in group.tids:
                    if other != tid and other not in came_from and other not in without:
                        came_from[other] = one
                        following.append(other)
            layer = following
        return (tid,) if tid in self._groups[id(self.endings[tid].tids)].having else ()

    def tied(self, tid: int, without: Collection[int] = ()) -> set[int]:
        """The threads that can't go on before a thread does, and it not before them; empty if it is
        in no circle.
        """
        if not self.around(tid, without):
            return set()
        behind, todo, seen = {tid}, [tid], set()
        while todo:
            for group in self._of.get(todo.pop(), ()):
                if id(group) not in seen:
                    seen.add(id(group))
                    more = [
                        one for one in group.waiting if one in self.endings and one not in behind
                    ]
                    behind.update(more)
                    todo.extend(more)
        return behind & self.reached(tid)

    def reached(self, tid: int) -> set[int]:
        """All whose waits a thread's wait hangs on, itself among them."""
        found, todo, seen = {tid}, [tid], set()
        while todo:
            group = self._groups[id(self.endings[todo.pop()].tids)]
            if id(group) not in seen:
                seen.add(id(group))
                todo.extend(group.having - found)
                found |= group.having
        return found


def _holds(state: State, thread: Thread, ending: Ending, now: float) -> bool:
    """Whether what would end a wait is known by now."""
    return ending.at_once or long_asleep(state, thread, ending.since, now)


def _circle(state: State, graph: _Graph, tied: set[int]) -> Circle:
    """The one to be told of threads that hang on each other, with the doubts of all waits that it
    hangs on.
    """
    path = graph.around(min(tied, key=lambda tid: (graph.endings[tid].child, tid)))
    if any(graph.endings[tid].any_of for tid in path):
        # No thread waits for a certain other one: all of them together wait for one of themselves.
        path = tuple(sorted(tid for tid in tied if graph.endings[tid].any_of))
    every = graph.reached(path[0])
    doubts = dict.fromkeys(doubt for tid in sorted(every) for doubt in graph.endings[tid].doubts)
    pids = {state.threads[tid].pid for tid in every}
    if any(armed_timers(state, pid) for pid in pids):
        doubts["a timer is armed"] = None
    if any(_may_be_told_of_a_child(state, pid, every) for pid in pids):
        doubts["a child may end and send SIGCHLD"] = None
    if len(path) == 1 and let_in_handlers(state, state.threads[path[0]]):
        # As who writes to its own pipe in a handler, and waits at the other end.
        doubts["a handler of its own may end it"] = None
    first = [doubt for doubt in (SAMPLED, TIMEOUT) if doubt in doubts]
    rest = [doubt for doubt in doubts if doubt not in first]
    at = path.index(min(path))
    path = (*path[at:], *path[:at])
    return Circle(
        path, tuple(dict.fromkeys(state.threads[tid].pid for tid in path)), (*first, *rest)
    )


def _may_be_told_of_a_child(state: State, pid: int, stuck: set[int]) -> bool:
    """Whether a process catches SIGCHLD, and has a child that goes on."""
    handling = state.processes[pid].handling.get(SIGCHLD)
    if handling is None or handling.action != "catch":
        return False
    children = (p for p in state.processes.values() if p.parent == pid and p.fate == "alive")
    return any(not stuck.issuperset(child.threads) for child in children)


def circle_words(state: State, found: Circle, now: float | None = None) -> str:
    """`a[1] and b[2] wait for each other`; `a[1] probably waits for what it has itself (only
    sampled)`.

    `now` is for what is left of limits: see `limit_of`.
    """
    names = [
        name_of(state, state.threads[tid].pid, tid) for tid in found.tids if tid in state.threads
    ]
    probably = "probably " if found.doubts else ""
    why = doubt_words(found) + limit_of(state, found, now)
    if len(names) == 1:
        return f"{names[0]} {probably}waits for what it has itself{why}"
    return f"{', '.join(names[:-1])} and {names[-1]} {probably}wait for each other{why}"


def limit_of(state: State, found: Circle, now: float | None = None) -> str:
    """`, but a[1] waits at most 1.5 s more`, if a wait in it ends by itself, and that is known;
    empty if not.

    `now` is the moment, in session seconds; that of the last event if it is not given.
    """
    words = given_up(state, found.tids, state.t if now is None else now)
    return f", but {words}" if words else ""


def doubt_words(found: Circle) -> str:
    """Why it is not certain, in brackets after a blank; empty if it is."""
    more = ", ..." if len(found.doubts) > _DOUBTS_TOLD else ""
    return f" ({', '.join(found.doubts[:_DOUBTS_TOLD])}{more})" if found.doubts else ""
