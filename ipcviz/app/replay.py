"""A kept trace as the app sees it: every moment is of the past, and nothing has to be taken in to
show one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from ipcviz.app.past import EventTape, Past
from ipcviz.app.past.moments import Moments
from ipcviz.app.steps import Steps
from ipcviz.diagnose import BETWEEN
from ipcviz.events import Finished, Trouble
from ipcviz.model.forced import TOLD, EndWatch, ForcedEnd
from ipcviz.model.state import State
from ipcviz.model.steps.moments import is_moment
from ipcviz.scenario import Scenario, Story
from ipcviz.trace import TraceError, TraceWriter

if TYPE_CHECKING:
    from ipcviz.app.view import View
    from ipcviz.session.base import Session
    from ipcviz.session.kept import KeptSession

_DECIDING: Final = tuple(str(kind.__struct_config__.tag) for kind in TOLD)
"""Names, in the stream, of the events that tell whether the end was forced."""
_TAIL: Final = 200_000
_MOST_DECIDING: Final = 2_000
"""So many of the last events are looked through for them, and so many of those are read."""

_SEARCHED: Final = 5_000
"""Events of a trace that are gone through for faults though nothing else needs that: a tenth of a
second's worth; of a longer one `ipcviz doctor` says what is wrong.
"""


class Replay:
    """Takes the place of the feed where a trace is shown.

    Where the trace says which events are moments, and no story is told, it can be shown at once;
    else it is read in the background, and shown as far as that came.

    Args:
        session: The trace.
        scenario: The scenario whose story is to be told, if it was one.

    Attributes:
        state: The state at the end, as far as it was read.
        troubles: What is wrong with the trace.
        past: Its moments.
        steps: Nobody is let go here.
    """

    def __init__(self, session: KeptSession, scenario: Scenario | None = None) -> None:
        self.session: Session = session
        self._reader = session.reader
        self.state = State()
        self.troubles: list[Trouble] = []
        self.past = Past(EventTape(reader=session.reader), scenario)
        self._story = Story(scenario) if scenario is not None else None
        self.steps = Steps(session.send)
        self._scan: Iterator[None] | None = None
        self._search: Iterator[None] | None = None
        self._last = session.reader.last
        self._read = 0
        self._begun = False
        self._bounded = scenario is not None
        self._forced: ForcedEnd | None = None

    def begin(self) -> None:
        """Find out what there is."""
        reader, self._begun = self._reader, True
        try:
            if self._story is None:
                self.past.moments = Moments(reader.read_moments())
            for n, size in reader.read_outputs():
                self.past.add_output(n, size)
            if not self._bounded:
                self.past.pages.last = self._last
                self.state = self.past.pages.state_at(self._last)
                self._forced = self._find_forced_end()
        except TraceError:
            # As far as it can be read, it is shown.
            self.past.moments, self._bounded = Moments(), True
        count = len(self.past.moments)
        if count and self._last <= _SEARCHED:
            self._search = self._search_faults()
        self.past.diagnosis.skipped = bool(count) and self._search is None
        self._scan = self._scan_events(self.past.moments[count - 1] if count else 0)

    def _find_forced_end(self) -> ForcedEnd | None:
        reader, watch = self._reader, EndWatch(self.state.root)
        for n in reader.numbers_of(_DECIDING, _TAIL, _MOST_DECIDING):
            for event in reader.read_events(n, n):
                watch.note_event(event)
        return watch.found

    def _scan_events(self, after: int) -> Iterator[None]:
        """Read the events after number `after`, and note what they are."""
        past, pages, story = self.past, self.past.pages, self._story
        complete = False
        try:
            state = pages.state_at(after)
            for event in self._reader.read_events(after + 1):
                before, state = state, pages.next_state(state, event)
                n = state.n
                if story is not None:
                    story.feed(event, before, state)
                    past.set_progress(n, story.progress)
                if is_moment(event, before, state):
                    past.moments.add(n)
                if not after:
                    past.diagnosis.follow_event(event, before, state)
                complete = isinstance(event, Finished) and not event.left
                self._read = n
                if self._bounded:
                    self.state, pages.last = state, n
                yield
            complete = complete or self.state.finished
            message = "" if complete else "The trace ends here, before the command did."
        except TraceError as error:
            message = f"The trace can be read up to here: {error.message}"
            if not self._bounded:
                message = f"A part of the trace can't be read: {error.message}"
        if message:
            self.troubles.append(Trouble(t=self.state.t, n=self.state.n, message=message))

    def _search_faults(self) -> Iterator[None]:
        """Go through all events for what is wrong, where that was not done while they were read."""
        pages, diagnosis = self.past.pages, self.past.diagnosis
        try:
            state = pages.state_at(0)
            for event in self._reader.read_events(1):
                before, state = state, pages.next_state(state, event)
                diagnosis.follow_event(event, before, state)
                yield
            diagnosis.examine(state.t + BETWEEN)
        except TraceError:
            # What can't be read was said when it was read for what it shows.
            return

    def pump(self, budget: float = 0.1) -> bool:
        """Read on for at most about `budget` seconds.

        Returns whether anything that can be seen changed.
        """
        until = time.perf_counter() + budget
        if self._scan is not None:
            if _run_until(self._scan, until):
                self._scan = None
            return True
        if self._search is not None:
            if _run_until(self._search, until):
                self._search = None
            return True
        return False

    @property
    def forced(self) -> ForcedEnd | None:
        """Where the end was forced; None if it was not."""
        return self._forced

    @property
    def story(self) -> Story | None:
        """The scenario's story, as far as it was read."""
        return self._story

    @property
    def reading(self) -> float | None:
        """Which share of the trace was read, from 0 to 1; None once all that is to be read was."""
        return self._read / self._last if self._scan is not None and self._last else None

    @property
    def recorder(self) -> TraceWriter | None:
        """Nothing writes a trace again that is in a file already."""
        return None

    @property
    def is_whole(self) -> bool:
        """Whether all that will come is there already."""
        return True

    @property
    def late(self) -> bool:
        """Whether what was read last was old: a trace is not live, so that this never matters."""
        return False

    @property
    def behind(self) -> int:
        """Events that wait because a frame's time was up: a trace is read on where it was left."""
        return 0

    @property
    def now(self) -> float:
        """The last moment in session seconds."""
        return self.state.t

    @property
    def settled(self) -> bool:
        """Whether nothing will change any more."""
        return self._begun and self._scan is None

    @property
    def over(self) -> bool:
        """Whether no further event will come: all that is to be read was."""
        return self.settled

    def read_sources(self) -> Mapping[str, str]:
        """The texts that the trace keeps."""
        try:
            return self._reader.read_sources()
        except TraceError:
            return {}

    def make_view(self) -> View:
        """The end of the trace, as far as it was read."""
        return self.past.make_view(self.state.n)


def _run_until(work: Iterator[None], until: float) -> bool:
    """Do some of what is to be done, until a time (perf_counter). Returns whether all is done."""
    for count, _ in enumerate(work):
        if count % 64 == 0 and time.perf_counter() > until:
            return False
    return True
