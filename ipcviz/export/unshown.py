"""What of a cast `ipcviz play` can't show: pictures, links, and whatever else its screen has no
place for. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from ipcviz.export.cast import CastEvent
from ipcviz.export.control import Parser, numbers_of
from ipcviz.export.screen import ESCAPES, WITH_NUMBER, WITH_PARAMETERS

_WITHOUT_EFFECT: Final = frozenset({
    "c", ">c", "=c", "n", "?n", "t", ">t", "q", ">q", "i", "?i", "x", "y", "?S", "$p", "?$p", ">m",
    "?m", ">n", ">p",
    ">f", ">u", "<u", "=u", "?u", "?s", "?r", "?g", " q", '"p', '"q', "&w", "'z", "'{", "'w", "'|",
    "*|", "$|", " t",
    " u", "%m", "#p", "#q", "#|", "$w", "$u",
})  # fmt: skip
"""Control sequences that ask, or tell of keyboard, mouse, cursor's shape, printer and window: a
screen shows none.
"""
_PICTURES: Final = (
    ("P", re.compile(r"[0-9;]*q"), "sixel pictures"),
    ("P", re.compile(r"[0-9;]*p"), "ReGIS pictures"),
    ("P", re.compile(r"[0-9;]*\{"), "character sets of its own"),
    ("_", re.compile(r"G"), "kitty pictures"),
    ("]", re.compile(r"1337;(?:File|MultipartFile)="), "iTerm2 pictures"),
    ("]", re.compile(r"8;[^;]*;."), "links (OSC 8)"),
    ("]", re.compile(r"(?:[45];\d+|1[0-9]);(?!\?)"), "changed palettes (OSC 4, 10, 11 ...)"),
)


class Unshown(NamedTuple):
    """Something that can't be shown.

    Attributes:
        what: What it is, in the plural.
        times: How often.
        line: Where first: the number of a line, from 1; 0 if it has none of its own.
    """

    what: str
    times: int
    line: int


def find_unshown(events: Iterable[CastEvent]) -> list[Unshown]:
    """What of a cast's output can't be shown, by its first line."""
    finder = _UnshownCounter()
    parser = Parser(finder)
    for event in events:
        if event.code == "o":
            finder.line = event.line
            parser.feed(event.data)
    found = [Unshown(what, count, line) for what, (count, line) in finder.found.items()]
    return sorted(found, key=lambda unshown: unshown.line)


class _UnshownCounter:
    """Hears of all parts of the output, and counts."""

    def __init__(self) -> None:
        self.line = 0
        self.found: dict[str, tuple[int, int]] = {}

    def _count_unshown(self, what: str) -> None:
        count, line = self.found.get(what, (0, self.line))
        self.found[what] = count + 1, line

    def draw(self, data: str) -> None:
        """Text can be shown."""

    def do_control(self, data: str) -> None:
        """Controls of one character can be done."""

    def do_escape(self, kind: str, final: str) -> None:
        """Of escape sequences lines of double size and national characters can't be shown."""
        if kind == "#" and final in "346":
            self._count_unshown("lines of double size")
        elif kind in ("(", ")", "*", "+") and final not in "0ABU":
            self._count_unshown("national character sets")
        elif not kind and final in "nolNOVW~}|" and final not in ESCAPES:
            self._count_unshown("shifts to further character sets")

    def do_sequence(self, key: str, parameters: str) -> None:
        """Of control sequences those can't be shown that the screen does not know."""
        if key in ("?h", "?l"):
            numbers = numbers_of(parameters)
            if 3 in numbers:
                self._count_unshown("changes to 132 columns")
            if 69 in numbers and key == "?h":
                self._count_unshown("left and right margins")
        elif key not in WITH_NUMBER and key not in WITH_PARAMETERS and key not in _WITHOUT_EFFECT:
            self._count_unshown("control sequences that the player does not know")

    def do_string(self, kind: str, head: str) -> None:
        """Of control strings pictures, links, and other colours of the palette can't be shown."""
        for its, pattern, what in _PICTURES:
            if its == kind and pattern.match(head):
                self._count_unshown(what)
                return
