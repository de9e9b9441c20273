"""Threads that nothing known can wake: hangs, by the wait-for graph. Pure.

A thread hangs if each one that could end its wait hangs as well. What time, a person, a timer or
somebody who is not watched could end is no hang; nor is what a running process could end. So the
hanging threads are what is left when all those are taken away that can go on, those whom they can
wake, and so on.

Circles (`ipcviz.model.waits.circles`) ask for the same where calls alone tell who could end a wait.
Here waits count as well that nobody could end (a mutex of a thread that has ended), or anybody who
is watched (a FIFO that somebody has to open, a semaphore, a signal), and those for one of several
descriptors (poll, select, epoll).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from ipcviz.events.kinds import COUNTERS, PIPES, SOCKETS
from ipcviz.events.signals import SIGCHLD, SIGINT
from ipcviz.model.addresses import is_listening, takes_datagrams
from ipcviz.model.mechanisms.notifiers import SWITCHED_OFF
from ipcviz.model.mechanisms.semaphores import PRIVATE
from ipcviz.model.mechanisms.signals import let_in_handlers
from ipcviz.model.noise import is_python
from ipcviz.model.state import Object, State, Thread, Value
from ipcviz.model.waits.chains import is_stopped
from ipcviz.model.waits.circles import long_asleep
from ipcviz.model.waits.future import armed_timers
from ipcviz.model.waits.lookup import Lookup
from ipcviz.model.waits.outsiders import nobody_else_has, outsiders_waited_for
from ipcviz.model.waits.rules import explain_waiting, find_wakers, is_own
from ipcviz.model.waits.values import (
    Asleep,
    Doubt,
    Doubted,
    Grade,
    Ready,
    SemaphoreTaken,
    Wait,
    Wakers,
    Why,
)

if TYPE_CHECKING:
    from ipcviz.model.query import Holder


class Ways(Value, frozen=True):
    """Which threads could end a wait, and nobody else.

    Attributes:
        tids: The threads; none if nobody can.
        anybody: Anybody else who is watched could, too, if he came to it by its name.
        doubts: Why it is not certain.
        at_once: Calls alone tell it, so it need not have lasted.
        since: Since when nothing was seen that could have ended it.
    """

    tids: frozenset[int] = frozenset()
    anybody: bool = False
    doubts: tuple[Doubted, ...] = ()
    at_once: bool = False
    since: float = 0.0


class Hang(Value, frozen=True):
    """Threads that hang, each of which hangs because of others of them, or of nobody.

    Attributes:
        waits: What they wait for, by thread; not of those that are stopped.
        ways: Who could end the wait of each thread that hangs, these and others.
        victims: What others wait for that hang because of these.
        stopped: Processes among these that are stopped (SIGSTOP and the like).
        doubts: Why it is not certain.
    """

    waits: tuple[Wait, ...]
    ways: Mapping[int, Ways]
    victims: tuple[Wait, ...] = ()
    stopped: tuple[int, ...] = ()
    doubts: tuple[Doubted, ...] = ()

    @property
    def pids(self) -> tuple[int, ...]:
        """Their processes, ascending."""
        return tuple(sorted({wait.pid for wait in self.waits} | set(self.stopped)))


def list_hangs(
    state: State, held: Mapping[str, tuple[Holder, ...]] | None = None, now: float | None = None
) -> tuple[Hang, ...]:
    """All hangs, by their smallest threads.

    Args:
        state: The moment.
        held: The result of `query.list_holders(state)`, if the caller has it already.
        now: The moment, in session seconds; that of the last event if it is not given.
    """
    if not any(thread.waiting is not None for thread in state.threads.values()):
        return ()
    graph = _WaysGraph(state, Lookup(state, held), state.t if now is None else now)
    return graph.gather_hangs()


class _WaysGraph:
    """Which threads can go on, and which can't."""

    def __init__(self, state: State, lookup: Lookup, now: float) -> None:
        self.state = state
        self.lookup = lookup
        self.now = now
        self.living = {
            tid: thread
            for tid, thread in state.threads.items()
            if (process := state.processes.get(thread.pid)) is not None
            and process.fate == "alive"
            and thread.alive
        }
        self.last_end = max((one.died or 0.0 for one in state.processes.values()), default=0.0)
        self.stopped = {pid for pid in state.processes if is_stopped(state, pid)}
        self.ways: dict[int, Ways] = {}
        for tid, thread in self.living.items():
            ways = self._find_ways(thread)
            if ways is not None:
                self.ways[tid] = ways
        self._prune()

    def _prune(self) -> None:
        """Take away those that can be woken by one that goes on, until none is left."""
        waiting_for: dict[int, list[int]] = {}
        for tid, ways in self.ways.items():
            for other in ways.tids:
                waiting_for.setdefault(other, []).append(tid)
        free = [tid for tid in self.living if tid not in self.ways]
        if free:
            # Who goes on could come to what anybody can end.
            free += [tid for tid, ways in self.ways.items() if ways.anybody]
        seen = set(free)
        while free:
            tid = free.pop()
            self.ways.pop(tid, None)
            free += [one for one in waiting_for.get(tid, ()) if one not in seen]
            seen.update(free)

    def gather_hangs(self) -> tuple[Hang, ...]:
        """Those of what is left that hang because of nobody but each other, each with those that
        hang because of them.
        """
        waiting_for: dict[int, list[int]] = {}
        for tid, ways in self.ways.items():
            for other in ways.tids & self.ways.keys():
                waiting_for.setdefault(other, []).append(tid)
        found = []
        for core in _list_last_circles({tid: ways.tids for tid, ways in self.ways.items()}):
            behind, todo = set(core), list(core)
            while todo:
                for tid in waiting_for.get(todo.pop(), ()):
                    if tid not in behind:
                        behind.add(tid)
                        todo.append(tid)
            found.append(self._make_hang(sorted(core), sorted(behind - core)))
        return tuple(sorted(found, key=lambda hang: hang.pids))

    def _make_hang(self, core: list[int], behind: list[int]) -> Hang:
        doubts = dict.fromkeys(
            doubted
            for tid in core
            for doubted in self.ways[tid].doubts
            if doubted.doubt.grade is not Grade.NOTE
        )
        pids = {self.living[tid].pid for tid in core}
        return Hang(
            tuple(self._explain(core)),
            self.ways,
            tuple(self._explain(behind)),
            tuple(sorted(self.stopped & pids)),
            tuple(doubts),
        )

    def _explain(self, tids: Iterable[int]) -> Iterator[Wait]:
        for tid in tids:
            thread = self.living[tid]
            if thread.waiting is not None and thread.pid not in self.stopped:
                yield explain_waiting(self.state, thread, thread.waiting)

    # Who could end one wait.

    def _find_ways(self, thread: Thread) -> Ways | None:
        """Who alone could end what a thread is in; None if it runs, or if others could, or time."""
        state, call = self.state, thread.waiting
        process = state.processes[thread.pid]
        if thread.poised is not None or process.ring or armed_timers(state, thread.pid):
            return None
        if thread.pid in self.stopped:
            return self._ways_to_continue(thread.pid)
        if call is None:
            return None
        wait = explain_waiting(state, thread, call)
        thing = state.objects.get(call.object)
        if wait.limited or (thing is not None and thing.limited):
            return None
        if outsiders_waited_for(state, thread, call):
            return None
        ways = self._ways_of(thread, wait)
        if ways is None:
            return None
        since = max(ways.since, call.began)
        if ways.anybody:
            # Who has just ended may have ended this wait before, and that is not told yet.
            since = max(since, self.last_end)
        if not ways.at_once and not long_asleep(state, thread, since, self.now):
            return None
        return self._with_handlers(thread, ways, own=wait.why in (Why.EMPTY, Why.FULL))

    def _with_handlers(self, thread: Thread, ways: Ways, *, own: bool) -> Ways | None:
        """With the children whose end would run a handler of SIGCHLD, which can do anything; and in
        doubt where a handler of the thread could write what it waits for itself.
        """
        caught = let_in_handlers(self.state, thread)
        # By Python's own handler of SIGINT the program ends.
        python = is_python(self.state.processes[thread.pid].argv)
        if caught - {SIGCHLD, *((SIGINT,) if python else ())} and own and thread.tid in ways.tids:
            doubts = (*ways.doubts, Doubted(Doubt.HANDLER))
            ways = Ways(ways.tids, ways.anybody, doubts, ways.at_once, ways.since)
        if SIGCHLD not in caught:
            return ways
        found = set(ways.tids)
        for child in self.state.processes.values():
            if child.parent == thread.pid and child.fate == "alive":
                found.update(child.threads)
        return Ways(frozenset(found), ways.anybody, ways.doubts, ways.at_once, ways.since)

    def _ways_to_continue(self, pid: int) -> Ways:
        """Of a stopped process: whoever stopped it may let it go on; else nobody is known."""
        sent = [one for one in self.state.sent if one.target == pid and one.signo in _STOPS]
        sender = sent[-1].sender if sent else 0
        by = self.state.processes.get(sender)
        tids = frozenset(by.threads) if by is not None and sender != pid else frozenset[int]()
        return Ways(tids, at_once=True)

    def _ways_of(self, thread: Thread, wait: Wait) -> Ways | None:
        if wait.why is Why.READY:
            return self._ways_to_ready(thread, wait)
        if wait.why in (Why.CONNECTION, Why.INPUT, Why.TIME, Why.TIMER, Why.CHANGE, Why.DISK):
            return None
        wakers = self._settle(find_wakers(self.lookup, thread))
        if wakers is None:
            return None
        doubts = {doubted.doubt for doubted in wakers.doubts}
        if doubts & _NEVER:
            return None
        if wait.why in (Why.MUTEX, Why.RWLOCK) or isinstance(wait.facts, Asleep):
            return self._ways_of_futex(thread, wait, wakers)
        if wait.why in (Why.NO_READER, Why.NO_WRITER, Why.SEMAPHORE, Why.SIGNAL, Why.NO_MESSAGE):
            return self._ways_of_named(thread, wait, wakers)
        if not wakers.complete and Doubt.UNACCEPTED not in doubts:
            return None
        return _make_ways(self.lookup, wakers, anybody=Doubt.OTHERS_OPEN in doubts)

    def _settle(self, wakers: Wakers | None) -> Wakers | None:
        """Without the doubts whether others have an object that a look through /proc has settled:
        of a pipe that was there before, or whose making was not seen, nobody else has an end.
        """
        if wakers is None or not any(one.doubt in _SEEN_BY_LOOKS for one in wakers.doubts):
            return wakers
        left = tuple(
            one
            for one in wakers.doubts
            if one.doubt not in _SEEN_BY_LOOKS or not self._is_looked_for(one.about)
        )
        return Wakers(wakers.known, left, wakers.since, wakers.at_once, wakers.any_of)

    def _ways_of_futex(self, thread: Thread, wait: Wait, wakers: Wakers) -> Ways | None:
        """Of a futex: its owner; nobody, if that has ended or the memory is a copy of its; all
        threads that have the memory, if no owner is known.
        """
        futex = wait.facts.futex if isinstance(wait.facts, Asleep) else None
        if wakers.complete and not wakers.any_of:
            return _make_ways(self.lookup, wakers)
        if futex is None:
            return None
        if futex.former or (futex.copied and futex.holder):
            return Ways(doubts=_note_sampled(self.state, thread), at_once=True)
        if futex.copied:
            return Ways(doubts=(Doubted(Doubt.MEMORY),), at_once=True)
        if not futex.private and futex.object:
            return Ways(anybody=True, doubts=(Doubted(Doubt.MEMORY),))
        own = self.lookup.find_own_threads(thread, Doubt.MEMORY)
        if any(one.doubt is Doubt.UNSEEN for one in own.doubts):
            return None
        tids = frozenset(self.state.processes[thread.pid].threads)
        doubts = own.doubts or (Doubted(Doubt.MEMORY),)
        return Ways(tids, doubts=(*doubts, *_note_sampled(self.state, thread)))

    def _ways_of_named(self, thread: Thread, wait: Wait, wakers: Wakers) -> Ways | None:
        """Of what anybody can end who comes to it by a name, a number or its memory."""
        if wakers.complete and not wakers.any_of:
            return _make_ways(self.lookup, wakers)
        if wait.why is Why.SIGNAL and wait.fd >= 0:
            return None
        if isinstance(wait.facts, SemaphoreTaken) and wait.facts.copied is not None:
            # Nobody else has the memory that it lies in.
            return Ways(doubts=(Doubted(Doubt.MEMORY),), at_once=True)
        doubts = tuple(d for d in wakers.doubts if d.doubt.grade is Grade.DOUBT)
        if wakers.any_of:
            tids = frozenset(self.state.processes[thread.pid].threads)
            return Ways(tids, doubts=doubts, since=wakers.since)
        if wait.semaphore.startswith(PRIVATE):
            # It lies in memory that only the threads of its process have.
            tids = frozenset(self.state.processes[thread.pid].threads)
            return Ways(tids, doubts=doubts, since=wakers.since)
        held = self.state.semaphores.get(wait.semaphore)
        ended = held is not None and any(hold.ended for hold in held.holds) and not held.signals
        own = held is not None and any(is_own(hold, thread) for hold in held.holds)
        return Ways(
            anybody=True,
            doubts=doubts,
            at_once=(ended and not own) or wait.why in (Why.NO_READER, Why.NO_WRITER),
            since=wakers.since,
        )

    # poll, select, epoll

    def _ways_to_ready(self, thread: Thread, wait: Wait) -> Ways | None:
        """Of a wait for one of several descriptors: all who could make one of them ready; None if
        of one of them that is not known.
        """
        state = self.state
        asked = state.objects.get(wait.object)
        if asked is not None and asked.notifier is not None and asked.notifier.more:
            return None
        things = wait.facts.things if isinstance(wait.facts, Ready) else ()
        found: set[int] = set()
        since = wait.since
        for one in things:
            if one.events == SWITCHED_OFF:
                continue
            thing = state.objects.get(one.key)
            some = self._could_ready(thing, one.events) if thing is not None else None
            if thing is None or some is None:
                return None
            found |= some
            since = max(since, thing.level_at)
        process = state.processes[thread.pid]
        if len(process.threads) == 1:
            # What an event loop tells itself by ends no sleep of a process's only thread; a handler
            # of a signal could.
            found.discard(thread.pid)
        if not things:
            return None
        caught = let_in_handlers(state, thread)
        doubts = [Doubted(Doubt.SEEN, wait.object), *_note_sampled(state, thread)]
        if caught - {SIGCHLD}:
            doubts.append(Doubted(Doubt.HANDLER))
        tids = frozenset(
            tid for pid in found if pid in state.processes for tid in state.processes[pid].threads
        )
        return Ways(tids, doubts=tuple(doubts), since=since)

    def _is_looked_for(self, key: str) -> bool:
        """Whether a look through /proc has found that nobody else has an object."""
        return key in self.state.outsiders and nobody_else_has(self.state, key)

    def _could_ready(self, thing: Object, events: str) -> set[int] | None:
        """The processes that alone could make a descriptor ready; None if others could."""
        state, kind, key = self.state, thing.info.kind, thing.info.key
        if is_listening(thing.info) or state.flights:
            return None
        level = thing.level
        if kind in PIPES:
            needs = "r" if "w" in events else "w"
            if level is not None and needs == "w" and level.queued:
                return None
            rows, made = self.lookup.find_sharers(key, needs)
            known = made or self._is_looked_for(key)
            return {row.pid for row in rows} if known and rows else None
        if kind in SOCKETS and not takes_datagrams(thing.info):
            if level is not None and level.queued:
                return None
            peer = state.objects.get(thing.info.peer) if thing.info.peer else None
            if peer is None:
                return None
            ends = self.lookup.find_ends(peer.info.key)
            files = (state.open_files.get(row.ofd) for row in ends)
            made = all(file.opened_by and not file.outside for file in files if file is not None)
            known = made or self._is_looked_for(key)
            return {row.pid for row in ends} if known and ends else None
        if kind in COUNTERS:
            return {row.pid for row in self.lookup.find_ends(key)}
        if thing.notifier is not None:
            # One that has a process tells of its end.
            process = state.processes.get(thing.notifier.pid)
            return {process.pid} if process is not None and process.fate == "alive" else None
        return None


