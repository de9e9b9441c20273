"""What may go to a viewer's terminal out of a cast that anybody may have made.

A terminal obeys sequences that write the clipboard, answer questions into the shell's input, change its title, its
keyboard or its character set. Only those pass that paint: colours, places, erasing, and four modes (ECMA-48, and
xterm's control sequences for the modes). Nothing passes before it is complete.
"""

from __future__ import annotations

import re
from typing import Final, Literal

MODES: Final = frozenset({"7", "25", "1049", "2026"})
"""Private modes that pass: wrapping, the cursor, the other screen, and holding back until a frame is complete."""

_LONGEST: Final = 256
"""Characters of a control sequence; a longer one is none."""
_TEXT: Final = re.compile(
    r"(?:[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]++|\x1b\[[0-9;:]{0,256}+m)++"
)
"""What passes as it stands: no controls, nothing that turns the reading direction, but whole colours between."""
_SEQUENCE: Final = re.compile(r"(?P<private>[<-?]?)(?P<parameters>[0-9:;]*)")
_MOVES: Final = frozenset("ABCDEFGHdf`")
"""Cursor up, down, right, left, lines down and up, column, place, row (CUU to CUP, VPA, HVP, HPA)."""
_ERASES: Final = {"J": ("", "0", "1", "2"), "K": ("", "0", "1", "2")}
"""Parts of the screen and of a line; 3 would erase what the viewer had scrolled away."""


class Harmless:
    """Lets through what paints, and drops the rest. One for each stream: a sequence may come in parts.

    Args:
        moves: Let the cursor be moved and the screen be erased; without, only text and colours pass.
    """

    def __init__(self, *, moves: bool = True) -> None:
        self._moves = moves
        self._inside: Literal["", "escape", "charset", "control", "long", "string", "string's end"] = ""
        self._sequence = ""

    def feed(self, text: str) -> str:
        """The harmless part of the next piece."""
        found: list[str] = []
        at = 0
        while at < len(text):
            if not self._inside:
                run = _TEXT.match(text, at)
                if run is not None:
                    found.append(run.group())
                    at = run.end()
                    continue
            if self._inside not in ("", "string") and not self._belongs(text[at]):
                # Cut short by something else: what came of the sequence is dropped, and this is looked at anew.
                self._inside = ""
                continue
            found.append(self._take(text[at]))
            at += 1
        return "".join(found)

    def _belongs(self, c: str) -> bool:
        """Whether a character can go on what has begun."""
        return " " <= c <= "~"

    def _take(self, c: str) -> str:
        """One character that is no plain text."""
        match self._inside:
            case "":
                if c == "\x1b":
                    self._inside = "escape"
                return c if c in "\b\t\n\r" and self._moves else ""
            case "escape":
                self._sequence = ""
                if c == "[":
                    self._inside = "control"
                elif c in "]PX^_":
                    self._inside = "string"
                else:
                    self._inside = "charset" if c <= "/" else ""
            case "charset":
                self._inside = "charset" if c <= "/" else ""
            case "control" | "long":
                return self._parameter(c)
            case "string":
                if c == "\x1b":
                    self._inside = "string's end"
                elif c in "\x07\x18\x1a\x9c":
                    self._inside = ""
            case "string's end":
                # An escape ends a string in any case; a backslash belongs to that end, anything else to what is next.
                self._inside = ""
                if c != "\\":
                    self._inside = "escape"
                    return self._take(c)
        return ""

    def _parameter(self, c: str) -> str:
        if c > "?":
            complete, self._inside = self._inside == "control", ""
            return self._control(c) if complete else ""
        self._sequence += c
        if len(self._sequence) > _LONGEST:
            self._inside, self._sequence = "long", ""
        return ""

    def _control(self, final: str) -> str:
        """A complete control sequence, as far as it may pass."""
        parts = _SEQUENCE.fullmatch(self._sequence)
        if parts is None:
            return ""
        parameters = parts["parameters"]
        if parts["private"]:
            modes = [mode for mode in parameters.split(";") if mode in MODES]
            wanted = parts["private"] == "?" and final in "hl" and self._moves and modes
            return f"\x1b[?{';'.join(modes)}{final}" if wanted else ""
        if final == "m":
            return f"\x1b[{parameters}m"
        if not self._moves or ":" in parameters:
            return ""
        if final in _MOVES or final == "X" or parameters in _ERASES.get(final, ()):
            return f"\x1b[{parameters}{final}"
        return ""
