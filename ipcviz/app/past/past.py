"""Any moment of the past as the screen shows it."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ipcviz.app.changes import RecentChanges
from ipcviz.app.history import BUCKET, MINUTE, Log, Meter, Trail
from ipcviz.app.past.lanes import LaneTape
from ipcviz.app.past.moments import Moments, Turns
from ipcviz.app.past.pages import PAGE, Pages
from ipcviz.app.slots import Slots
from ipcviz.app.terminal import Terminal
from ipcviz.app.view import Lazy, LogUntil, Moment, TerminalAt, View
from ipcviz.diagnose import Diagnosis
from ipcviz.events import Event, Output, Stepped
from ipcviz.model.query import Holders
from ipcviz.model.steps.moments import is_moment
from ipcviz.narrate import STEP, Outcomes, Sentence, narrate
from ipcviz.trace import TraceError

if TYPE_CHECKING:
    from ipcviz.app.past.tape import EventTape
    from ipcviz.model.lanes import LaneRows
    from ipcviz.model.layouts import Field
    from ipcviz.model.state import State
    from ipcviz.scenario import Progress, Scenario

_CHANGES: Final = 1024
"""How many events before a moment are looked through for what changed since the moment before it,
at most.
"""
_FIRST_PAGES: Final = 2
"""Pages of the log that are made at once; further ones when there is time."""
ENTRIES: Final = 1_000
"""Entries of the log before a moment of the past."""
_LOG_PAGES: Final = 128
_LINES: Final = 1_000
_OUTPUT: Final = 1 << 18
"""Lines and bytes of output before a moment of the past, at least, as long as reading them is not
dear.
"""
_NEAR: Final = 256
_DEAR: Final = 1
"""How many times output is read at once, each time with what there is of it among so many events.
"""
_OVERHEAD: Final = 200
_MOST_KEPT: Final = 16 << 20
"""Bytes of output that are kept at hand."""
_TERMINALS: Final = 64
_METERS: Final = 5.0
"""Seconds that CPU use is worked out from."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PastMoment(Moment):
    """A moment of the past; what only some panels need is made when they ask.

    Its log and its output begin some way before it. `extend` makes a moment whose begin earlier.

    Attributes:
        n: Number of the event after which it is.
        source: The past that it is of.
        sentences: What its log is made of, oldest first.
        next_page: Index of the page that comes before those that the sentences are of.
        known_page: Index of the first page that is kept.
    """

    n: int
    source: Past
    sentences: tuple[Sentence, ...]
    next_page: int
    known_page: int
    past: bool = True

    @property
    def can_extend(self) -> bool:
        """Whether the log, or the output if it was asked for, can be made longer."""
        return self._can_extend_output or self._can_extend_log

    @property
    def _can_extend_output(self) -> bool:
        return self.terminal.made and self.terminal.get().terminal.more

    @property
    def _can_extend_log(self) -> bool:
        if len(self.sentences) > ENTRIES or (self.n - 1) // PAGE - self.next_page >= _LOG_PAGES:
            return False
        return self.next_page >= self.known_page

    def extend(self) -> PastMoment:
        """The same moment with longer output, or with a log that is a page longer."""
        if self._can_extend_output:
            part = _read_terminal(self.source, self.n)
            return replace(self, terminal=Lazy.make_known(part))
        page = self.source.pages.load_page(self.next_page, min(self.n, (self.next_page + 1) * PAGE))
        until = bisect_right(page.sentences, self.n, key=lambda one: one.n)
        sentences = (*page.sentences[:until], *self.sentences)
        next_page = self.next_page - 1
        log = Lazy(partial(_make_log, sentences, whole=next_page < 0))
        return replace(self, sentences=sentences, next_page=next_page, log=log)


def _make_log(sentences: Sequence[Sentence], *, whole: bool) -> LogUntil:
    """Put sentences together as they were then; of more than `ENTRIES` the last ones.

    Args:
        sentences: The sentences, oldest first.
        whole: Whether nothing came before them.
    """
    log, shown = Log(), sentences[-ENTRIES:]
    if shown and not (whole and len(sentences) <= ENTRIES):
        earlier = "What came before this is listed at earlier moments: go back"
        log.add_sentence(Sentence(0, shown[0].t, 0, earlier, STEP))
    for sentence in shown:
        log.add_sentence(sentence)
    return LogUntil(log, log.end)


def _read_terminal(past: Past, n: int) -> TerminalAt:
    """What the command had written; nothing where a damaged trace can't tell."""
    try:
        found = past.terminal_at(n)
    except TraceError:
        found = Terminal()
    return TerminalAt(found, found.version)


