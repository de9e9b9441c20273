"""The one place where the stream comes in: drain, reduce, narrate, and make one frozen view of it
all.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from ipcviz.app.changes import LIT_FOR, RecentChanges
from ipcviz.app.history import Log, Meter, Trail
from ipcviz.app.naming import name_objects
from ipcviz.app.past import EventTape, Past
from ipcviz.app.slots import Slots
from ipcviz.app.steps import Steps
from ipcviz.app.terminal import Terminal
from ipcviz.app.view import Lazy, LogUntil, Moment, TerminalAt, View
from ipcviz.events import Event, Exited, Finished, Held, Output, Sample, Stepped, Trouble
from ipcviz.model.forced import TOLD, EndWatch, ForcedEnd
from ipcviz.model.parts import ProcessPart
from ipcviz.model.query import Holders
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.model.steps.schedule import NO_NAMES, GivenNames
from ipcviz.narrate import narrate
from ipcviz.scenario import Scenario, Story
from ipcviz.scenario.kept import sources_of

if TYPE_CHECKING:
    from ipcviz.session.base import Session
    from ipcviz.trace import TraceWriter

REMEMBERED: Final = 2000
"""Objects and processes whose last minute is remembered; when there are more, only of what is still
there.
"""


CATCH_UP: Final = 0.1
"""Seconds of a frame in which events are taken in while what is shown is of a while ago: keys wait
for this.
"""
LATE: Final = 0.1
"""How many seconds old an event may be when it is taken in; with one that is older, taking in comes
before drawing.
"""


BATCH: Final = 32
"""Events that go through each stage together."""


class Transition(NamedTuple):
    """An event that was taken in, with the states around it and the scenario's names then."""

    event: Event
    before: State
    after: State
    names: GivenNames


