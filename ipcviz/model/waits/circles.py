"""Threads that wait for each other in a circle, so that none of them can go on by itself. Pure.

All that is said of circles, wherever it is said, comes from here. A circle is proved where calls
alone say who could end each of the waits, and that nobody else could; else it probably is one, and
why that is not certain is told with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from ipcviz.events.calls import FOR_CHILD
from ipcviz.events.signals import SIGCHLD
from ipcviz.model.mechanisms.signals import let_in_handlers
from ipcviz.model.state import State, Thread, Value
from ipcviz.model.waits.future import armed_timers
from ipcviz.model.waits.lookup import Lookup
from ipcviz.model.waits.rules import find_all_wakers
from ipcviz.model.waits.values import Doubt, Doubted, Grade, Wakers

if TYPE_CHECKING:
    from ipcviz.model.query import Holder

LONG_SECONDS: Final = 0.5
"""How long a wait has to last before something is made of it that calls alone do not tell."""


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
    doubts: tuple[Doubted, ...] = ()

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


def find_circle(
    state: State,
    tid: int,
    held: Mapping[str, tuple[Holder, ...]] | None = None,
    now: float | None = None,
) -> Circle | None:
    """The circle that keeps a thread from going on, and that would let it if it ended; None if
    there is none.

    It begins with the thread, except where others that this one waits for too make a shorter one.
    For the arguments see `list_circles`.
    """
    graph = _Graph(state, (tid,), held, now, only=True)
    tied = graph.list_tied_threads(tid) if tid in graph.wakers else set()
    found = _build_circle(state, graph, tied) if tied else None
    return found.beginning_with(tid) if found is not None and tid in found.tids else found


def list_circles(
    state: State, held: Mapping[str, tuple[Holder, ...]] | None = None, now: float | None = None
) -> tuple[Circle, ...]:
    """All circles, each beginning with its eldest thread; of those that share threads, the
    shortest.

    Args:
        state: The moment.
        held: The result of `query.list_holders(state)`, if the caller has it already.
        now: The moment, in session seconds; that of the last event if it is not given.
    """
    waiting = sorted(tid for tid, thread in state.threads.items() if thread.waiting is not None)
    graph = _Graph(state, waiting, held, now)
    found = []
    done: set[int] = set()
    for tid in sorted(graph.wakers, key=partial(_make_age_key, state)):
        tied = graph.list_tied_threads(tid, done) if tid not in done else set()
        if tied:
            found.append(_build_circle(state, graph, tied))
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
        held: See `list_circles`.
        now: See `list_circles`.
        only: Nothing is wanted unless it is about all of `tids`.

    Attributes:
        wakers: Who could end each one's wait.
        parents: Those of them that wait for a child, as whoever has started what hangs does.
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
        self.wakers: dict[int, Wakers] = {}
        self.parents: set[int] = set()
        self._group: dict[int, _Group] = {}
        self._of: dict[int, list[_Group]] = {}
        groups: dict[int, _Group] = {}
        asked = Lookup(state, held)
        at = state.t if now is None else now
        at_rest = state.stepping and not state.moving
        free: list[int] = []
        todo = list(tids)
        seen = set(todo)
        while todo:
            tid = todo.pop()
            thread = state.threads.get(tid)
            wakers = find_all_wakers(asked, thread) if thread is not None else None
            threads = asked.find_threads(wakers) if wakers is not None else ()
            if (
                thread is None
                or wakers is None
                or not threads
                or not (at_rest or _is_known(state, thread, wakers, at))
            ):
                free.append(tid)
                if only:
                    break
                continue
            self.wakers[tid] = wakers
            if thread.waiting is not None and thread.waiting.name in FOR_CHILD:
                self.parents.add(tid)
            group = groups.get(id(threads))
            if group is None:
                group = groups[id(threads)] = _Group(threads)
                for other in threads:
                    self._of.setdefault(other, []).append(group)
                todo.extend(group.having - seen)
                seen |= group.having
            self._group[tid] = group
            group.waiting.append(tid)
        if only and free:
            self.wakers.clear()
            return
        while free:
            for group in self._of.pop(free.pop(), ()):
                free.extend(tid for tid in group.waiting if self.wakers.pop(tid, None) is not None)

    def find_way_around(self, tid: int, without: Collection[int] = ()) -> tuple[int, ...]:
        """The shortest way from a thread through others back to it; itself alone if there is none;
        empty if neither.

        `without`: Threads through which it does not go.
        """
        came_from: dict[int, int] = {}
        gone_through: set[int] = set()
        layer = [tid]
        while layer:
            following = []
            for one in sorted(layer, key=lambda one: one in self.parents):
                group = self._group[one]
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
        return (tid,) if tid in self._group[tid].having else ()

    def list_tied_threads(self, tid: int, without: Collection[int] = ()) -> set[int]:
        """The threads that can't go on before a thread does, and it not before them; empty if it is
        in no circle.
        """
        if not self.find_way_around(tid, without):
            return set()
        behind, todo, seen = {tid}, [tid], set()
        while todo:
            for group in self._of.get(todo.pop(), ()):
                if id(group) not in seen:
                    seen.add(id(group))
                    more = [
                        one for one in group.waiting if one in self.wakers and one not in behind
                    ]
                    behind.update(more)
                    todo.extend(more)
        return behind & self.list_reached_threads(tid)

    def list_reached_threads(self, tid: int) -> set[int]:
        """All whose waits a thread's wait hangs on, itself among them."""
        found, todo, seen = {tid}, [tid], set()
        while todo:
            group = self._group[todo.pop()]
            if id(group) not in seen:
                seen.add(id(group))
                todo.extend(group.having - found)
                found |= group.having
        return found


