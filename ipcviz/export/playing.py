"""A cast as chapters to go through, and the keys of class.

Pure, but for the clock that says when a slice is over.

Nothing here takes long: reading and interpreting a large cast are done in slices (`Tape.do_work`),
between which keys are answered. What the screen was like now and then is kept, so that it is never
far to any place.
"""

from __future__ import annotations

import re
import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final, Protocol

from ipcviz.export.cast import MOST_COLUMNS, MOST_ROWS, CastEvent, Chapter
from ipcviz.export.escapes import keep_colours
from ipcviz.export.screen import CastScreen, ScreenState

WITHOUT_MARKERS: Final = 5.0
"""Seconds of a chapter in a cast that has no markers."""

SPACING: Final = 1 << 16
"""Characters of output between two kept states, at first; twice as many each time that there are
too many states.
"""
MOST_CELLS: Final = 4 << 20
"""Cells in all kept states: some 32 MiB, but for lines that several of them share."""
FEWEST_STATES: Final = 8
_PIECE: Final = 1 << 12
"""Characters that are interpreted between two looks at the clock."""
_LARGE: Final = 1 << 14
"""Characters of an event beyond which it is taken for several."""

HELP: Final = """\
 space  right  n  PageDown     next chapter
 left   p      PageUp          chapter before
 Home   End                    first and last chapter
 g, a number, Enter            that chapter
 s  a                          play by itself, as fast as it was recorded; again stops
 b  .                          blank the screen
 Escape                        stop where a long way has got to
 q  ctrl+q  ctrl+c             leave

 Any key goes back to the cast."""

_KEYS: Final[dict[str, str]] = {
    **dict.fromkeys((" ", "n", "\x1b[C", "\x1bOC", "\x1b[6~", "\x1b[B", "\x1bOB"), "next"),
    **dict.fromkeys(("p", "\x7f", "\b", "\x1b[D", "\x1bOD", "\x1b[5~", "\x1b[A", "\x1bOA"), "back"),
    **dict.fromkeys(("\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~"), "first"),
    **dict.fromkeys(("\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~"), "last"),
    **dict.fromkeys("bB.", "blank"),
    **dict.fromkeys("sa", "play"),
    **dict.fromkeys(("g", "?", "q"), ""),
    "\x03": "interrupt",
    "\x1a": "suspend",
    "\x11": "q",
    "\x1b": "escape",
}
_SEQUENCE: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO.|\x1b[^\x1b]|.", re.DOTALL)


def keys_of(data: bytes) -> Iterator[str]:
    """What was pressed: `next`, `back`, `first`, `last`, `blank`, `play`, `interrupt`, `suspend`,
    `enter`, `escape`, or the character itself; what is unknown is left out.
    """
    for part in _SEQUENCE.findall(data.decode("utf-8", "replace")):
        if part in "\r\n":
            yield "enter"
        elif part in _KEYS:
            yield _KEYS[part] or part
        elif len(part) == 1 and part.isprintable():
            yield part


class _Contents:
    """The chapters of a cast that is being read.

    From each marker to the next, and what comes before the first if it shows anything. A cast
    without markers is cut into parts of `WITHOUT_MARKERS` seconds.

    Attributes:
        opening: Something is shown before the first marker.
        output: Something is shown at all.
    """

    def __init__(self) -> None:
        self.opening = False
        self.output = False
        self._markers: list[tuple[int, float, str]] = []
        self._parts: list[tuple[int, float, str]] = []
        self._due = 0.0
        self._count = 0
        self._found: tuple[Chapter, ...] | None = ()

    def add(self, events: Iterable[CastEvent]) -> None:
        """The next events."""
        for place, event in enumerate(events, self._count):
            self._count += 1
            if event.code == "m":
                self._markers.append((place, event.t, keep_colours(event.data)))
            elif event.code == "o":
                self.output = True
                if self._markers:
                    continue
                self.opening = True
                if event.t >= self._due:
                    label = f"from {int(event.t) // 60}:{event.t % 60:04.1f}"
                    self._parts.append((place, event.t, label))
                    self._due = event.t - event.t % WITHOUT_MARKERS + WITHOUT_MARKERS
        self._found = None

    @property
    def chapters(self) -> tuple[Chapter, ...]:
        """The chapters so far; the last one goes on as long as events come."""
        if self._found is None:
            begins = list(self._markers or self._parts)
            if self._markers and self.opening:
                begins.insert(0, (0, 0.0, ""))
            elif begins and not self._markers:
                begins[0] = (0, *begins[0][1:])
            ends = [*begins, (self._count, 0.0, "")]
            self._found = tuple(
                Chapter(t, label, at, end) for (at, t, label), (end, _, _) in pairwise(ends)
            )
        return self._found

    @property
    def marked(self) -> bool:
        """Whether it has markers."""
        return bool(self._markers)


