"""A cast as chapters to go through, and the keys of class. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from ipcviz.export.cast import CLEAR, HIDE, PLAIN, Cast, Chapter
from ipcviz.export.escapes import Harmless

WITHOUT_MARKERS: Final = 5.0
"""Seconds of a chapter in a cast that has no markers."""

HELP: Final = """\
 space  right  n  PageDown     next chapter
 left   p      PageUp          chapter before
 Home   End                    first and last chapter
 g, a number, Enter            that chapter
 s  a                          play by itself, as fast as it was recorded; again stops
 b  .                          blank the screen
 q  ctrl+c                     leave

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
    "\x1b": "escape",
}
_SEQUENCE: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO.|\x1b[^\x1b]|.", re.DOTALL)


def keys_of(data: bytes) -> Iterator[str]:
    """What was pressed: `next`, `back`, `first`, `last`, `blank`, `play`, `interrupt`, `suspend`, `enter`, `escape`, or
    the character itself; what is unknown is left out.
    """
    for part in _SEQUENCE.findall(data.decode("utf-8", "replace")):
        if part in "\r\n":
            yield "enter"
        elif part in _KEYS:
            yield _KEYS[part] or part
        elif len(part) == 1 and part.isprintable():
            yield part


def chapters_of(cast: Cast) -> tuple[Chapter, ...]:
    """A cast's chapters: from each marker to the next, and what comes before the first if it shows anything.

    A cast without markers is cut into parts of `WITHOUT_MARKERS` seconds.
    """
    events = cast.events
    begins = [(place, event.t, event.data) for place, event in enumerate(events) if event.code == "m"]
    if not begins:
        begins, due = [], 0.0
        for place, event in enumerate(events):
            if event.code == "o" and event.t >= due:
                begins.append((place, event.t, f"from {int(event.t) // 60}:{event.t % 60:04.1f}"))
                due = event.t - event.t % WITHOUT_MARKERS + WITHOUT_MARKERS
    first = begins[0][0] if begins else len(events)
    if any(event.code == "o" for event in events[:first]):
        begins.insert(0, (0, 0.0, ""))
    ends = [*begins, (len(events), 0.0, "")]
    return tuple(
        Chapter(t, Harmless(moves=False).feed(label), place, end) for (place, t, label), (end, _, _) in pairwise(ends)
    )


def size_of(cast: Cast) -> tuple[int, int]:
    """Columns and rows that a terminal needs for the whole cast."""
    columns, rows = cast.width, cast.height
    for event in cast.events:
        found = re.fullmatch(r"(\d{1,4})x(\d{1,4})", event.data) if event.code == "r" else None
        if found:
            columns, rows = max(columns, int(found[1])), max(rows, int(found[2]))
    return columns, rows


class Tape:
    """Where one is in a cast, and what to write to a terminal to get elsewhere: nothing but what is harmless.

    Args:
        cast: What to play.

    Attributes:
        chapters: Its chapters.
        first: The number of the first one: 1, or 0 for what is shown before the first marker.
        place: The event that would be played next.
    """

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        self.chapters = chapters_of(cast)
        self._ends = [chapter.end for chapter in self.chapters]
        opening = bool(self.chapters) and cast.events[self.chapters[0].first].code != "m"
        self.first = 0 if opening and any(event.code == "m" for event in cast.events) else 1
        self.place = 0
        self._filter = Harmless()

    @property
    def chapter(self) -> int:
        """Place of the chapter that is shown, from 0."""
        return min(bisect_left(self._ends, self.place), max(0, len(self._ends) - 1))

    @property
    def at_end(self) -> bool:
        """Whether everything was played."""
        return self.place >= len(self.cast.events)

    def go(self, number: int) -> str:
        """Show a chapter as it is at its end."""
        number = max(0, min(number, len(self.chapters) - 1))
        end = self.chapters[number].end if self.chapters else 0
        if end < self.place:
            return self._again(end)
        return self._play(end)

    def again(self) -> str:
        """Show what is shown once more, on a screen that has something else on it."""
        return self._again(self.place)

    def step(self) -> str:
        """Play the next event."""
        return self._play(min(self.place + 1, len(self.cast.events)))

    def wait(self) -> float:
        """Seconds between what is shown and the next event."""
        events, place = self.cast.events, self.place
        if not 0 < place < len(events):
            return 0.0
        return max(0.0, events[place].t - events[place - 1].t)

    def _again(self, end: int) -> str:
        # A frame that we have made stands for all before it; any other cast is played from its beginning.
        self.place, self._filter = 0, Harmless()
        for place in range(end - 1, -1, -1):
            event = self.cast.events[place]
            if event.code == "o" and self.cast.whole_frames and event.data.removeprefix(CLEAR).startswith(HIDE):
                self.place = place
                break
        return f"{PLAIN}{CLEAR}{self._play(end)}"

    def _play(self, end: int) -> str:
        events = self.cast.events[self.place : end]
        self.place = max(end, self.place)
        text = "".join(self._filter.feed(event.data) for event in events if event.code == "o")
        # The other screen is the player's own: to leave it would show the viewer's shell.
        return _OTHER_SCREEN.sub(f"{PLAIN}{CLEAR}", text)


_OTHER_SCREEN: Final = re.compile(r"\x1b\[\?(?:[0-9;]*;)?1049(?:;[0-9;]*)?[hl]")