def _make_age_key(state: State, tid: int) -> tuple[float, int, int]:
    """Older threads come first. Their numbers do not say so: the kernel begins anew with small ones
    once it has given out the largest (/proc/sys/kernel/pid_max).
    """
    thread = state.threads[tid]
    process = state.processes.get(thread.pid)
    return (process.born if process is not None else 0.0, thread.number, tid)


def _is_known(state: State, thread: Thread, wakers: Wakers, now: float) -> bool:
    """Whether what would end a wait is known by now."""
    return wakers.at_once or long_asleep(state, thread, wakers.since, now)


def _build_circle(state: State, graph: _Graph, tied: set[int]) -> Circle:
    """The one to be told of threads that hang on each other, with the doubts of all waits that it
    hangs on.
    """
    age = partial(_make_age_key, state)
    path = graph.find_way_around(min(tied, key=lambda tid: (tid in graph.parents, age(tid))))
    if any(graph.wakers[tid].any_of for tid in path):
        # No thread waits for a certain other one: all of them together wait for one of themselves.
        path = tuple(sorted((tid for tid in tied if graph.wakers[tid].any_of), key=age))
    every = graph.list_reached_threads(path[0])
    doubts = dict.fromkeys(
        doubted
        for tid in sorted(every)
        for doubted in graph.wakers[tid].doubts
        if doubted.doubt.grade is not Grade.NOTE
    )
    pids = {state.threads[tid].pid for tid in every}
    if any(armed_timers(state, pid) for pid in pids):
        doubts[Doubted(Doubt.TIMER)] = None
    if any(_can_child_wake(state, pid, every) for pid in pids):
        doubts[Doubted(Doubt.CHILD)] = None
    if len(path) == 1 and let_in_handlers(state, state.threads[path[0]]):
        # As who writes to its own pipe in a handler, and waits at the other end.
        doubts[Doubted(Doubt.HANDLER)] = None
    first = [doubted for doubted in _FIRST if doubted in doubts]
    rest = [doubted for doubted in doubts if doubted not in first]
    at = path.index(min(path, key=age))
    path = (*path[at:], *path[:at])
    return Circle(
        path, tuple(dict.fromkeys(state.threads[tid].pid for tid in path)), (*first, *rest)
    )


_FIRST: Final = (Doubted(Doubt.SAMPLED), Doubted(Doubt.TIMEOUT))
"""The doubts that are told first."""


def _can_child_wake(state: State, pid: int, stuck: set[int]) -> bool:
    """Whether a process catches SIGCHLD, and has a child that goes on."""
    handling = state.processes[pid].handling.get(SIGCHLD)
    if handling is None or handling.action != "catch":
        return False
    children = (p for p in state.processes.values() if p.parent == pid and p.fate == "alive")
    return any(not stuck.issuperset(child.threads) for child in children)