_STOPS: Final = frozenset({19, 20, 21, 22})
"""SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU (signal(7), of Linux)."""
_SEEN_BY_LOOKS: Final = frozenset({Doubt.STARTER, Doubt.OTHERS_HAVE, Doubt.STRANGERS})
"""Doubts that a look through all of /proc settles."""
_NEVER: Final = frozenset(
    {Doubt.OUTSIDER, Doubt.STARTER, Doubt.FLIGHT, Doubt.LEVEL, Doubt.RING, Doubt.TIME}
)
"""Doubts with which nothing is said: somebody who is not watched could end it, or it is over."""


def _make_ways(lookup: Lookup, wakers: Wakers, *, anybody: bool = False) -> Ways:
    return Ways(
        frozenset(lookup.find_threads(wakers)),
        anybody,
        doubts=wakers.doubts,
        at_once=wakers.at_once,
        since=wakers.since,
    )


def _note_sampled(state: State, thread: Thread) -> tuple[Doubted, ...]:
    return () if state.processes[thread.pid].full else (Doubted(Doubt.SAMPLED),)


def _list_last_circles(ways: Mapping[int, frozenset[int]]) -> list[set[int]]:
    """The strongly connected parts of a graph from which no way leads out: threads that reach each
    other, and nobody else. Tarjan's algorithm, without recursion.
    """
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    part: dict[int, int] = {}
    parts: list[set[int]] = []
    for start in sorted(ways):
        if start in order:
            continue
        todo: list[tuple[int, Iterator[int]]] = [(start, iter(sorted(ways[start] & ways.keys())))]
        order[start] = low[start] = len(order)
        stack.append(start)
        while todo:
            one, following = todo[-1]
            for other in following:
                if other not in order:
                    order[other] = low[other] = len(order)
                    stack.append(other)
                    todo.append((other, iter(sorted(ways[other] & ways.keys()))))
                    break
                if other not in part:
                    low[one] = min(low[one], order[other])
            else:
                todo.pop()
                if todo:
                    low[todo[-1][0]] = min(low[todo[-1][0]], low[one])
                if low[one] == order[one]:
                    found: set[int] = set()
                    while one not in found:
                        found.add(stack.pop())
                    part.update(dict.fromkeys(found, len(parts)))
                    parts.append(found)
    return [
        found
        for number, found in enumerate(parts)
        if all(part[other] == number for one in found for other in ways[one] & ways.keys())
    ]
