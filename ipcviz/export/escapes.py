"""What may go to a viewer's terminal out of a text that anybody may have made: text and its colours
(SGR).
"""

from __future__ import annotations

from ipcviz.export.control import DROPPED, Parser


def keep_colours(text: str) -> str:
    """A text without anything but characters and colours; a sequence that is not complete is
    dropped.
    """
    kept = TextAndColours()
    Parser(kept).feed(text)
    return "".join(kept.parts)


class TextAndColours:
    """Takes what a parser finds, and keeps text and colours alone.

    Attributes:
        parts: What passed.
    """

    def __init__(self) -> None:
        self.parts: list[str] = []

    def draw(self, data: str) -> None:
        """Text."""
        self.parts.append(data.translate(_WITHOUT))

    def do_control(self, data: str) -> None:
        """A control moves the cursor, or rings: none passes."""

    def do_escape(self, kind: str, final: str) -> None:
        """No escape sequence passes."""

    def do_sequence(self, key: str, parameters: str) -> None:
        """A control sequence passes if it is a colour."""
        if key == "m":
            self.parts.append(f"\x1b[{parameters}m")

    def do_string(self, kind: str, head: str) -> None:
        """No control string passes."""


_WITHOUT = dict.fromkeys([*map(ord, DROPPED), *range(0xD800, 0xE000)])
