"""The one place where the stream comes in: drain, reduce, narrate, and make one frozen view of it all."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from ipcviz.app.history import Ghost, Log, Meter, Trail
from ipcviz.app.steps import Steps
from ipcviz.app.terminal import Terminal
from ipcviz.app.view import Held, View
from ipcviz.events import Event, Exited, Finished, Output, Sample, Trouble
from ipcviz.model.reduce import reduce
from ipcviz.model.schedule import NO_NAMES, Names
from ipcviz.model.state import State
from ipcviz.narrate import narrate
from ipcviz.scenario import Scenario, Story
from ipcviz.session.base import Session
from ipcviz.trace import TraceWriter

LIT_FOR: Final = 1.0
"""Seconds that a change stays lit while everything runs."""
GHOST_FOR: Final = 3.0
"""Seconds that a closed descriptor stays on the screen."""

_NO_LIGHT: Final = ("thread", "process")


class Feed:
    """Takes a session's events in, and says what there is to see.

    Args:
        session: Where the events come from.
        clock: Seconds, for the time between events; tests give one that stands still.
        scenario: The scenario whose story is to be followed, if it is one.
    """

    def __init__(
        self, session: Session, clock: Callable[[], float] = time.monotonic, scenario: Scenario | None = None
    ) -> None:
        self.session = session
        self.state = State()
        self.log = Log()
        self.terminal = Terminal()
        self.trails: dict[str, Trail] = {}
        self.meters: dict[int, Meter] = {}
        self.slots: dict[int, int] = {}
        self.behind = 0
        """Events that wait to be taken in because a frame's time was up."""
        self.recorder: TraceWriter | None = None
        """Keeps what comes in, if it can be kept."""
        self.by_role = False
        """Whether processes are called by their roles in the scenario, where they have one."""
        self.troubles: list[Trouble] = []
        """What the tracer could not do, in its own words; at most a hundred."""
        self._clock = clock
        self._origin: float | None = None
        self._backlog: deque[Event] = deque()
        self._lit: dict[tuple[str | int, ...], float] = {}
        self._ghosts: dict[tuple[int, int], Ghost] = {}
        self._frozen_at: float | None = None
        self._held = Held()
        self._story = Story(scenario) if scenario is not None else None
        self.steps = Steps(session.send, clock=clock)
        """Who lets threads go in step mode."""

    @property
    def now(self) -> float:
        """The moment in session seconds; it stands still after the end."""
        if self._frozen_at is not None:
            return self._frozen_at
        if self._origin is None:
            return 0.0
        return max(self._clock() - self._origin, self.state.t)

    @property
    def story(self) -> Story | None:
        """The scenario's story, as far as it has come."""
        return self._story

    @property
    def settled(self) -> bool:
        """Whether the last event has been taken in: nothing will change any more."""
        return self._frozen_at is not None and not self._backlog

    def pump(self, budget: float = 0.012) -> bool:
        """Take in what has come, for at most about `budget` seconds; the rest waits for the next call.

        Returns:
            Whether anything that can be seen changed.
        """
        events = self.session.drain()
        if self.recorder is not None:
            self.recorder.add(events)
        self._backlog.extend(events)
        until = time.perf_counter() + budget
        took = False
        backlog = self._backlog
        while backlog:
            self._take(backlog.popleft())
            took = True
            if time.perf_counter() > until:
                break
        self.behind = len(backlog)
        if self._frozen_at is None and not backlog and self.state.n and self.session.finished:
            # The stream ended before the command did: a kept trace that was cut off, a tracer that was killed.
            self._frozen_at = self.state.t
        if took and self.recorder is not None:
            self.recorder.keyframe(self.state)
        stepped = not backlog and self.steps.tick()
        return self._expire() or took or stepped

    def view(self) -> View:
        """What there is to see now."""
        now = self.now
        return View(
            state=self.state,
            now=now,
            lit=frozenset(self._lit),
            ghosts=MappingProxyType(dict(self._ghosts)),
            trails=MappingProxyType(self.trails),
            meters=MappingProxyType(self.meters),
            slots=MappingProxyType(dict(self.slots)),
            log=self.log,
            log_end=self.log.end,
            terminal=self.terminal,
            terminal_version=self.terminal.version,
            behind=self.behind,
            held=self._held,
            story=(self._story.scenario, self._story.progress) if self._story else None,
        )

    def _take(self, event: Event) -> None:
        before = self.state
        after = reduce(before, event)
        if self._story is not None:
            self._story.feed(event, before, after)
            after = self._name(after, self._story.labels)
            if self.by_role:
                after = self._cast(after, self._story.roles)
        self.state = after
        cast = self._story.progress.cast if self._story is not None else None
        names = Names(roles=cast.roles, labels=cast.labels) if cast is not None else NO_NAMES
        self.steps.take(event, before, after, names)
        if self._origin is None or self._clock() - self._origin < event.t:
            self._origin = self._clock() - event.t
        for change in after.changed:
            if change[0] == "fd":
                self._closed(before, after, int(change[1]), int(change[2]), event.t)
            if change[0] not in _NO_LIGHT:
                self._lit[change] = event.t
        if isinstance(event, Sample):
            self._sampled(event, before)
        elif isinstance(event, Output):
            self.terminal.feed(event.data, event.dropped)
        else:
            if len(after.processes) != len(before.processes) or isinstance(event, Exited):
                self._give_slots(after)
            sentence = narrate(event, before, after)
            if sentence is not None:
                self.log.add(sentence)
            if isinstance(event, Trouble) and len(self.troubles) < 100:
                self.troubles.append(event)
            if isinstance(event, Finished) and event.left == 0:
                self._frozen_at = max(event.t, self.state.t)

    @staticmethod
    def _name(state: State, labels: dict[str, str]) -> State:
        """The state with the scenario's names for objects and semaphores."""
        objects, semaphores = state.objects, state.semaphores
        for key, name in labels.items():
            thing, semaphore = objects.get(key), semaphores.get(key)
            if thing is not None and thing.label != name:
                objects = objects.set(key, replace(thing, label=name))
            if semaphore is not None and semaphore.label != name:
                semaphores = semaphores.set(key, replace(semaphore, label=name))
        if objects is state.objects and semaphores is state.semaphores:
            return state
        return replace(state, objects=objects, semaphores=semaphores)

    @staticmethod
    def _cast(state: State, roles: dict[int, str]) -> State:
        """The state with the processes called by their roles."""
        processes = state.processes
        for pid, role in roles.items():
            process = processes.get(pid)
            if process is not None and process.name != role:
                processes = processes.set(pid, replace(process, name=role))
        return state if processes is state.processes else replace(state, processes=processes)

    def put_out(self) -> None:
        """Nothing is marked as changed any more: what comes next is a step of its own."""
        self._lit.clear()
        self._ghosts.clear()

    def _sampled(self, event: Sample, before: State) -> None:
        for level in event.levels:
            self.trails.setdefault(level.object, Trail()).add(event.t, level.queued)
            old = before.objects.get(level.object)
            if old is not None and old.level == level:
                self._lit.pop(("object", level.object), None)
        for process in event.processes:
            used = process.user_time + process.system_time
            self.meters.setdefault(process.pid, Meter()).add(event.t, used)

    def _closed(self, before: State, after: State, table: int, fd: int, t: float) -> None:
        rows = before.tables.get(table)
        old = rows.get(fd) if rows is not None else None
        now_rows = after.tables.get(table)
        if old is None or (now_rows is not None and fd in now_rows):
            self._ghosts.pop((table, fd), None)
            return
        behind = before.open_files.get(old.ofd)
        if behind is not None:
            self._ghosts[table, fd] = Ghost(old, behind.object, behind.mode, t)

    def _give_slots(self, state: State) -> None:
        """Give each process a digit for as long as it can be had; that of the one longest gone is given again."""
        for pid, process in state.processes.items():
            if pid in self.slots or process.fate == "gone":
                continue
            free = next((digit for digit in range(1, 10) if digit not in self.slots.values()), 0)
            if not free:
                gone = [p for p in self.slots if state.processes[p].fate == "gone"]
                if not gone:
                    return
                free = self.slots.pop(min(gone, key=lambda p: state.processes[p].died or 0.0))
            self.slots[pid] = free

    def _expire(self) -> bool:
        """Put out what was lit long enough; nothing changes any more after the end."""
        if self._frozen_at is not None and not self._backlog:
            return False
        now = self.now
        old = [change for change, t in self._lit.items() if now - t > LIT_FOR]
        for change in old:
            del self._lit[change]
        gone = [key for key, ghost in self._ghosts.items() if now - ghost.at > GHOST_FOR]
        for key in gone:
            del self._ghosts[key]
        return bool(old or gone)
