"""What one frame shows: a frozen view of the session, made by the feed and taken by every panel."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from ipcviz.app.history import Ghost, Log, Meter, Trail
from ipcviz.app.picture.words import chip
from ipcviz.app.terminal import Terminal
from ipcviz.model import query
from ipcviz.model.state import Process, State
from ipcviz.scenario import Progress, Scenario


class Held:
    """Who holds each object, worked out again only when a descriptor table or the set of the living changed."""

    def __init__(self) -> None:
        self._of: tuple[tuple[object, ...], frozenset[int]] | None = None
        self._found: dict[str, tuple[query.Holder, ...]] = {}

    def holders(self, state: State) -> dict[str, tuple[query.Holder, ...]]:
        """The holders in a state."""
        living = frozenset(pid for pid, process in state.processes.items() if process.fate == "alive")
        of = self._of
        now = (state.tables, state.open_files, state.uses)
        if of is None or of[1] != living or any(old is not new for old, new in zip(of[0], now, strict=True)):
            self._of = (now, living)
            self._found = query.holders(state)
        return self._found


class View:
    """One moment as the screen shows it.

    Attributes:
        state: The system's state.
        now: The moment in session seconds.
        lit: What changed a moment ago, as `State.changed` names it.
        ghosts: Descriptors that were closed a moment ago, by table and number.
        trails: Levels of the last minute, by object key.
        meters: CPU use, by pid.
        slots: The digit that selects a process, by pid.
        log: The log; entries from `log_end` on are not part of this view.
        log_end: Number of the entry after the last one.
        terminal: What the command wrote.
        terminal_version: Which state of it is meant.
        behind: Events that came and were not taken in yet.
        story: The scenario, and how far its story is; None if it is none.
        pid: The selected process, 0 if there is none.
        object: Key of the selected object, empty if there is none.
    """

    def __init__(
        self,
        *,
        state: State,
        now: float,
        lit: frozenset[tuple[str | int, ...]],
        ghosts: Mapping[tuple[int, int], Ghost],
        trails: Mapping[str, Trail],
        meters: Mapping[int, Meter],
        slots: Mapping[int, int],
        log: Log,
        log_end: int,
        terminal: Terminal,
        terminal_version: int,
        behind: int = 0,
        held: Held | None = None,
        story: tuple[Scenario, Progress] | None = None,
        pid: int = 0,
        object: str = "",
    ) -> None:
        self.state = state
        self.now = now
        self.lit = lit
        self.ghosts = ghosts
        self.trails = trails
        self.meters = meters
        self._waits: dict[int, query.Wait | None] = {}
        self.slots = slots
        self.log = log
        self.log_end = log_end
        self.terminal = terminal
        self.terminal_version = terminal_version
        self.behind = behind
        self.held = held or Held()
        self.story = story
        self.pid = pid
        self.object = object

    def frozen(self) -> View:
        """The same view with the parts that grow (levels of the last minute, CPU use) copied, for a pause."""
        view = self.select(self.pid, self.object)
        view.trails = {key: trail.copy() for key, trail in self.trails.items()}
        view.meters = {pid: meter.copy() for pid, meter in self.meters.items()}
        return view

    def select(self, pid: int, key: str) -> View:
        """The same moment with another selection."""
        return View(
            state=self.state,
            now=self.now,
            lit=self.lit,
            ghosts=self.ghosts,
            trails=self.trails,
            meters=self.meters,
            slots=self.slots,
            log=self.log,
            log_end=self.log_end,
            terminal=self.terminal,
            terminal_version=self.terminal_version,
            behind=self.behind,
            held=self.held,
            story=self.story,
            pid=pid,
            object=key,
        )

    @cached_property
    def holders(self) -> dict[str, tuple[query.Holder, ...]]:
        """Who holds each object; worked out once for all panels."""
        return self.held.holders(self.state)

    @property
    def roles(self) -> Mapping[int, str]:
        """The scenario's names for processes, by pid."""
        return self.story[1].cast.roles if self.story else {}

    @property
    def process(self) -> Process | None:
        """The selected process."""
        return self.state.processes.get(self.pid)

    @cached_property
    def processes(self) -> tuple[Process, ...]:
        """Every process: those that live first, each part in the order in which they came to be."""
        return tuple(
            sorted(self.state.processes.values(), key=lambda p: (p.fate == "gone", p.fate != "alive", p.born, p.pid))
        )

    def wait(self, tid: int) -> query.Wait | None:
        """What a thread waits for; None if it runs."""
        if tid not in self._waits:
            self._waits[tid] = query.wait_of(self.state, tid, now=self.now)
        return self._waits[tid]

    def cpu(self, pid: int) -> float | None:
        """A process's CPU use over the last second in percent of one CPU; None if it is not known yet."""
        meter = self.meters.get(pid)
        return meter.percent(self.now) if meter else None

    def chip(self, pid: int) -> tuple[str, str]:
        """A process's state as a letter and the style of its chip, as in the picture; `?` if it is not known."""
        process = self.state.processes.get(pid)
        if process is None:
            return "?", "gone"
        waits = tuple(self.wait(tid) for tid in process.threads)
        known = tuple(wait for wait in waits if wait is not None)
        return chip(self.state, process, known if len(known) == len(waits) else ())
