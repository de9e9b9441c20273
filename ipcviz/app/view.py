"""What one frame shows: a frozen view of the session, made by the feed and taken by every panel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from ipcviz.app.picture.words import choose_chip
from ipcviz.model.lanes import NO_ROWS, LaneRows
from ipcviz.model.waits.chains import chain_of, list_halting_processes
from ipcviz.model.waits.circles import Circle, list_circles, long_asleep
from ipcviz.model.waits.lookup import Lookup
from ipcviz.model.waits.rules import find_wait, wait_of
from ipcviz.narrate.circles import describe_chain

if TYPE_CHECKING:
    from ipcviz.app.history import Ghost, Log, Meter, Trail
    from ipcviz.app.terminal import Terminal
    from ipcviz.diagnose import Finding
    from ipcviz.events import Outsider
    from ipcviz.model import query
    from ipcviz.model.parts import Part
    from ipcviz.model.state import Process, State
    from ipcviz.model.waits.values import Wait
    from ipcviz.scenario import Progress, Scenario

T = TypeVar("T")


class Lazy(Generic[T]):
    """A value that is worked out when it is asked for the first time, and kept.

    Args:
        make: Works it out.

    Attributes:
        made: Whether it has been.
    """

    __slots__ = ("_make", "_value", "made")

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._value: T
        self.made = False

    @classmethod
    def make_known(cls, value: T) -> Lazy[T]:
        """One whose value is there already."""
        found = cls(lambda: value)
        found.get()
        return found

    def get(self) -> T:
        """The value."""
        if not self.made:
            self._value, self.made = self._make(), True
        return self._value


NOBODY: Final[Lazy[int]] = Lazy.make_known(0)
"""No thread."""


class LogUntil(NamedTuple):
    """The log up to an entry.

    Attributes:
        log: The log, which may go on.
        end: Number of the entry after the last one that belongs to it.
    """

    log: Log
    end: int


class TerminalAt(NamedTuple):
    """What a command had written to its terminal.

    Attributes:
        terminal: The terminal, to which more may be written.
        version: Which state of it is meant.
    """

    terminal: Terminal
    version: int


ReadLanes = Callable[[int, int], LaneRows]
"""Gives the rows of the lanes around a moment: so many up to it at most, and so many after it."""


def _read_no_lanes(before: int, after: int) -> LaneRows:
    return NO_ROWS


@dataclass(frozen=True, eq=False, kw_only=True)
class Moment:
    """One moment of a session, now or in the past, without a selection.

    Attributes:
        state: The system's state.
        now: The moment in session seconds.
        fresh: What came to be after that, in session seconds, is marked as new.
        past: Whether this is a moment of the past, and not the present.
        lit: What changed a moment ago, as `State.changed` names it.
        ghosts: Descriptors that were closed a moment ago, by table and number.
        slots: The digit that selects a process, by pid.
        lag: How many seconds old the last event was when it was taken in: what is shown is as old,
            at least.
        story: The scenario, and how far its story is; None if it is none.
        outcome: In step mode: what became of the last step, in clauses; none if there was none.
        log: The sentences.
        terminal: What the command wrote.
        trails: Levels of the last minute, by object key.
        meters: CPU use, by pid.
        follows: In step mode, of the past: the thread that went next; 0 for the present, or if none
            did.
        read_lanes: Gives the rows of the lanes around it: so many up to it, so many after it.
        find_findings: Gives what was found wrong up to it.
        searched: Whether anybody has looked for that.
    """

    state: State
    now: float
    fresh: float
    lit: frozenset[Part]
    ghosts: Mapping[tuple[int, int], Ghost]
    slots: Mapping[int, int]
    story: tuple[Scenario, Progress] | None
    outcome: tuple[str, ...]
    log: Lazy[LogUntil]
    terminal: Lazy[TerminalAt]
    trails: Lazy[Mapping[str, Trail]]
    meters: Lazy[Mapping[int, Meter]]
    follows: Lazy[int] = NOBODY
    read_lanes: ReadLanes = _read_no_lanes
    find_findings: Callable[[], tuple[Finding, ...]] = tuple
    searched: bool = True
    lag: float = 0.0
    past: bool = False

    @property
    def can_extend(self) -> bool:
        """Whether the log or the output can be longer, with more time."""
        return False

    def extend(self) -> Moment:
        """The same moment with more of its log or output."""
        return self


@dataclass(frozen=True, eq=False)
class View:
    """One moment as the screen shows it, with what is selected: a frozen snapshot.

    What panels ask of it is worked out once, and kept.

    Attributes:
        moment: The moment.
        held: Works out who holds what; given from view to view.
        pid: The selected process, 0 if there is none.
        object: Key of the selected object, empty if there is none.
        finding: Name of the selected finding, empty if there is none.
    """

    moment: Moment
    held: query.Holders
    pid: int = 0
    object: str = ""
    finding: str = ""
    _waits: dict[int, Wait | None] = field(default_factory=dict, init=False, repr=False)
    _long_waits: dict[int, Wait | None] = field(default_factory=dict, init=False, repr=False)

    def select(self, pid: int, key: str, finding: str = "") -> View:
        """The same moment with another selection."""
        return View(self.moment, self.held, pid, key, finding)

    def with_moment(self, moment: Moment) -> View:
        """Another moment with the same selection."""
        return View(moment, self.held, self.pid, self.object, self.finding)

    @cached_property
    def state(self) -> State:
        """The system's state."""
        return self.moment.state

    @cached_property
    def now(self) -> float:
        """The moment in session seconds."""
        return self.moment.now

    @property
    def fresh(self) -> float:
        """What came to be after that, in session seconds, is marked as new."""
        return self.moment.fresh

    @property
    def past(self) -> bool:
        """Whether this is a moment of the past, and not the present."""
        return self.moment.past

    @property
    def lit(self) -> frozenset[Part]:
        """What changed a moment ago, as `State.changed` names it."""
        return self.moment.lit

    @property
    def ghosts(self) -> Mapping[tuple[int, int], Ghost]:
        """Descriptors that were closed a moment ago, by table and number."""
        return self.moment.ghosts

    @property
    def slots(self) -> Mapping[int, int]:
        """The digit that selects a process, by pid."""
        return self.moment.slots

    @property
    def lag(self) -> float:
        """How many seconds old the last event was when it was taken in."""
        return self.moment.lag

    @property
    def story(self) -> tuple[Scenario, Progress] | None:
        """The scenario, and how far its story is; None if it is none."""
        return self.moment.story

    @property
    def outcome(self) -> tuple[str, ...]:
        """In step mode: what became of the last step; empty if there was none."""
        return self.moment.outcome

    @property
    def trails(self) -> Mapping[str, Trail]:
        """Levels of the last minute, by object key."""
        return self.moment.trails.get()

    @property
    def meters(self) -> Mapping[int, Meter]:
        """CPU use, by pid."""
        return self.moment.meters.get()

    @property
    def log(self) -> Log:
        """The log; entries from `log_end` on are not part of this view."""
        return self.moment.log.get().log

    @property
    def log_end(self) -> int:
        """Number of the entry after the last one."""
        return self.moment.log.get().end

    @property
    def terminal(self) -> Terminal:
        """What the command wrote."""
        return self.moment.terminal.get().terminal

    @property
    def terminal_version(self) -> int:
        """Which state of it is meant."""
        return self.moment.terminal.get().version

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What was found wrong up to this moment, in the order in which it was.

        As it was when it was asked for first: each look at a hang makes its finding anew.
        """
        return self.moment.find_findings()

    @cached_property
    def selected_finding(self) -> Finding | None:
        """The selected finding; None if there is none, or none yet at this moment."""
        return next((one for one in self.findings if one.name == self.finding), None)

    @property
    def follows(self) -> int:
        """In step mode, of the past: the thread that went next; 0 if none did."""
        return self.moment.follows.get()

    @cached_property
    def holders(self) -> dict[str, tuple[query.Holder, ...]]:
        """Who holds each object; worked out once for all panels."""
        return self.held.list_holders(self.state)

    @property
    def roles(self) -> Mapping[int, str]:
        """The scenario's names for processes, by pid."""
        return self.story[1].cast.roles if self.story else {}

    @cached_property
    def pointed_at(self) -> tuple[str, ...]:
        """The panels that the story points at now; those of its first step before that one."""
        if self.story is None:
            return ()
        scenario, progress = self.story
        place = progress.reached[-1] if progress.reached else 0
        return scenario.story[place].look if place < len(scenario.story) else ()

    @cached_property
    def about(self) -> frozenset[str]:
        """The panels that most steps of the story point at: what it is about."""
        if self.story is None:
            return frozenset()
        steps = self.story[0].story
        counts = Counter(name for step in steps for name in step.look)
        return frozenset(name for name, count in counts.items() if 2 * count > len(steps))

    @property
    def process(self) -> Process | None:
        """The selected process."""
        return self.state.processes.get(self.pid)

    @cached_property
    def processes(self) -> tuple[Process, ...]:
        """Every process: those that live first, each part in the order in which they came to be."""
        return tuple(
            sorted(
                self.state.processes.values(),
                key=lambda p: (p.fate == "gone", p.fate != "alive", p.born, p.pid),
            )
        )

    def find_thread_wait(self, tid: int) -> Wait | None:
        """What a thread waits for; None if it runs."""
        if tid not in self._waits:
            self._waits[tid] = wait_of(self.state, tid)
        return self._waits[tid]

    def explain_wait(self, tid: int) -> str:
        """Because of whom a thread has waited for long, and what that one waits for in turn; empty
        if it has not.
        """
        wait = self._long_wait(tid)
        return (
            describe_chain(
                self.state, wait, chain_of(self.state, tid, self._long_wait, self.circles), self.now
            )
            if wait is not None
            else ""
        )

    @cached_property
    def circles(self) -> tuple[Circle, ...]:
        """The threads that wait for each other in circles."""
        return list_circles(self.state, self.holders, self.now)

    @cached_property
    def _lookup(self) -> Lookup:
        return Lookup(self.state, self.holders)

    @cached_property
    def halted(self) -> dict[int, frozenset[int]]:
        """Stopped processes because of whom others have waited for long, and which ones because of
        each.
        """
        waiting = (tid for tid, thread in self.state.threads.items() if thread.waiting is not None)
        return list_halting_processes(self.state, waiting, self._long_wait)

    @cached_property
    def outsiders(self) -> tuple[Outsider, ...]:
        """Those who are not watched, and alone could end what somebody has waited for long, by
        pid.
        """
        found: dict[int, Outsider] = {}
        if self.state.outsiders:
            for tid, thread in self.state.threads.items():
                wait = self._long_wait(tid) if thread.waiting is not None else None
                if wait is not None and not wait.waker_pids:
                    found |= {one.pid: one for one in wait.outsiders}
        return tuple(found[pid] for pid in sorted(found))

    def _long_wait(self, tid: int) -> Wait | None:
        """What a thread has waited for without a break.

        One that is only sampled may have been out of it in between.
        """
        if tid not in self._long_waits:
            wait = find_wait(self._lookup, tid)
            lasts = wait is not None and long_asleep(
                self.state, self.state.threads[tid], wait.since, self.now
            )
            self._long_waits[tid] = wait if lasts else None
        return self._long_waits[tid]

    def compute_cpu(self, pid: int) -> float | None:
        """A process's CPU use over the last second in percent of one CPU; None if it is not known
        yet.
        """
        meter = self.meters.get(pid)
        return meter.compute_percent(self.now) if meter else None

    def choose_process_chip(self, pid: int) -> tuple[str, str]:
        """A process's state as a letter and the style of its chip, as in the picture; `?` if it is
        not known.
        """
        process = self.state.processes.get(pid)
        if process is None:
            return "?", "gone"
        waits = tuple(self.find_thread_wait(tid) for tid in process.threads)
        known = tuple(wait for wait in waits if wait is not None)
        return choose_chip(self.state, process, known if len(known) == len(waits) else ())