def _read_follower(past: Past, state: State, n: int) -> int:
    """In step mode: the thread that went next; 0 if none did, or a damaged trace can't tell."""
    if not state.stepping:
        return 0
    events = past.tape.read_events(n + 1, min(n + PAGE, past.pages.last))
    try:
        return next((event.tid for event in events if isinstance(event, Stepped)), 0)
    except TraceError:
        return 0


def _read_trails(tape: EventTape, state: State, n: int, now: float) -> Mapping[str, Trail]:
    """Levels of the last minute, by object key; none where a damaged trace can't tell."""
    try:
        first = tape.find_before(now - MINUTE) + 1
        levels = [one for one in tape.read_levels(first, n, BUCKET) if one.key in state.objects]
        # A level holds until the next one: the last one before the minute began, too.
        earlier = tape.levels_before(first, {one.key for one in levels})
    except TraceError:
        return {}
    found = {key: Trail() for key in earlier}
    for key, (t, queued) in earlier.items():
        found[key].add_level(t, queued)
    for one in levels:
        found.setdefault(one.key, Trail()).add_level(one.t, one.queued, one.highest)
    for key, thing in state.objects.items():
        if thing.level is not None and key not in found:
            found.setdefault(key, Trail()).add_level(thing.level_at, thing.level.queued)
    return found


def _read_meters(tape: EventTape, state: State, n: int, now: float) -> Mapping[int, Meter]:
    """CPU use, by pid; none where a damaged trace can't tell."""
    try:
        first = tape.find_before(now - _METERS) + 1
        uses = list(tape.cpu_seconds(first, n))
        earlier = tape.cpu_seconds_before(first, {one.pid for one in uses})
    except TraceError:
        return {}
    found = {pid: Meter() for pid in earlier}
    for pid, (t, used) in earlier.items():
        found[pid].add_time(t, used)
    for one in uses:
        found.setdefault(one.pid, Meter()).add_time(one.t, one.cpu)
    for pid, process in state.processes.items():
        if process.sample is not None and pid not in found:
            used = process.sample.user_time + process.sample.system_time
            found.setdefault(pid, Meter()).add_time(now - _METERS, used)
    return found


