"""Reading casts that anybody may have made: versions 2 and 3 of the format asciicast, bounded, nothing believed.

`check_cast` is strict: it says what a player could stumble over. `read_cast` takes what can be played.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from ipcviz.export.cast import MOST_COLUMNS, MOST_ROWS, Cast, CastError, CastEvent

MOST_BYTES: Final = 256 << 20
LONGEST_LINE: Final = 16 << 20
MOST_EVENTS: Final = 2_000_000
MOST_SECONDS: Final = 1e7

_CODES: Final = {2: frozenset("oimr"), 3: frozenset("oimrx")}
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_SIZE: Final = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_STATUS: Final = re.compile(r"-?[0-9]{1,10}")


def read_cast(path: str | Path) -> Cast:
    """Read a cast for playing it: what players need must be there, what they don't may be missing or odd.

    Raises:
        CastError: It can't be read, or it is no cast.
    """
    return _read(path, strict=False)


def check_cast(path: str | Path) -> Cast:
    """Read a cast, but only one that every player takes.

    Raises:
        CastError: It can't be read, is no cast, or something in it is not as the format wants it; with the line.
    """
    cast = _read(path, strict=True)
    if not any(event.code == "o" for event in cast.events):
        raise CastError("no event writes anything, so there is nothing to show")
    return cast


def _read(path: str | Path, *, strict: bool) -> Cast:
    try:
        with open(path, "rb") as file:
            return _Reader(file, strict=strict).read()
    except OSError as error:
        raise CastError(f"it can't be read: {error.strerror}") from None


class _Reader:
    """One reading of a file."""

    def __init__(self, file: IO[bytes], *, strict: bool) -> None:
        self._file = file
        self._strict = strict
        self._line = 0
        self._version = 2
        self._t = 0.0

    def read(self) -> Cast:
        """The cast in the file."""
        header = self._header()
        self._version = _version(header)
        term = header.get("term") if self._version == 3 else header
        if not isinstance(term, dict):
            raise CastError("the header's 'term' must be an object with 'cols' and 'rows'", 1)
        names = ("cols", "rows") if self._version == 3 else ("width", "height")
        width = _whole(term, names[0], MOST_COLUMNS)
        height = _whole(term, names[1], MOST_ROWS)
        if self._strict:
            _check_header(header, term)
        title = header.get("title")
        events: list[CastEvent] = []
        trouble = ""
        try:
            events.extend(self._events())
        except _Stop as stop:
            if self._strict:
                raise CastError(stop.message, stop.line) from None
            events, trouble = stop.events, f"it ends at line {stop.line}: {stop.message}"
        return Cast(
            version=self._version,
            width=width,
            height=height,
            title=title if isinstance(title, str) else "",
            events=tuple(events),
            whole_frames="ipcviz" in header,
            trouble=trouble,
        )

    def _lines(self) -> Iterator[bytes]:
        size = 0
        while line := self._file.readline(LONGEST_LINE + 1):
            self._line += 1
            size += len(line)
            if len(line) > LONGEST_LINE:
                raise CastError(f"it is longer than {LONGEST_LINE >> 20} MiB", self._line)
            if size > MOST_BYTES:
                raise CastError(f"the file is larger than {MOST_BYTES >> 20} MiB", self._line)
            yield line

    def _header(self) -> dict[str, Any]:
        line = next(self._lines(), None)
        if line is None:
            raise CastError("the file is empty")
        if line.startswith(b"SQLite format 3\0"):
            raise CastError("it is a trace and no cast: 'ipcviz replay' shows it, 'ipcviz record' makes a cast of it")
        if line.startswith(b"\xef\xbb\xbf"):
            raise CastError("it begins with a byte order mark, which must not be there", 1)
        header = _decode(line, 1)
        if not isinstance(header, dict):
            raise CastError("a cast begins with a header, an object with 'version', 'width' and 'height'", 1)
        return header

    def _events(self) -> Iterator[CastEvent]:
        """The events; `_Stop` at the first line that is none."""
        events: list[CastEvent] = []
        try:
            for line in self._lines():
                if self._version == 3 and line.startswith(b"#"):
                    continue
                if not self._strict and not line.strip():
                    continue
                event = self._event(line)
                if event is not None:
                    events.append(event)
                    if len(events) > MOST_EVENTS:
                        raise CastError(f"there are more than {MOST_EVENTS:,} events", self._line)
        except CastError as error:
            raise _Stop(error.message, error.line, events) from None
        return iter(events)

    def _event(self, line: bytes) -> CastEvent | None:
        """One event; None for one that players ignore."""
        number = self._line
        if not line.strip():
            raise CastError("the line is empty", number)
        parts = _decode(line, number)
        if not (isinstance(parts, list) and len(parts) == 3):
            raise CastError("an event is an array of three: seconds, a code, and a text", number)
        t, code, data = parts
        if isinstance(t, bool) or not isinstance(t, int | float) or not math.isfinite(t):
            raise CastError("an event's time must be a number of seconds", number)
        if not isinstance(code, str) or not isinstance(data, str):
            raise CastError("an event's code and its data must be texts", number)
        if t < 0 and (self._strict or self._version == 3):
            raise CastError(f"its time is negative: {t:g}", number)
        if self._version == 3:
            t += self._t
        elif t < self._t:
            if self._strict:
                raise CastError(f"its time, {t:g}, is before that of the event above, {self._t:g}", number)
            t = self._t
        if t > MOST_SECONDS:
            raise CastError(f"its time is beyond {MOST_SECONDS:,.0f} seconds", number)
        self._t = t
        if code not in _CODES[self._version]:
            if self._strict:
                known = ", ".join(sorted(_CODES[self._version]))
                raise CastError(f"its code is {code[:20]!r}, and there are only {known}", number)
            return None
        if self._strict:
            _check_data(code, data, number)
        return CastEvent(float(t), code, data)


class _Stop(Exception):
    """What can't be read any more, and what came before it."""

    def __init__(self, message: str, line: int, events: list[CastEvent]) -> None:
        super().__init__(message)
        self.message, self.line, self.events = message, line, events


