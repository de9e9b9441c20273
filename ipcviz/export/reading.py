"""Reading casts that anybody may have made: versions 1, 2 and 3 of the format asciicast, bounded,
nothing believed.

There is one reader. `check_cast` refuses a file at the first thing that a player could stumble
over; to play it, the reader makes the best of that (a line that is no event is left out, a time
that goes back is the one before), and tells of it. So what the one refuses the other says, too.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

import msgspec

from ipcviz.events.decoding import DecodingError, decode_json
from ipcviz.export.cast import MOST_COLUMNS, MOST_ROWS, Cast, CastError, CastEvent
from ipcviz.inputs import open_input

MOST_BYTES: Final = 256 << 20
LONGEST_LINE: Final = 16 << 20
MOST_DOCUMENT: Final = 64 << 20
"""Bytes of a cast of version 1, which is one JSON document and can't be read in pieces."""
MOST_EVENTS: Final = 2_000_000
MOST_SECONDS: Final = 1e7
_PIECE: Final = 1 << 16
"""Bytes that are read at a time."""

_CODES: Final = {1: frozenset("o"), 2: frozenset("oimr"), 3: frozenset("oimrx")}
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_SIZE: Final = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_STATUS: Final = re.compile(r"-?[0-9]{1,10}")
_JSON: Final[msgspec.json.Decoder[object]] = msgspec.json.Decoder()
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_BYTES: Final = re.compile("[\udc80-\udcff]+")


def read_cast(path: str | Path) -> Cast:
    """Read a cast for playing it, as far as that can be done; `Cast.trouble` tells what is wrong
    with it.

    Raises:
        CastError: It can't be read, or it is no cast.
    """
    with CastReader(path) as reader:
        return _read_all(reader)


def check_cast(path: str | Path) -> Cast:
    """Read a cast, but only one that every player takes.

    Raises:
        CastError: It can't be read, is no cast, or something in it is not as the format wants it;
            with the line.
    """
    with CastReader(path, strict=True) as reader:
        cast = _read_all(reader)
    if not any(event.code == "o" for event in cast.events):
        raise CastError("no event writes anything, so there is nothing to show")
    return cast


def _read_all(reader: CastReader) -> Cast:
    events: list[CastEvent] = []
    while not reader.complete:
        events += reader.read()
    return Cast(
        version=reader.version,
        width=reader.width,
        height=reader.height,
        title=reader.title,
        events=tuple(events),
        trouble=reader.trouble,
    )