class EventSource(Protocol):
    """Where a tape's events come from."""

    width: int
    height: int
    complete: bool

    @property
    def share(self) -> float:
        """How much was read, from 0 to 1."""

    def read(self) -> list[CastEvent]:
        """The next events."""


class Tape:
    """Where one is in a cast, and what its screen shows there.

    `go_to_chapter`, `step` and their like say where one wants to be; `do_work` gets there, in
    slices, and reads on and prepares the rest of the cast when there is nothing else to do.

    Args:
        source: What to play; it is read as one goes.

    Attributes:
        screen: What is shown.
        place: The event that would be played next.
    """

    def __init__(self, source: EventSource) -> None:
        self._source = source
        self._events: list[CastEvent] = []
        self._times = array("d")
        self._sizes = array("Q", [0])
        """Characters of output before each event, and in all."""
        self._contents = _Contents()
        self.screen = CastScreen(source.width, source.height)
        self.place = 0
        self._scout = CastScreen(source.width, source.height)
        """Goes ahead of the viewer, and keeps states."""
        self._scout_at = 0
        self._states: list[tuple[int, ScreenState]] = [(0, self.screen.copy_state())]
        self._spacing = SPACING
        self._wanted: int | None = 0
        """The event before which one wants to be; None for the end of the cast."""

    # Where one can be.

    @property
    def chapters(self) -> tuple[Chapter, ...]:
        """The chapters that were read so far."""
        return self._contents.chapters

    @property
    def first(self) -> int:
        """The number of the first chapter: 1, or 0 for what is shown before the first marker."""
        return 0 if self._contents.marked and self._contents.opening else 1

    @property
    def complete(self) -> bool:
        """Whether all of the cast was read."""
        return self._source.complete

    @property
    def shows_something(self) -> bool:
        """Whether of what was read anything writes to the screen."""
        return self._contents.output

    @property
    def chapter(self) -> int:
        """Place of the chapter that is shown, from 0."""
        ends = [chapter.end for chapter in self.chapters]
        return min(bisect_left(ends, self.place), max(0, len(ends) - 1))

    @property
    def at_end(self) -> bool:
        """Whether everything was played."""
        return self.complete and self.place >= len(self._events)

    @property
    def busy(self) -> bool:
        """Whether one is not yet where one wants to be."""
        return self.place != self._wanted_place or (self._wanted is None and not self.complete)

    @property
    def idle(self) -> bool:
        """Whether there is nothing left to be done: all was read, and the way to each place is
        short.
        """
        return not self.busy and self.complete and self._scout_at >= len(self._events)

    @property
    def _wanted_place(self) -> int:
        return len(self._events) if self._wanted is None else min(self._wanted, len(self._events))

    @property
    def share(self) -> float:
        """How much of the way to where one wants to be is done, from 0 to 1."""
        if self._wanted is None and not self.complete:
            return self._source.share / 2
        whole = self._sizes[self._wanted_place] or 1
        return min(1.0, 0.5 + self._sizes[self._scout_at] / whole / 2)

    @property
    def time(self) -> float:
        """Seconds from the beginning to what is shown."""
        return self._times[self.place - 1] if self.place else 0.0

    @property
    def next_time(self) -> float | None:
        """When the next event comes, in seconds from the beginning; None if none was read yet."""
        return self._times[self.place] if self.place < len(self._times) else None

    # Where one wants to be.

    def go_to_chapter(self, number: int) -> None:
        """Show a chapter as it is at its end; one beyond what was read so far is the last one of
        these.
        """
        chapters = self.chapters
        self._wanted = chapters[max(0, min(number, len(chapters) - 1))].end if chapters else 0

    def go_to_end(self) -> None:
        """Show the last chapter at its end, also if it has not been read yet."""
        self._wanted = None

    def go_to_time(self, seconds: float) -> None:
        """Show what is shown so many seconds after the beginning."""
        self._wanted = max(self.place, bisect_right(self._times, seconds))

    def stay_here(self) -> None:
        """Want to be where one is."""
        self._wanted = self.place

    # The way there.

    def do_work(self, seconds: float) -> bool:
        """Do the next of what is to be done, for so long or a little longer.

        Returns:
            Whether the screen shows something else than before.
        """
        until = time.monotonic() + seconds
        shown = self.place
        while True:
            if not self.complete and (
                self._wanted is None or self._wanted >= len(self._events) or not self.busy
            ):
                self._read_events()
            elif self.busy:
                self._approach_target(until)
            elif self._scout_at < len(self._events):
                self._advance_scout(len(self._events), until)
            if time.monotonic() >= until or self.idle:
                return self.place != shown

    def _read_events(self) -> None:
        events = self._source.read()
        size = self._sizes[-1]
        events = [part for event in events for part in _split_event(event)]
        for event in events:
            size += len(event.data) if event.code == "o" else 1
            self._sizes.append(size)
            self._times.append(event.t)
        self._events += events
        self._contents.add(events)
        if self._wanted == 0 and self.place == 0 and (len(self.chapters) > 1 or self.complete):
            self.go_to_chapter(0)  # the first chapter is known now

    def _approach_target(self, until: float) -> None:
        """Go on to where one wants to be, from here, from a kept state, or from where the scout
        is.
        """
        wanted = self._wanted_place
        ahead = self._sizes[wanted] - self._sizes[self.place] if wanted >= self.place else None
        if ahead is None or ahead > self._spacing:
            if (
                self._scout_at < wanted
                and self._sizes[wanted] - self._sizes[self._scout_at] > self._spacing
            ):
                # Not shown yet: what lies between is nothing that the viewer wants to see.
                self._advance_scout(wanted, until)
                return
            at, state = self._states[bisect_right(self._states, wanted, key=_place_of) - 1]
            if ahead is None or at > self.place:
                self.screen.go_to(state)
                self.place = at
        self.place = self._play_events(self.screen, self.place, wanted, until)

    def _advance_scout(self, end: int, until: float) -> None:
        """Let the scout go on, and keep what it sees now and then."""
        while self._scout_at < end:
            kept_at = self._sizes[self._states[-1][0]]
            due = bisect_left(self._sizes, kept_at + self._spacing, lo=self._scout_at)
            self._scout_at = self._play_events(self._scout, self._scout_at, min(end, due), until)
            if self._sizes[self._scout_at] >= kept_at + self._spacing:
                self._keep_state()
            if time.monotonic() >= until:
                break  # at the end of the loop: however short the slice is, it gets on

    def _keep_state(self) -> None:
        state = self._scout.copy_state(self._states[-1][1])
        self._states.append((self._scout_at, state))
        columns, lines = state.size
        if len(self._states) > max(FEWEST_STATES, MOST_CELLS // (columns * lines)):
            # The first and the last one stay; between, every second one goes.
            self._states = [*self._states[:-1:2], self._states[-1]]
            self._spacing *= 2

    def _play_events(self, screen: CastScreen, at: int, end: int, until: float) -> int:
        """Have a screen do events from `at` to before `end`, until the time is up; where that got
        to.
        """
        done = 0
        while at < end:
            event = self._events[at]
            at += 1
            if event.code == "o":
                screen.feed(event.data)
                done += len(event.data)
            elif event.code == "r":
                size = _size_of(event.data)
                if size is not None:
                    screen.resize(size[1], size[0])
            if done > _PIECE:
                done = 0
                if time.monotonic() >= until:
                    break
        return at


def _split_event(event: CastEvent) -> Iterator[CastEvent]:
    """An event as several, each of which is interpreted in a moment."""
    if event.code != "o" or len(event.data) <= _LARGE:
        yield event
        return
    for at in range(0, len(event.data), _LARGE):
        yield CastEvent(event.t, "o", event.data[at : at + _LARGE], event.line)


def _place_of(kept: tuple[int, ScreenState]) -> int:
    return kept[0]


def _size_of(text: str) -> tuple[int, int] | None:
    """Columns and rows from a text such as 80x24; None if it is none, or too large."""
    found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    if found is None:
        return None
    columns, rows = int(found[1]), int(found[2])
    return (columns, rows) if 1 <= columns <= MOST_COLUMNS and 1 <= rows <= MOST_ROWS else None