class Past:
    """The moments of a session, those of a live one among them as they come.

    Args:
        tape: Where the events are.
        scenario: The scenario, if it is one.

    Attributes:
        moments: Which events are moments.
        turns: The story; None if there is none.
        pages: The events around the moments that were looked at.
        diagnosis: What was found wrong, as far as the events were gone through.
    """

    def __init__(self, tape: EventTape, scenario: Scenario | None = None) -> None:
        self.tape = tape
        self.moments = Moments()
        self.turns = Turns(scenario) if scenario is not None else None
        self._outputs = array("q")
        self._written = array("q")
        self._holders = Holders()
        self.pages = Pages(tape, self.turns)
        self._lanes = LaneTape(self.pages, tape)
        self._terminals: dict[int, Terminal] = {}
        self._pieces: dict[int, Output] = {}
        self._pieces_size = 0
        self._kept: tuple[tuple[int, float | None, int | None], PastMoment] | None = None
        self.diagnosis = Diagnosis()

    def set_progress(self, n: int, progress: Progress) -> Mapping[str, str]:
        """From event `n` on the story is so far.

        Returns the names that it gives to objects, by key.
        """
        if self.turns is None:
            return {}
        self.turns.add(n, progress)
        return self.turns.find_labels(n)

    @property
    def layouts(self) -> Mapping[str, tuple[Field, ...]]:
        """The fields that the scenario declares in its objects, by their names."""
        return self.turns.layouts if self.turns is not None else {}

    def add_event(self, event: Event, before: State, after: State) -> bool:
        """Add an event that came, with the states around it. Returns whether it is a moment."""
        found = is_moment(event, before, after)
        if found:
            self.moments.add(after.n)
        if isinstance(event, Output):
            self.add_output(after.n, len(event.data) + event.dropped)
            self._keep_piece(after.n, event)
        self.pages.last = after.n
        self.tape.add_event(event, before, after)
        self.diagnosis.follow_event(event, before, after)
        return found

    def add_output(self, n: int, size: int) -> None:
        """Event `n` was output of so many bytes."""
        self._outputs.append(n)
        self._written.append((self._written[-1] if self._written else 0) + size)

    def make_moment(
        self, n: int, *, now: float | None = None, since: int | None = None
    ) -> PastMoment:
        """The moment after event `n`.

        Args:
            n: The event's number.
            now: The moment in session seconds; when the event was, if None.
            since: Number of the event since which changes are marked; that of the moment before, if
                None.

        Raises:
            NotKept: Its events were not kept.
            TraceError: They can't be read.
        """
        wanted = (n, now, since)
        if self._kept is None or self._kept[0] != wanted:
            self._kept = wanted, self._make_moment(n, now, since)
        return self._kept[1]

    def _make_moment(self, n: int, now: float | None, since: int | None) -> PastMoment:
        pages, tape = self.pages, self.tape
        known = tape.known_from(n)
        known_page, page = -(-known // PAGE), (n - 1) // PAGE
        for index in range(max(known_page, page - _FIRST_PAGES + 1), page):
            # The earlier ones first: each begins with the state at the end of the one before it.
            pages.load_page(index, (index + 1) * PAGE)
        state = pages.state_at(n)
        now = state.t if now is None else now
        stop = max(
            self.moments.find_before(n) if since is None else min(since, n),
            known_page * PAGE if known else 0,
        )
        changes, outcomes = RecentChanges(), Outcomes(narrate)
        for event, before, after in pages.walk_events(max(stop, n - _CHANGES), n):
            changes.add(event, before, after)
            outcomes.add_event(event, before, after)
        turns = self.turns
        moment = PastMoment(
            n=n,
            source=self,
            state=state,
            now=now,
            fresh=pages.state_at(stop).t if stop else -1.0,
            lit=frozenset(changes.lit),
            ghosts=MappingProxyType(changes.ghosts),
            slots=MappingProxyType(Slots.from_processes(state.processes).given),
            story=(turns.scenario, turns.find_progress(n)) if turns is not None else None,
            outcome=outcomes.parts if state.step else (),
            log=Lazy(partial(_make_log, (), whole=True)),
            terminal=Lazy(partial(_read_terminal, self, n)),
            trails=Lazy(partial(_read_trails, tape, state, n, now)),
            meters=Lazy(partial(_read_meters, tape, state, n, now)),
            follows=Lazy(partial(_read_follower, self, state, n)),
            read_lanes=partial(self.read_lanes, n),
            find_findings=partial(self.diagnosis.find_until, n),
            searched=not self.diagnosis.skipped,
            sentences=(),
            next_page=page,
            known_page=known_page,
        )
        while moment.can_extend and (
            moment.next_page > page - _FIRST_PAGES or pages.has_page(moment.next_page)
        ):
            moment = moment.extend()
        return moment

    def make_view(self, n: int, *, now: float | None = None, since: int | None = None) -> View:
        """As `make_moment`, for the screen, with nothing selected."""
        return View(self.make_moment(n, now=now, since=since), self._holders)

    def read_lanes(self, n: int, before: int, after: int) -> LaneRows:
        """The rows of the lanes around the moment after event `n`: so many up to it at most, and so
        many after it.
        """
        return self._lanes.read_rows(n, before, after)

    def terminal_at(self, n: int) -> Terminal:
        """What had been written to the terminal at event `n`: the last lines of it.

        As far as that can be read quickly: the terminal's `more` says whether it is worth to ask
        again.
        """
        at = bisect_right(self._outputs, n)
        last = self._outputs[at - 1] if at else 0
        found = self._terminals.get(last)
        if found is None or found.more:
            found = Terminal()
            pieces: list[Output] = []
            size = lines = dear = 0
            while at and size < _OUTPUT and lines < _LINES:
                number = self._outputs[at - 1]
                piece = self._pieces.get(number)
                if piece is None:
                    if dear == _DEAR:
                        found.more = True
                        break
                    dear += 1
                    piece = self._read_piece(number)
                at -= 1
                pieces.append(piece)
                size += len(piece.data)
                lines += piece.data.count(b"\n")
            if at:
                found.begin_at(self._written[at - 1])
            for piece in reversed(pieces):
                found.feed(piece.data, piece.dropped)
            if len(self._terminals) > _TERMINALS:
                self._terminals.clear()
            self._terminals[last] = found
        return found

    def _read_piece(self, n: int) -> Output:
        """Output, and what there is of it among the events around, which are read with it."""
        for event in self.tape.read_events(max(1, n - _NEAR), n):
            if isinstance(event, Output):
                self._keep_piece(event.n, event)
        nothing = Output(t=0.0, data=b"")
        self._keep_piece(n, nothing)
        return self._pieces.get(n, nothing)

    def _keep_piece(self, n: int, piece: Output) -> None:
        if n in self._pieces:
            return
        self._pieces[n] = piece
        self._pieces_size += len(piece.data) + _OVERHEAD
        while self._pieces_size > _MOST_KEPT:
            oldest = next(iter(self._pieces))
            self._pieces_size -= len(self._pieces.pop(oldest).data) + _OVERHEAD
