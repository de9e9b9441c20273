"""What the command wrote to its terminal, as lines of text in bounded memory.

No emulator: the picture of a full-screen program is not drawn. Escape sequences are left out, a
carriage return starts the line again, and what is not text is made visible.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

LINES_KEPT: Final = 2_000
COLUMNS_KEPT: Final = 1_000

# ECMA-48: CSI, OSC and the other strings (ended by BEL or ST), and escapes of two or three
# characters.
_ESCAPE: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|["
    r" -/]+[0-~]|[0-OQ-WYZ\\`-~=><])"
)
_UNFINISHED: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)$")
_PARTS: Final = re.compile(r"[^\x00-\x1f\x7f]+|[\x00-\x1f\x7f]")
# Controls of eight bits, and what turns the reading direction or takes no room.
_UNPRINTABLE: Final = re.compile(
    "[\x80-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_LONGEST_ESCAPE: Final = 4_096


class Terminal:
    """Lines of output.

    Attributes:
        lines: The finished lines that are kept, oldest first.
        current: The line that is being written.
        forgotten: How many lines were dropped from the front.
        version: Raised with every change.
        bytes: How many bytes came in all.
        more: Whether what came before these lines can be had, too.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.current = ""
        self.forgotten = 0
        self.version = 0
        self.bytes = 0
        self.more = False
        self._column = 0
        self._held = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def begin_at(self, size: int) -> None:
        """What comes next follows so many bytes that are not told."""
        self.bytes = size
        self.lines.append("[what was written before this is shown at earlier moments]")

    def feed(self, data: bytes, dropped: int = 0) -> None:
        """Take in what was written; `dropped` bytes before it are not known."""
        self.version += 1
        self.bytes += len(data) + dropped
        if dropped:
            if self.current:
                self._end_line()
            self.lines.append(f"[{dropped:,} bytes were not kept]")
        text = self._held + self._decoder.decode(data)
        self._held = ""
        text = _ESCAPE.sub("", text)
        rest = _UNFINISHED.search(text)
        if rest is not None and len(rest.group()) < _LONGEST_ESCAPE:
            self._held = rest.group()
            text = text[: rest.start()]
        *whole, last = text.split("\n")
        if len(whole) > LINES_KEPT:
            self.current, self._column = "", 0
            self.forgotten += len(whole) - LINES_KEPT
            whole = whole[-LINES_KEPT:]
        for line in whole:
            self._write_parts(line)
            self._end_line()
        self._write_parts(last)
        if len(self.lines) > LINES_KEPT + LINES_KEPT // 10:
            forget = len(self.lines) - LINES_KEPT
            del self.lines[:forget]
            self.forgotten += forget

    def _write_parts(self, text: str) -> None:
        for part in _PARTS.findall(text):
            self._write_part(part)

    def _write_part(self, part: str) -> None:
        if part == "\r":
            self._column = 0
        elif part == "\b":
            self._column = max(0, self._column - 1)
        elif part == "\t":
            self._write_text(" " * (8 - self._column % 8))
        elif part == "\x07":
            pass
        elif part < " " or part == "\x7f":
            self._write_text(f"^{chr(ord(part) ^ 64)}")
        else:
            self._write_text(
                part if part.isprintable() else _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", part)
            )

    def _write_text(self, text: str) -> None:
        room = COLUMNS_KEPT - self._column
        text = text[: max(0, room)]
        line = (
            self.current.ljust(self._column) if len(self.current) < self._column else self.current
        )
        self.current = line[: self._column] + text + line[self._column + len(text) :]
        self._column += len(text)

    def _end_line(self) -> None:
        self.lines.append(self.current)
        self.current = ""
        self._column = 0

    def list_last_lines(self, count: int) -> list[str]:
        """The last `count` lines, the unfinished one among them."""
        lines = self.lines[-count:] if count else []
        return [*lines, self.current][-count:] if self.current else lines