class CastReader:
    """Reads a cast piece by piece, so that one can do something else meanwhile. A context manager.

    Args:
        path: The file.
        strict: Raise CastError for all that is wrong; by default the best is made of it.

    Raises:
        CastError: It can't be read, or it is no cast.

    Attributes:
        version: 1, 2 or 3.
        width: Columns.
        height: Rows.
        title: Its title; empty if it has none.
        complete: Whether all was read.
        share: How much of the file was read, from 0 to 1.
        seekable: Whether it is a file proper: to read on in it never waits for anybody.
    """

    def __init__(self, path: str | Path, *, strict: bool = False) -> None:
        self._strict = strict
        self._line = 0
        self._t = 0.0
        self._size = self._length = 0
        self._count = 0
        self._first: CastError | None = None
        self._wrong = 0
        self._cut = False
        self._joiner = _Joiner()
        self._document: Iterator[object] = iter(())
        self.version = 2
        self.width = self.height = 0
        self.title = ""
        self.complete = False
        try:
            self._file: IO[bytes] = open_input(path, streams=True)
        except OSError as error:
            raise CastError(f"it can't be read: {error.strerror}") from None
        try:
            self.seekable = self._file.seekable()
            if self.seekable:
                self._length = self._file.seek(0, 2)
                self._file.seek(0)
            self._read_header()
        except (OSError, ValueError) as error:
            self._file.close()
            raise CastError(
                f"it can't be read: {getattr(error, 'strerror', None) or error}"
            ) from None
        except CastError:
            self._file.close()
            raise

    def __enter__(self) -> CastReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    @property
    def share(self) -> float:
        """How much of the file was read, from 0 to 1."""
        return 1.0 if self.complete else min(1.0, self._size / max(1, self._length))

    @property
    def trouble(self) -> str:
        """What is wrong with the file: the first thing, with its line, and how much else; empty for
        nothing.
        """
        if self._first is None:
            return ""
        where = f"line {self._first.line}: " if self._first.line else ""
        more = (
            f"; {self._wrong - 1:,} more of its lines are not as they should be"
            if self._wrong > 1
            else ""
        )
        cut = "; what follows is not shown" if self._cut else ""
        return f"{where}{self._first.message}{more}{cut}"

    def read(self) -> list[CastEvent]:
        """The events of the next piece of the file, which can be none.

        Raises:
            CastError: Something is wrong with it (if strict).
        """
        events: list[CastEvent] = []
        until = self._size + _PIECE
        try:
            while self._size < until and not self.complete:
                parts = self._read_next()
                if self.complete:
                    break
                event = self._parse_event(parts)
                if event is not None:
                    self._count += 1
                    if self._count > MOST_EVENTS:
                        raise _CutError(f"there are more than {MOST_EVENTS:,} events", self._line)
                    events.append(event)
        except _CutError as error:
            self._note_error(error)
            self._cut = self.complete = True
        except OSError as error:
            self._note_error(CastError(f"it can't be read on: {error.strerror}", self._line + 1))
            self._cut = self.complete = True
        return events

    def _note_error(self, error: CastError) -> None:
        """Something is wrong."""
        if self._strict:
            raise error
        self._first = self._first or error
        self._wrong += 1

    # Lines.

    def _read_line(self) -> bytes:
        line = self._file.readline(LONGEST_LINE + 1)
        self._line += bool(line)
        self._size += len(line)
        if len(line) > LONGEST_LINE:
            raise _CutError(f"it is longer than {LONGEST_LINE >> 20} MiB", self._line)
        if self._size > MOST_BYTES:
            raise _CutError(f"the file is larger than {MOST_BYTES >> 20} MiB", self._line)
        return line

    def _read_header(self) -> None:
        line = self._read_line()
        if not line:
            raise CastError("the file is empty")
        if line.startswith(b"SQLite format 3\0"):
            raise CastError(
                "it is a trace and no cast: 'ipcviz replay' shows it, 'ipcviz record' makes a cast"
                " of it"
            )
        if line.startswith(b"\xef\xbb\xbf"):
            raise CastError("it begins with a byte order mark, which must not be there", 1)
        try:
            header = self._decode_line(line)
        except CastError:
            header = self._decode_document(line)
        if not isinstance(header, dict):
            raise CastError(
                "a cast begins with a header, an object with 'version', 'width' and 'height'", 1
            )
        self.version = _parse_version(header)
        term = header.get("term") if self.version == 3 else header
        if not isinstance(term, dict):
            raise CastError("the header's 'term' must be an object with 'cols' and 'rows'", 1)
        names = ("cols", "rows") if self.version == 3 else ("width", "height")
        self.width = _parse_whole_number(term, names[0], MOST_COLUMNS)
        self.height = _parse_whole_number(term, names[1], MOST_ROWS)
        try:
            _check_header(header, term)
        except CastError as error:
            self._note_error(error)
        title = header.get("title")
        self.title = title if isinstance(title, str) else ""
        if self.version == 1:
            output = header.get("stdout")
            if not isinstance(output, list):
                raise CastError("a cast of version 1 has its output in 'stdout', an array", 0)
            self._document = iter(output)

    def _decode_document(self, line: bytes) -> object:
        """A cast of version 1 may stand on several lines."""
        if not line.lstrip().startswith(b"{"):
            raise CastError("it is not JSON", 1)
        rest = self._file.read(MOST_DOCUMENT + 1)
        if len(rest) > MOST_DOCUMENT:
            raise CastError("it is not JSON", 1)
        try:
            header = self._decode_line(line + rest)
        except CastError as error:
            raise CastError(error.message, 1) from None
        if not (isinstance(header, dict) and header.get("version") == 1):
            raise CastError(
                "the header must stand on one line, and each event on one of its own", 1
            )
        return header

    def _read_next(self) -> object:
        """The next event as JSON has it; None for a line that is none, or at the end, where
        `complete` is set.
        """
        if self.version == 1:
            found = next(self._document, self)
            self.complete = found is self
            self._size += 64
            return found
        line = self._read_line()
        if not line:
            self.complete = True
            return None
        if self.version == 3 and line.startswith(b"#"):
            return None
        if not line.strip():
            self._note_error(CastError("the line is empty", self._line))
            return None
        try:
            return self._decode_line(line)
        except CastError as error:
            self._note_error(error)
            return None

    def _decode_line(self, line: bytes) -> object:
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            self._note_error(CastError("it is not UTF-8", self._line))
            text = line.decode("utf-8", "surrogateescape")
        else:
            try:
                return decode_json(_JSON, text)
            except DecodingError:
                pass  # which refuses half of a surrogate pair, too
        try:
            found = json.loads(text, parse_constant=_refuse_constant)
        except (RecursionError, ValueError):
            raise CastError("it is not JSON", self._line) from None
        if _SURROGATES.search(text) is None:
            self._note_error(
                CastError("it has half of a surrogate pair, or a number without end", self._line)
            )
        return found

    # Events.

    def _parse_event(self, parts: object) -> CastEvent | None:
        """One event; None for one that can't be played."""
        if parts is None:
            return None
        try:
            return self._read_event(parts)
        except _CutError:
            raise
        except CastError as error:
            self._note_error(error)
            return None

    def _read_event(self, parts: object) -> CastEvent | None:
        number = self._line if self.version != 1 else 0
        if self.version == 1:
            if not (isinstance(parts, list) and len(parts) == 2):
                raise CastError(
                    "each part of 'stdout' is an array of two: seconds, and a text", number
                )
            parts = [parts[0], "o", parts[1]]
        if not (isinstance(parts, list) and len(parts) == 3):
            raise CastError("an event is an array of three: seconds, a code, and a text", number)
        t, code, data = parts
        if isinstance(t, bool) or not isinstance(t, int | float) or not math.isfinite(t):
            raise CastError("an event's time must be a number of seconds", number)
        if not isinstance(code, str) or not isinstance(data, str):
            raise CastError("an event's code and its data must be texts", number)
        if code not in _CODES[self.version]:
            known = ", ".join(sorted(_CODES[self.version]))
            raise CastError(f"its code is {code[:20]!r}, and there are only {known}", number)
        t = self._compute_time(t, number)
        if code == "o":
            data = self._joiner.join_text(data)
        else:
            _check_data(code, data, number)
            data = _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", data)
        return CastEvent(t, code, data, number)

    def _compute_time(self, t: float, number: int) -> float:
        """An event's time from the beginning; it never goes back."""
        if t < 0:
            self._note_error(CastError(f"its time is negative: {t:g}", number))
            t = 0.0
        if self.version != 2:
            t += self._t
        elif t < self._t:
            self._note_error(
                CastError(
                    f"its time, {t:g}, is before that of the event above, {self._t:g}", number
                )
            )
            t = self._t
        if t > MOST_SECONDS:
            raise CastError(f"its time is beyond {MOST_SECONDS:,.0f} seconds", number)
        self._t = float(t)
        return self._t


