"""The colours of a frame with as few bytes as can be: only what changes from one character to the
next is written.

Pure. A frame is drawn row by row from a plain pen (SGR 0), so what was written last still holds
where the next row begins.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ipcviz.export.control import Parser
from ipcviz.export.escapes import TextAndColours

_ENDS: Final = {
    "22": ("1", "2"),
    "23": ("3",),
    "24": ("4", "21"),
    "25": ("5", "6"),
    "27": ("7",),
    "28": ("8",),
    "29": ("9",),
}
"""What ends an attribute, and which (ECMA-48, 8.3.117)."""
_ON_BLANKS: Final = frozenset({"4", "7", "9", "21"})
"""Attributes that show on a blank: underlined, reversed, crossed out."""


class _Style(msgspec.Struct, frozen=True):
    """How a character is drawn: parameters of SGR for both colours, empty for the terminal's own,
    and the other attributes.
    """

    foreground: str = ""
    background: str = ""
    attributes: frozenset[str] = frozenset()


_PLAIN: Final = _Style()
_replace = msgspec.structs.replace


class ColourWriter(TextAndColours):
    """Gathers a frame's text and writes a colour only where it differs from the one before."""

    def __init__(self) -> None:
        super().__init__()
        self._wanted = self._written = _PLAIN

    def add_row(self, row: str, place: str) -> None:
        """Add a row. Its colours begin plain, as a terminal's line renderer leaves them.

        Args:
            row: Text with colours; anything else is left out.
            place: What moves the cursor to its beginning.
        """
        self._wanted = _PLAIN
        self.parts.append(place)
        Parser(self).feed(row)

    def draw(self, data: str) -> None:
        """Text, in the wanted style."""
        wanted, written = self._wanted, self._written
        shows = (wanted.attributes | written.attributes) & _ON_BLANKS
        if not data.strip(" ") and not shows:
            # A blank shows its background alone.
            wanted = _replace(written, background=wanted.background)
        if wanted != written:
            self.parts.append(_write_change(written, wanted))
            self._written = wanted
        super().draw(data)

    def do_sequence(self, key: str, parameters: str) -> None:
        """A colour changes what is wanted; nothing else passes."""
        if key == "m":
            self._wanted = _apply_parameters(self._wanted, parameters)


def _write_change(before: _Style, after: _Style) -> str:
    """The sequence that leads from one style to another; from plain where something must go."""
    words: list[str] = []
    lost = before.attributes - after.attributes
    if (
        lost
        or (before.foreground and not after.foreground)
        or (before.background and not after.background)
    ):
        before, words = _PLAIN, ["0"]
    words += sorted(after.attributes - before.attributes)
    if after.foreground != before.foreground:
        words.append(after.foreground)
    if after.background != before.background:
        words.append(after.background)
    return f"\x1b[{';'.join(words)}m"


def _apply_parameters(style: _Style, parameters: str) -> _Style:
    """The style after one SGR sequence."""
    words = [word.lstrip("0") or "0" for word in parameters.split(";")]
    while words:
        word = words.pop(0)
        if word in ("38", "48"):
            taken = 4 if words[:1] == ["2"] else 2
            text, words = ";".join((word, *words[:taken])), words[taken:]
            field = "foreground" if word == "38" else "background"
            style = _replace(style, **{field: text})
        elif word == "0":
            style = _PLAIN
        elif word in _ENDS:
            style = _replace(style, attributes=style.attributes.difference(_ENDS[word]))
        elif word in ("39", "49"):
            field = "foreground" if word == "39" else "background"
            style = _replace(style, **{field: ""})
        elif word.isdigit() and (30 <= int(word) <= 37 or 90 <= int(word) <= 97):
            style = _replace(style, foreground=word)
        elif word.isdigit() and (40 <= int(word) <= 47 or 100 <= int(word) <= 107):
            style = _replace(style, background=word)
        else:
            style = _replace(style, attributes=style.attributes | {word})
    return style