class Feed:
    """Takes a session's events in, and says what there is to see.

    Args:
        session: Where the events come from.
        clock: Seconds, for the time between events; tests give one that stands still.
        scenario: The scenario whose story is to be followed, if it is one.
        recorder: Keeps what comes in, if it can be kept.
    """

    def __init__(
        self,
        session: Session,
        clock: Callable[[], float] = time.monotonic,
        scenario: Scenario | None = None,
        recorder: TraceWriter | None = None,
    ) -> None:
        self.session = session
        self.state = State()
        self.log = Log()
        self.terminal = Terminal()
        self.trails: dict[str, Trail] = {}
        self.meters: dict[int, Meter] = {}
        self.slots = Slots()
        self.behind = 0
        """Events that wait to be taken in because a frame's time was up."""
        self.lag = 0.0
        """How many seconds old the last event was when it was taken in; 0 once nothing comes any
        more.
        """
        self.recorder = recorder
        self.past = Past(EventTape(recorder), scenario)
        self.troubles: list[Trouble] = []
        """What the tracer could not do, in its own words; at most a hundred."""
        self._clock = clock
        self._origin: float | None = None
        self._backlog: deque[Event] = deque()
        self._changes = RecentChanges()
        self._frozen_at: float | None = None
        self._held_now = False
        self._ending = EndWatch()
        self._stopped = self._rested = 0.0
        self._holders = Holders()
        self._scenario = scenario
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

    @property
    def over(self) -> bool:
        """Whether no further event will come, and the last one has been taken in."""
        return self.session.finished and self.settled

    @property
    def forced(self) -> ForcedEnd | None:
        """Where the end of what came was forced; None if it was not, or has not come."""
        return self._ending.found

    @property
    def is_whole(self) -> bool:
        """Whether all that will come is there already: this is no kept trace."""
        return False

    @property
    def reading(self) -> float | None:
        """Which share of a kept trace was read: none is read here."""
        return None

    def pump(self, budget: float = 0.012) -> bool:
        """Take in what has come, for at most about `budget` seconds; the rest waits for the next
        call.

        Returns:
            Whether anything that can be seen changed.
        """
        until = time.perf_counter() + (max(budget, CATCH_UP) if self.late else budget)
        took = False
        backlog = self._backlog
        while backlog or self._drain_session():
            self._add_batch()
            took = True
            if time.perf_counter() > until:
                break
        self.behind = len(backlog)
        # What waits in the session and in the tracer is not seen from here; that what came was old
        # says so, too.
        self.lag = self._compute_age() if took else 0.0
        if self._frozen_at is None and not backlog and self.state.n and self.session.finished:
            # The stream ended before the command did: a kept trace that was cut off, a tracer that
            # was killed.
            self._frozen_at = self.state.t
        if took and self.recorder is not None:
            self.recorder.add_keyframe(self.state)
        stepped = not backlog and self.steps.tick()
        found = (
            not backlog
            and not self.late
            and self.past.diagnosis.examine(self.now, last=self._frozen_at is not None)
        )
        return self._expire_marks() or took or stepped or found

    @property
    def late(self) -> bool:
        """Whether what was taken in last was old: then there is more, and that comes before the
        screen.
        """
        return self.lag > LATE

    def _compute_age(self) -> float:
        """How many seconds ago the last event was that was taken in, by the least that any took
        until now.
        """
        if self._origin is None or self._frozen_at is not None:
            return 0.0
        return max(self._clock() - self._origin - self.state.t, 0.0)

    def _drain_session(self) -> bool:
        """Have the next events from the session. Returns whether there are any.

        Only once all before are taken in: what waits there is seen by the tracer, which tells less
        while much waits.
        """
        events = self.session.drain()
        if self.recorder is not None:
            self.recorder.add(events)
        self._backlog.extend(events)
        return bool(events)

    def read_sources(self) -> Mapping[str, str]:
        """The texts of the scenario's files."""
        return sources_of(self._scenario) if self._scenario is not None else {}

    def make_view(self) -> View:
        """What there is to see now."""
        now = self.now
        moment = Moment(
            state=self.state,
            now=now,
            fresh=self._rested if self.state.stepping else now - LIT_FOR,
            lit=frozenset(self._changes.lit),
            ghosts=MappingProxyType(dict(self._changes.ghosts)),
            slots=MappingProxyType(dict(self.slots.given)),
            lag=self.lag,
            story=(self._story.scenario, self._story.progress) if self._story else None,
            outcome=self.steps.outcomes.parts if self.state.step else (),
            log=Lazy.make_known(LogUntil(self.log, self.log.end)),
            terminal=Lazy.make_known(TerminalAt(self.terminal, self.terminal.version)),
            trails=Lazy.make_known(MappingProxyType(self.trails)),
            meters=Lazy.make_known(MappingProxyType(self.meters)),
            read_lanes=partial(self.past.read_lanes, self.state.n),
            find_findings=partial(self.past.diagnosis.find_until, self.state.n),
        )
        return View(moment, self._holders)

    def clear_marks(self) -> None:
        """Nothing is marked as changed any more: what comes next is a step of its own."""
        self._changes.clear()

    def _add_batch(self) -> None:
        """Add the next events to all that is kept of the stream: state, story, past, marks, log.

        All of them go through one stage before any goes through the next: its code stays in the
        processor's caches, which takes 40 in 100 of the time off.
        """
        backlog = self._backlog
        batch: list[Transition] = []
        for _ in range(min(BATCH, len(backlog))):
            event, before = backlog.popleft(), self.state
            after = self.state = self._reduce_event(event, before)
            batch.append(Transition(event, before, after, self._build_names()))
        for event, before, after, names in batch:
            self.steps.add_event(event, before, after, names)
            if isinstance(event, TOLD):
                self._ending.note_event(event)
        moments = [self.past.add_event(event, before, after) for event, before, after, _ in batch]
        if self.recorder is not None:
            for (event, before, after, names), moment in zip(batch, moments, strict=True):
                roles = names.roles if self._story is not None else None
                self.recorder.add_meaning(event, before, after, roles, moment)
        latest = max(one.event.t for one in batch)
        if self._origin is None or self._clock() - self._origin < latest:
            self._origin = self._clock() - latest
        for (event, before, after, _), moment in zip(batch, moments, strict=True):
            self._mark_event(event, moment=moment)
            self._changes.add(event, before, after)
        for event, before, after, _ in batch:
            if isinstance(event, Sample):
                self._add_sample(event)
            elif isinstance(event, Output):
                self.terminal.feed(event.data, event.dropped)
            else:
                self._add_to_log(event, before, after)

    def _reduce_event(self, event: Event, before: State) -> State:
        """The state after an event, with the screen's names."""
        after = reduce(before, event)
        if self._story is None:
            return name_objects(after, {})
        self._story.feed(event, before, after)
        progress = self._story.progress
        labels = self.past.set_progress(after.n, progress)
        return name_objects(after, labels, progress.cast.roles, self.past.layouts)

    def _build_names(self) -> GivenNames:
        """The scenario's names for processes and objects."""
        if self._story is None:
            return NO_NAMES
        cast = self._story.progress.cast
        return GivenNames(roles=cast.roles, labels=cast.labels)

    def _mark_event(self, event: Event, *, moment: bool) -> None:
        """Note since when something is new: what is lit is what this step changed, however long the
        viewer looks at it.
        """
        if isinstance(event, Stepped) or self._held_now:
            self._changes.clear()
            self._rested = self._stopped
        self._held_now = isinstance(event, Held)
        if self._held_now:
            self._rested = self._stopped
        if moment:
            self._stopped = event.t

    def _add_to_log(self, event: Event, before: State, after: State) -> None:
        """What an event means for the digits, for the log, and for whether more will come."""
        for change in after.changed:
            if isinstance(change, ProcessPart) and change.pid not in before.processes:
                self.slots.add_process(change.pid)
        if isinstance(event, Exited):
            self.slots.end_process(event.pid)
        sentence = narrate(event, before, after)
        if sentence is not None:
            self.log.add_sentence(sentence)
        if isinstance(event, Trouble) and len(self.troubles) < 100:
            self.troubles.append(event)
        if isinstance(event, Finished) and event.left == 0:
            self._frozen_at = max(event.t, after.t)

    def _add_sample(self, event: Sample) -> None:
        if len(self.trails) + len(self.meters) > REMEMBERED:
            self.trails = {
                key: trail for key, trail in self.trails.items() if key in self.state.ends
            }
            living = (
                pid for pid, process in self.state.processes.items() if process.fate == "alive"
            )
            self.meters = {pid: self.meters[pid] for pid in living if pid in self.meters}
        for level in event.levels:
            self.trails.setdefault(level.object, Trail()).add_level(event.t, level.queued)
        for process in event.processes:
            used = process.user_time + process.system_time
            self.meters.setdefault(process.pid, Meter()).add_time(event.t, used)

    def _expire_marks(self) -> bool:
        """Put out what was lit long enough; nothing changes any more after the end, or while all
        are held.
        """
        if (self._frozen_at is not None and not self._backlog) or self.state.stepping:
            return False
        return self._changes.expire(self.now)
