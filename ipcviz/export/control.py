"""Text for a terminal, taken apart: what is written, and control functions (ECMA-48, and what xterm
adds).

Nothing is done here: a `Listener` hears of each part in order. A sequence may come in parts; one
that is cut short by something else, or too long to be one, is dropped.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

DROPPED: Final = frozenset(
    "\u200b\u2028\u2029\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
"""Characters that are no part of a cell: they turn the reading direction, or break lines."""

_LONGEST: Final = 256
"""Characters of a control sequence; a longer one is none."""
_KEPT: Final = 64
"""Characters of a control string that a listener is told of: enough to tell what it is."""

_TOKEN: Final = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
    r"|\x1b\[(?P<private>[<-?]?)(?P<parameters>[0-9:;]{0,256})(?P<between>["
    r" -/]{0,4})(?P<final>[@-~])"
    r"|(?P<control>[\x07-\x0f])"
    r"|\x1b(?P<kind>[ -/]{0,4})(?P<end>[0-OQ-WYZ\\`-jl-~])"
)
"""What can be told of at once: text, a control sequence, a control, an escape sequence."""
_STRING: Final = re.compile(r"\x1b([\]PX^_k])")
"""The beginning of a control string: OSC, DCS, SOS, PM, APC, and screen's name of a window."""
_ENDS: Final = {"]": re.compile("[\x07\x18\x1a\x1b\x9c]"), "": re.compile("[\x18\x1a\x1b\x9c]")}
"""What ends a control string: an escape in any case; BEL only an OSC."""
_WITH_CONTROLS: Final = re.compile(r"\x1b\[[ -?\x00-\x17\x19\x1c-\x1f\x7f]*")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f]")
_BEGUN: Final = re.compile(r"\x1b(?:\[[ -?]*|[ -/]*)")


class Listener(Protocol):
    """Hears of what a text for a terminal consists of."""

    def draw(self, data: str) -> None:
        """Text without controls."""

    def do_control(self, data: str) -> None:
        """A control of one character, from BEL to SI."""

    def do_escape(self, kind: str, final: str) -> None:
        """An escape sequence: characters between (`(`, `#`), and the one that ends it."""

    def do_sequence(self, key: str, parameters: str) -> None:
        """A control sequence: its private mark, what is between, and its final character in one;
        its parameters.
        """

    def do_string(self, kind: str, head: str) -> None:
        """A control string: its kind (`]` OSC, `P` DCS, `_` APC, `^` PM, `X` SOS, `k`), and its
        first characters.
        """


class Parser:
    """Takes text for a terminal apart.

    Args:
        listener: Who hears of the parts.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._held = ""
        """The beginning of a sequence whose end has not come."""
        self._string = ""
        self._head = ""
        """The kind of the control string that we are in, and its first characters."""
        self._too_long = False

    @property
    def state(self) -> tuple[str, str, str, bool]:
        """Where it is in what came in part; with it set, another parser goes on from here."""
        return self._held, self._string, self._head, self._too_long

    @state.setter
    def state(self, state: tuple[str, str, str, bool]) -> None:
        self._held, self._string, self._head, self._too_long = state

    def feed(self, text: str) -> None:
        """Take the next piece apart."""
        listener, match = self._listener, _TOKEN.match
        if self._held:
            text, self._held = self._held + text, ""
        at, length = 0, len(text)
        while at < length:
            if self._string or self._too_long:
                at = self._pass_over(text, at)
                continue
            found = match(text, at)
            if found is None:
                text, at = self._begin_token(text, at)
                length = len(text)
                continue
            at = found.end()
            which = found.lastgroup
            if which == "text":
                listener.draw(found["text"])
            elif which == "final":
                listener.do_sequence(
                    found["private"] + found["between"] + found["final"], found["parameters"]
                )
            elif which == "control":
                listener.do_control(found["control"])
            else:
                listener.do_escape(found["kind"], found["end"])

    def _begin_token(self, text: str, at: int) -> tuple[str, int]:
        """What is no whole token: the text to go on with, and where."""
        if text[at] != "\x1b":
            return text, at + 1  # a control that does nothing, or one of eight bits
        string = _STRING.match(text, at)
        if string is not None:
            self._string, self._head = string[1], ""
            return text, string.end()
        mixed = _WITH_CONTROLS.match(text, at)
        if mixed is not None and _CONTROLS.search(text, at + 1, mixed.end()):
            # Controls within a sequence act at once, and the sequence goes on (ECMA-48 leaves it
            # open, xterm does so).
            inner = text[at + 1 : mixed.end()]
            for c in _CONTROLS.findall(inner):
                if "\x07" <= c <= "\x0f":
                    self._listener.do_control(c)
            return "\x1b" + _CONTROLS.sub("", inner) + text[mixed.end() :], 0
        begun = _BEGUN.match(text, at)
        assert begun is not None
        if begun.end() - at > _LONGEST:
            self._too_long = True
        elif begun.end() == len(text):
            self._held = begun.group()
        return text, begun.end()

    def _pass_over(self, text: str, at: int) -> int:
        """Go on in a string, or in a sequence that is too long; where that ends."""
        if self._too_long:
            while at < len(text) and " " <= text[at] <= "?":
                at += 1
            if at < len(text):
                self._too_long = False
                return at + ("@" <= text[at] <= "~")
            return at
        end = _ENDS.get(self._string, _ENDS[""]).search(text, at)
        until = len(text) if end is None else end.start()
        if len(self._head) < _KEPT:
            self._head += text[at : min(until, at + _KEPT - len(self._head))]
        if end is None:
            return until
        if end.group() not in "\x18\x1a":
            self._listener.do_string(self._string, self._head)
        self._string = self._head = ""
        # An escape ends a string, and begins what is next: most often ESC \, which does nothing
        # else.
        return until if end.group() == "\x1b" else end.end()


def numbers_of(parameters: str, most: int = 16) -> list[int]:
    """The parameters of a control sequence as numbers: 0 for one that is left out, 9999 for larger
    ones.
    """
    return [
        min(int(part.partition(":")[0][:6] or 0), 9999) for part in parameters.split(";")[:most]
    ]
