"""Any moment of the past as the screen shows it."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Final

from ipcviz.app.changes import Changes
from ipcviz.app.history import BUCKET, MINUTE, Ghost, Log, Meter, Trail
from ipcviz.app.past.moments import Moments, Turns
from ipcviz.app.past.pages import PAGE, Pages
from ipcviz.app.past.tape import Tape
from ipcviz.app.slots import Slots
from ipcviz.app.terminal import Terminal
from ipcviz.app.view import Holders, View
from ipcviz.events import Event, Output, Stepped
from ipcviz.model.state import State
from ipcviz.model.steps.moments import is_moment
from ipcviz.narrate import STEP, Outcomes, Sentence, narrate
from ipcviz.scenario import Progress, Scenario
from ipcviz.trace import TraceError

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


class PastMoment:
    """A moment of the past; what only some panels need is made when they ask."""

    past = True
    lag = 0.0

    def __init__(
        self, past: Past, n: int, now: float | None = None, since: int | None = None
    ) -> None:
        self._past = past
        self.n = n
        pages = past.pages
        known = past.tape.known_from(n)
        self._known_page = -(-known // PAGE)
        self._next_page = (n - 1) // PAGE
        for index in range(
            max(self._known_page, self._next_page - _FIRST_PAGES + 1), self._next_page
        ):
            # The earlier ones first: each begins with the state at the end of the one before it.
            pages.page(index, (index + 1) * PAGE)
        self.state = pages.state_at(n)
        self.now = self.state.t if now is None else now
        stop = max(
            past.moments.before(n) if since is None else min(since, n),
            self._known_page * PAGE if known else 0,
        )
        self.fresh = pages.state_at(stop).t if stop else -1.0
        changes, outcomes = Changes(), Outcomes(narrate)
        for event, before, after in pages.walk(max(stop, n - _CHANGES), n):
            changes.take(event, before, after)
            outcomes.feed(event, before, after)
        self.outcome = outcomes.text if self.state.step else ""
        self.lit = frozenset(changes.lit)
        self.ghosts: Mapping[tuple[int, int], Ghost] = MappingProxyType(changes.ghosts)
        self.slots: Mapping[int, int] = MappingProxyType(Slots.of(self.state.processes).given)
        turns = past.turns
        self.story: tuple[Scenario, Progress] | None = (
            (turns.scenario, turns.at(n)) if turns is not None else None
        )
        self._said: list[Sentence] = []
        while self.wants_more and (
            self._next_page > (n - 1) // PAGE - _FIRST_PAGES or pages.has(self._next_page)
        ):
            self.more()

    @property
    def wants_more(self) -> bool:
        """Whether the log, or the output if it was asked for, can be made longer."""
        if "terminal" in self.__dict__ and self.terminal.more:
            return True
        if len(self._said) > ENTRIES or (self.n - 1) // PAGE - self._next_page >= _LOG_PAGES:
            return False
        return self._next_page >= self._known_page

    def more(self) -> None:
        """Make the output longer, or the log by a page."""
        if "terminal" in self.__dict__ and self.terminal.more:
            self.__dict__.pop("terminal")
            _ = self.terminal
            return
        said = self._past.pages.page(
            self._next_page, min(self.n, (self._next_page + 1) * PAGE)
        ).said
        self._said[:0] = said[: bisect_right(said, self.n, key=lambda one: one.n)]
        self._next_page -= 1
        self.__dict__.pop("log", None)

    @cached_property
    def log(self) -> Log:
        """The sentences before it, as they were put together then; at most about a thousand."""
        log, said = Log(), self._said[-ENTRIES:]
        if said and (self._next_page >= 0 or len(self._said) > ENTRIES):
            log.add(
                Sentence(
                    0,
                    said[0].t,
                    0,
                    "What came before this is listed at earlier moments: go back",
                    STEP,
                )
            )
        for sentence in said:
            log.add(sentence)
        return log

    @property
    def log_end(self) -> int:
        """Number of the entry after the last one."""
        return self.log.end

    @cached_property
    def follows(self) -> int:
        """In step mode: the thread that went next; 0 if none did."""
        if not self.state.stepping:
            return 0
        events = self._past.tape.events(self.n + 1, min(self.n + PAGE, self._past.pages.last))
        try:
            return next((event.tid for event in events if isinstance(event, Stepped)), 0)
        except TraceError:
            return 0

    @cached_property
    def terminal(self) -> Terminal:
        """What the command had written; nothing where a damaged trace can't tell."""
        try:
            return self._past.terminal_at(self.n)
        except TraceError:
            return Terminal()

    @property
    def terminal_version(self) -> int:
        """Which state of it is meant."""
        return self.terminal.version

    @cached_property
    def trails(self) -> Mapping[str, Trail]:
        """Levels of the last minute; none where a damaged trace can't tell."""
        try:
            return self._trails()
        except TraceError:
            return {}

    def _trails(self) -> dict[str, Trail]:
        tape = self._past.tape
        first = tape.before(self.now - MINUTE) + 1
        looks = [
            look for look in tape.levels(first, self.n, BUCKET) if look.key in self.state.objects
        ]
        # A level holds until the next one: the last one before the minute began, too.
        earlier = tape.levels_before(first, {look.key for look in looks})
        found = {key: Trail() for key in earlier}
        for key, (t, queued) in earlier.items():
            found[key].add(t, queued)
        for look in looks:
            found.setdefault(look.key, Trail()).add(look.t, look.queued, look.highest)
        for key, thing in self.state.objects.items():
            if thing.level is not None and key not in found:
                found.setdefault(key, Trail()).add(thing.level_at, thing.level.queued)
        return found

    @cached_property
    def meters(self) -> Mapping[int, Meter]:
        """CPU use; none where a damaged trace can't tell."""
        try:
            return self._meters()
        except TraceError:
            return {}

    def _meters(self) -> dict[int, Meter]:
        tape = self._past.tape
        first = tape.before(self.now - _METERS) + 1
        looks = list(tape.cpu_seconds(first, self.n))
        earlier = tape.cpu_seconds_before(first, {look.pid for look in looks})
        found = {pid: Meter() for pid in earlier}
        for pid, (t, used) in earlier.items():
            found[pid].add(t, used)
        for look in looks:
            found.setdefault(look.pid, Meter()).add(look.t, look.cpu)
        for pid, process in self.state.processes.items():
            if process.sample is not None and pid not in found:
                used = process.sample.user_time + process.sample.system_time
                found.setdefault(pid, Meter()).add(self.now - _METERS, used)
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
    """

    def __init__(self, tape: Tape, scenario: Scenario | None = None) -> None:
        self.tape = tape
        self.moments = Moments()
        self.turns = Turns(scenario) if scenario is not None else None
        self._outputs = array("q")
        self._written = array("q")
        self._holders = Holders()
        self.pages = Pages(tape, self.turns)
        self._terminals: dict[int, Terminal] = {}
        self._pieces: dict[int, Output] = {}
        self._pieces_size = 0
        self._kept: tuple[tuple[int, float | None, int | None], PastMoment] | None = None

    def tell(self, n: int, progress: Progress) -> Mapping[str, str]:
        """From event `n` on the story is so far.

        Returns the names that it gives to objects, by key.
        """
        if self.turns is None:
            return {}
        self.turns.take(n, progress)
        return self.turns.labels(n)

    def take(self, event: Event, before: State, after: State) -> bool:
        """Take an event in, with the states around it. Returns whether it is a moment."""
        found = is_moment(event, before, after)
        if found:
            self.moments.add(after.n)
        if isinstance(event, Output):
            self.wrote(after.n, len(event.data) + event.dropped)
            self._keep(after.n, event)
        self.pages.last = after.n
        self.tape.take(event, before, after)
        return found

    def wrote(self, n: int, size: int) -> None:
        """Event `n` was output of so many bytes."""
        self._outputs.append(n)
        self._written.append((self._written[-1] if self._written else 0) + size)

    def moment(self, n: int, *, now: float | None = None, since: int | None = None) -> PastMoment:
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
            self._kept = wanted, PastMoment(self, n, now, since)
        return self._kept[1]

    def view(self, n: int, *, now: float | None = None, since: int | None = None) -> View:
        """As `moment`, for the screen, with nothing selected."""
        return View(self.moment(n, now=now, since=since), self._holders)

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
        for event in self.tape.events(max(1, n - _NEAR), n):
            if isinstance(event, Output):
                self._keep(event.n, event)
        nothing = Output(t=0.0, data=b"")
        self._keep(n, nothing)
        return self._pieces.get(n, nothing)

    def _keep(self, n: int, piece: Output) -> None:
        if n in self._pieces:
            return
        self._pieces[n] = piece
        self._pieces_size += len(piece.data) + _OVERHEAD
        while self._pieces_size > _MOST_KEPT:
            oldest = next(iter(self._pieces))
            self._pieces_size -= len(self._pieces.pop(oldest).data) + _OVERHEAD