def _decode(line: bytes, number: int) -> Any:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        raise CastError("it is not UTF-8", number) from None
    try:
        return msgspec.json.decode(line)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise CastError("it is not JSON", number) from None


def _version(header: dict[str, Any]) -> int:
    version = header.get("version")
    if version in (2, 3) and not isinstance(version, bool):
        return int(version)
    if version == 1:
        raise CastError("it is of version 1 of the format, and only 2 and 3 are read: convert it first", 1)
    if version is None:
        raise CastError("the header has no 'version'", 1)
    raise CastError("its version must be 2 or 3", 1)


def _whole(of: dict[str, Any], name: str, most: int) -> int:
    value = of.get(name)
    if value is None:
        raise CastError(f"the header has no {name!r}", 1)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise CastError(f"the header's {name!r} must be a whole number from 1 to {most:,}", 1)
    return value


def _check_header(header: dict[str, Any], term: dict[str, Any]) -> None:
    """What a header may have besides; further keys are nobody's business."""
    for name in ("title", "command"):
        if name in header and not isinstance(header[name], str):
            raise CastError(f"the header's {name!r} must be a text", 1)
    for name in ("idle_time_limit", "duration"):
        value = header.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise CastError(f"the header's {name!r} must be a number of seconds", 1)
    if "timestamp" in header and (isinstance(header["timestamp"], bool) or not isinstance(header["timestamp"], int)):
        raise CastError("the header's 'timestamp' must be a whole number of seconds since 1970", 1)
    env = header.get("env", {})
    if not isinstance(env, dict) or not all(isinstance(value, str) for value in env.values()):
        raise CastError("the header's 'env' must be an object of texts", 1)
    if "theme" in term:
        _check_theme(term["theme"])


def _check_theme(theme: Any) -> None:
    if not isinstance(theme, dict):
        raise CastError("the header's 'theme' must be an object with 'fg', 'bg' and 'palette'", 1)
    for name in ("fg", "bg"):
        if not (isinstance(theme.get(name), str) and _COLOUR.fullmatch(theme[name])):
            raise CastError(f"the theme's {name!r} must be a colour such as #101418", 1)
    palette = theme.get("palette")
    colours = palette.split(":") if isinstance(palette, str) else []
    if len(colours) not in (8, 16) or not all(_COLOUR.fullmatch(colour) for colour in colours):
        raise CastError("the theme's 'palette' must be 8 or 16 colours such as #101418, joined by ':'", 1)


def _check_data(code: str, data: str, number: int) -> None:
    if code == "r":
        size = _SIZE.fullmatch(data)
        if size is None or not (1 <= int(size[1]) <= MOST_COLUMNS and 1 <= int(size[2]) <= MOST_ROWS):
            raise CastError(f"a new size must be such as 80x24, and this is {data[:20]!r}", number)
    elif code == "x" and not _STATUS.fullmatch(data):
        raise CastError(f"an exit status must be a number, and this is {data[:20]!r}", number)
