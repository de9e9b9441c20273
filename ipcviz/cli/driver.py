"""Stepping without a screen: a session that is held goes through a schedule, or all take turns
until the end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol

from ipcviz.events import Event, Sample, Stepped
from ipcviz.model.query import list_living
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.model.steps.schedule import NO_NAMES, GivenNames, Recorder, Schedule, parse_schedule
from ipcviz.model.steps.scheduler import Scheduler
from ipcviz.model.waits.rules import wait_of
from ipcviz.model.waits.stuck import all_wait, nobody_else
from ipcviz.model.waits.values import Why
from ipcviz.narrate.circles import describe_stuck
from ipcviz.narrate.steps import describe_awaited
from ipcviz.session.base import Session

TURNS: Final = parse_schedule("turns")
"""The schedule in which all take turns until the end."""
PATIENCE: Final = 30.0
"""Seconds without any news after which what is waited for is given up."""
_STUCK: Final = 2.0
"""Seconds without any news after which it is looked whether all wait for each other."""
_LONGER: Final = 20
"""How many times as long while a timer is armed or somebody sleeps for a time."""


class StoryNames(Protocol):
    """Who knows the scenario's names: `ipcviz.scenario.Story` does."""

    @property
    def roles(self) -> dict[int, str]:
        """Role names by pid."""

    @property
    def labels(self) -> dict[str, str]:
        """Names of objects and semaphores by key."""

    def feed(self, event: Event, before: State, after: State) -> object:
        """Take an event."""


class Driver:
    """Lets a held session's threads go as a schedule wants it.

    Args:
        session: A session that is held from its first stop; started by the caller.
        schedule: In which order they go.
        cast: Who knows the scenario's names; None without one.
        patience: Seconds without any news after which what is waited for is given up; None to wait
            for ever.
        clock: Seconds; tests give one of their own.

    Attributes:
        state: The state after all events taken so far.
        recorder: The steps that were made, as a schedule.
        over: Whether there is nothing left to do: the schedule is done, departed from, or given up.
        departed: Where the run departed from the schedule, or what it waited for in vain, in a
            sentence; empty if all went as it should.
        notice: What there is to be said although it goes on: all wait, and only somebody else can
            end that.
    """

    def __init__(
        self,
        session: Session,
        schedule: Schedule = TURNS,
        cast: StoryNames | None = None,
        *,
        patience: float | None = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.session = session
        self.state = State()
        self.recorder = Recorder()
        self.scheduler = Scheduler(schedule)
        self.over = False
        self.departed = ""
        self.notice = ""
        self._cast = cast
        self._names = GivenNames()
        self._patience = patience
        self._clock = clock
        self._news = clock()
        self._begun = False

    def apply_events(self, events: Iterable[Event]) -> None:
        """Take in what was drained, and tell the session what comes next if all is at rest."""
        for event in events:
            if isinstance(event, Stepped):
                self._names = self._build_names()
            self.recorder.record_event(event, self.state, self._names)
            self.scheduler.apply_event(event)
            before, self.state = self.state, reduce(self.state, event)
            if self._cast is not None:
                self._cast.feed(event, before, self.state)
            if not isinstance(event, Sample):
                self._news = self._clock()
        self._begun |= self.state.stepping
        if self._begun and not self.over:
            self._go_on()
        self.over |= self.state.finished

    def _build_names(self) -> GivenNames:
        return (
            GivenNames(roles=self._cast.roles, labels=self._cast.labels)
            if self._cast is not None
            else NO_NAMES
        )

    def _go_on(self) -> None:
        self._names = self._build_names()
        while not self.over and not self.scheduler.is_busy(self.state):
            move = self.scheduler.pop_move(self.state, self._names)
            self.over = move.done or bool(move.departed)
            self.departed = _format_sentence(move.departed)
            if move.command is not None:
                self.session.send(move.command)
                self._news = self._clock()
            elif not self.over:
                self._check_patience(describe_awaited(self.state, move))
                return
        if not self.over:
            self._check_patience("all to come to rest")

    def _check_patience(self, what: str) -> None:
        """Give up what does not come: unless time itself is what is waited for, and its end is
        known.
        """
        quiet = self._clock() - self._news
        if self._patience is None:
            if quiet >= _STUCK and not self.notice:
                self._check_stuck()
            return
        if quiet < (self._patience * _LONGER if self._time_is_due() else self._patience):
            return
        self.over = True
        line = self.scheduler.schedule.lines[
            min(self.scheduler.place, len(self.scheduler.schedule.lines) - 1)
        ]
        self.departed = f"Line {line.number} waited {self._patience:g} seconds in vain for {what}."

    def _check_stuck(self) -> None:
        waits = all_wait(self.state)
        if waits is None:
            return
        words = describe_stuck(self.state, waits)
        if all(nobody_else(wait) for wait in waits):
            self.over = True
            self.departed = f"All wait, and none of them can wake another: {words}."
        else:
            self.notice = f"All wait, and only somebody who is not watched might end that: {words}."

    def _time_is_due(self) -> bool:
        """Whether a timer is armed, or a thread sleeps for a time: it will come."""
        waits = (wait_of(self.state, tid) for tid in self.state.threads)
        return bool(self.state.timers) or any(w is not None and w.why is Why.TIME for w in waits)

    def iterate_events(self) -> Iterator[Event]:
        """Everything that the session tells, until the schedule is over or the session has
        ended.
        """
        wait = getattr(self.session, "wait", time.sleep)
        while not self.session.finished and not (self.over and list_living(self.state)):
            events = self.session.drain()
            self.apply_events(events)
            yield from events
            if not events:
                wait(0.05)
        yield from self.session.drain()


def _format_sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}." if words else ""