class _CutError(CastError):
    """Nothing is read beyond this."""


class _Joiner:
    """Puts together what recorders cut in two: halves of surrogate pairs, and bytes of a character.

    Bytes that are no UTF-8 come as Python's `surrogateescape` has them.
    """

    def __init__(self) -> None:
        self._held = ""

    def join_text(self, text: str) -> str:
        """The next text, whole; half a character at its end is held back for the next one."""
        if not self._held and _SURROGATES.search(text) is None:
            return text
        text, self._held = self._held + text, ""
        text = _PAIR.sub(
            lambda pair: pair.group().encode("utf-16", "surrogatepass").decode("utf-16"), text
        )
        end = _BYTES.search(text, max(0, len(text) - 3))
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._held = text[:-1], text[-1]
        elif end is not None and end.end() == len(text):
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
            decoder.decode(_as_bytes(end.group()))
            half = len(decoder.getstate()[0])
            text, self._held = text[: len(text) - half], text[len(text) - half :]
        text = _BYTES.sub(lambda run: _as_bytes(run.group()).decode("utf-8", "replace"), text)
        return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)


def _as_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _refuse_constant(constant: str) -> None:
    """JSON has no NaN and no Infinity."""
    raise ValueError(constant)


def _parse_version(header: dict[str, Any]) -> int:
    version = header.get("version")
    if version in (1, 2, 3) and not isinstance(version, bool):
        return int(version)
    if version is None:
        raise CastError("the header has no 'version'", 1)
    raise CastError("its version must be 1, 2 or 3", 1)


def _parse_whole_number(of: dict[str, Any], name: str, most: int) -> int:
    value = of.get(name)
    if value is None:
        raise CastError(f"the header has no {name!r}", 1)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise CastError(f"the header's {name!r} must be a whole number from 1 to {most:,}", 1)
    return value


def _check_header(header: dict[str, Any], term: dict[str, Any]) -> None:
    """What a header may have besides; null is as good as nothing, and further keys are nobody's
    business.
    """
    for name in ("title", "command"):
        if not isinstance(header.get(name), str | None):
            raise CastError(f"the header's {name!r} must be a text", 1)
    for name in ("idle_time_limit", "duration"):
        value = header.get(name)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0
        ):
            raise CastError(f"the header's {name!r} must be a number of seconds", 1)
    timestamp = header.get("timestamp")
    if timestamp is not None and (isinstance(timestamp, bool) or not isinstance(timestamp, int)):
        raise CastError("the header's 'timestamp' must be a whole number of seconds since 1970", 1)
    env = header.get("env")
    if env is not None and not (
        isinstance(env, dict) and all(isinstance(value, str | None) for value in env.values())
    ):
        raise CastError("the header's 'env' must be an object of texts", 1)
    if term.get("theme") is not None:
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
        raise CastError(
            "the theme's 'palette' must be 8 or 16 colours such as #101418, joined by ':'", 1
        )


def _check_data(code: str, data: str, number: int) -> None:
    if code == "r":
        size = _SIZE.fullmatch(data)
        if size is None or not (
            1 <= int(size[1]) <= MOST_COLUMNS and 1 <= int(size[2]) <= MOST_ROWS
        ):
            raise CastError(f"a new size must be such as 80x24, and this is {data[:20]!r}", number)
    elif code == "x" and not _STATUS.fullmatch(data):
        raise CastError(f"an exit status must be a number, and this is {data[:20]!r}", number)
