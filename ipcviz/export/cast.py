"""A cast: a recorded terminal, in the format asciicast.

Version 2 is written: every player reads that one.

The file is lines of JSON: a header, then events `[seconds, code, text]`. What code `o` holds goes
to the terminal; an `m` is a marker, here the beginning of a chapter. Each chapter's marker stands
right before its frame: a player that pauses at markers still shows what was before, and the next
key shows what became of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import IO, Final

import msgspec

from ipcviz.export.colours import ColourWriter

MOST_COLUMNS: Final = 1_000
MOST_ROWS: Final = 500

HIDE: Final = "\x1b[?25l\x1b[?7l\x1b[0m"
"""Before each frame: no cursor, no wrapping, no colour left over."""
PLAIN: Final = "\x1b[0m"
CLEAR: Final = "\x1b[H\x1b[2J"
SHOW: Final = "\x1b[?7h\x1b[?25h"
"""At the end: the cursor and the wrapping as they are by default."""

_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


class CastError(Exception):
    """A file is no cast, or a cast that players would stumble over.

    Attributes:
        message: One sentence: what is wrong.
        line: Number of the line, from 1; 0 if it is about the file as a whole.
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class CastEvent(msgspec.Struct, frozen=True):
    """An event: seconds since the beginning, what it is (`o`, `i`, `m`, `r`, `x`), and its text."""

    t: float
    code: str
    data: str
    line: int = 0
    """Number of its line in the file, from 1; 0 if it has none of its own."""


class Chapter(msgspec.Struct, frozen=True):
    """A part of a cast, from a marker to the next one.

    Attributes:
        t: Where it begins, in seconds.
        label: What the marker says; empty before the first one.
        first: Place of its first event.
        end: Place of the event after its last one.
    """

    t: float
    label: str
    first: int
    end: int


class CastTheme(msgspec.Struct, frozen=True):
    """Colours of the terminal that it is shown in, `#rrggbb` each; `palette` has 8 or 16."""

    fg: str
    bg: str
    palette: tuple[str, ...] = ()


class Cast(msgspec.Struct, frozen=True):
    """A cast that was read.

    Attributes:
        version: 1, 2 or 3.
        width: Columns.
        height: Rows.
        title: Its title; empty if it has none.
        events: In order; times never decrease.
        trouble: What is wrong with its file, and was made the best of; empty if nothing is.
    """

    version: int
    width: int
    height: int
    title: str = ""
    events: tuple[CastEvent, ...] = ()
    trouble: str = ""

    @property
    def duration(self) -> float:
        """Seconds from the beginning to the last event."""
        return self.events[-1].t if self.events else 0.0


class CastWriter:
    """Writes a cast, line by line: what was written so far is a cast, whatever happens next.

    Args:
        file: Where to; the caller closes it.
        width: Columns.
        height: Rows.
        title: What it shows.
        look: The colours of the terminal, for players that can choose them.
        about: What ipcviz wants to know of it later, in a key of its own that players ignore.
    """

    def __init__(
        self,
        file: IO[bytes],
        width: int,
        height: int,
        *,
        title: str = "",
        look: CastTheme | None = None,
        about: Mapping[str, str] | None = None,
    ) -> None:
        self._file = file
        self._t = 0.0
        self._begun = False
        self._frame = ""
        self._rows: list[str] = []
        self._made = ""
        self.frames = 0
        """How many were written."""
        self.size = 0
        """Bytes that were written."""
        # No time stamp: the same trace is to make the same bytes.
        header: dict[str, object] = {"version": 2, "width": width, "height": height}
        if title:
            header["title"] = one_line(title)
        if look is not None:
            header["theme"] = {"fg": look.fg, "bg": look.bg, "palette": ":".join(look.palette)}
        if about:
            header["ipcviz"] = dict(about)
        self._write_line(header)

    def write_marker(self, t: float, label: str) -> None:
        """A chapter begins: `label` says what happens in it.

        Write its frame next, with the same time.
        """
        self._write_event(t, "m", one_line(label))

    def is_different(self, rows: Sequence[str]) -> bool:
        """Whether a frame would differ from the one before."""
        return self._build_body(rows) != self._frame

    def write_frame(self, t: float, rows: Sequence[str]) -> bool:
        """A whole frame: what each row shows, with its colours; anything but colours is left out of
        it.

        Returns:
            Whether it was written: one that is equal to the one before is not.
        """
        body = self._build_body(rows)
        if body == self._frame:
            return False
        self._frame = body
        self._write_event(t, "o", f"{'' if self._begun else CLEAR}{HIDE}{body}{PLAIN}")
        self._begun = True
        self.frames += 1
        return True

    def _build_body(self, rows: Sequence[str]) -> str:
        """A frame's rows, each with its place.

        The last one is remembered, since it is often asked for twice.
        """
        if rows != self._rows:
            self._rows = list(rows)
            writer = ColourWriter()
            for y, row in enumerate(rows, 1):
                writer.add_row(row, f"\x1b[{y};1H")
            self._made = "".join(writer.parts)
        return self._made

    def write_size(self, t: float, width: int, height: int) -> None:
        """The terminal has another size from here on; write a frame of that size next."""
        self._write_event(t, "r", f"{width}x{height}")
        self._begun, self._frame = False, ""

    def write_end(self, t: float) -> None:
        """The last event: players show the last chapter until then."""
        self._write_event(t, "o", f"{PLAIN}{SHOW}")

    def _write_event(self, t: float, code: str, data: str) -> None:
        # Times are never less than the ones before: players take that for granted.
        self._t = max(self._t, round(t, 6))
        self._write_line([self._t, code, data])

    def _write_line(self, value: object) -> None:
        line = msgspec.json.encode(value) + b"\n"
        self._file.write(line)
        self.size += len(line)


def one_line(text: str) -> str:
    """A text without anything that would break a line or a terminal."""
    return _CONTROLS.sub(" ", text).strip()
