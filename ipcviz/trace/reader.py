"""Reading a trace: its events, and the state at any moment of it.

A trace may come from anywhere: nothing in it is believed. The tables that are read must be ours to
the letter, sizes are bounded, and whatever is not as it must be is a TraceError.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from ipcviz.events import Event
from ipcviz.events.decoding import DecodingError, decode_json, decode_messagepack
from ipcviz.inputs import read_input
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.trace.errors import TraceError
from ipcviz.trace.keyframes import MOST_BYTES, find_shape, unpack_bytes, unpack_state
from ipcviz.trace.schema import APPLICATION_ID, TABLES, VERSION, count_microseconds

_READ: Final = (
    "meta",
    "sources",
    "names",
    "objects",
    "event",
    "samples",
    "usage",
    "batches",
    "keyframes",
)
_ARGV: Final = msgspec.json.Decoder(tuple[str, ...])
_BATCHES_KEPT: Final = 8
_STATES_KEPT: Final = 64
_ROWS_BACK: Final = 20_000
"""How many rows of samples are looked through for one before a moment."""
_OWN_KEYFRAMES: Final = 2048
"""Events between two states that we remember where the trace has no keyframes."""


class SampledLevel(NamedTuple):
    """What samples found of an object or semaphore within an interval.

    Attributes:
        t: When it was looked at last, in session seconds.
        key: Its key.
        highest: Its highest level.
        queued: Its last one.
    """

    t: float
    key: str
    highest: int
    queued: int


class SampledUse(NamedTuple):
    """What a sample found of a process: the CPU time that it had used by `t`, in seconds."""

    t: float
    pid: int
    cpu: float


class TraceReader:
    """Reads a trace; it is not changed by that. For one thread.

    Args:
        path: The file.

    Raises:
        TraceError: It is no trace, a newer one, or damaged.

    Attributes:
        meta: What is known of the session: `argv` (JSON), `version`, `machine`, `title`, ...
        argv: The command.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._decoder = msgspec.msgpack.Decoder(list[Event])
        self._events: OrderedDict[int, list[Event]] = OrderedDict()
        self._states: OrderedDict[int, State] = OrderedDict()
        self._made: dict[int, State] = {}
        self._made_at: list[int] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._db = self._open_trace()
        try:
            self._check_format()
            self.meta = {
                str(key): str(value)
                for key, value in self._read_rows("SELECT key, value FROM meta LIMIT 1000")
            }
            self._read_index()
        except TraceError:
            self.close()
            raise
        self.argv = self._parse_argv()

    def __enter__(self) -> TraceReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        self._db.close()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    # What is in it.

    @property
    def first(self) -> int:
        """Number of the first event; 0 if there is none."""
        return self._firsts[0] if self._firsts else 0

    @property
    def last(self) -> int:
        """Number of the last event; 0 if there is none."""
        return self._lasts[-1] if self._lasts else 0

    def read_sources(self) -> dict[str, str]:
        """The texts that were kept with it, by name."""
        return {
            str(path): str(text)
            for path, text in self._read_rows("SELECT path, text FROM sources LIMIT 1000")
        }

    def read_events(self, first: int = 0, last: int | None = None) -> Iterator[Event]:
        """The events numbered from `first` to `last`, both included.

        Raises:
            TraceError: A part is damaged; the events before it have been given.
        """
        last = self.last if last is None else last
        for at in range(max(0, bisect_left(self._lasts, first)), len(self._firsts)):
            if self._firsts[at] > last:
                return
            for event in self._read_batch(at):
                if first <= event.n <= last:
                    yield event

    def state_at(self, n: int) -> State:
        """The state after the event numbered `n`, or after the last one before it.

        Raises:
            TraceError: What is needed for it is damaged.
        """
        kept = self._find_keyframe_before(n)
        state = self._load_keyframe(kept) if kept >= 0 else State()
        made = bisect_right(self._made_at, n)
        if made and self._made_at[made - 1] > state.n:
            state = self._made[self._made_at[made - 1]]
        for taken, event in enumerate(self.read_events(state.n + 1, n), 1):
            try:
                state = reduce(state, event)
            except Exception:  # noqa: BLE001 - an event that makes no sense can break anything, and is not ours
                raise TraceError(
                    f"{self.path} is damaged: event {event.n} makes no sense."
                ) from None
            if taken % _OWN_KEYFRAMES == 0:
                self._remember_state(state)
        return state

    def _remember_state(self, state: State) -> None:
        if state.n not in self._made:
            self._made[state.n] = state
            self._made_at.insert(bisect_left(self._made_at, state.n), state.n)

    # What is in columns: no event has to be unpacked for it. CROSS JOIN: SQLite keeps to that
    # order, few rows first.

    def read_moments(self) -> array[int]:
        """The numbers of the events that are moments, as far as its writer knew them; no later one
        is missing before the last of these.
        """
        if self._shape.get("moments") != TABLES["moments"]:
            return array("q")
        return array(
            "q", (_check_number(n) for (n,) in self._read_rows("SELECT n FROM moments ORDER BY n"))
        )

    def read_outputs(self) -> Iterator[tuple[int, int]]:
        """The numbers of the events with output, and how many bytes each was; 0 where an older
        trace does not say.
        """
        sql = (
            "SELECT n, ret FROM event WHERE type = (SELECT id FROM names WHERE name = 'output')"
            " ORDER BY n"
        )
        for n, size in self._read_rows(sql):
            yield _check_number(n), size if isinstance(size, int) and size > 0 else 0

    def numbers_of(self, types: Collection[str], among: int, most: int) -> list[int]:
        """Numbers of the events of some types among the last ones, in their order.

        Args:
            types: The types' names in the stream: `exited`, `signal-delivered`, ...
            among: How many numbers back it is looked.
            most: How many there are at most: the last ones.
        """
        marks = ", ".join("?" * len(types))
        found = self._few_rows(
            "SELECT e.n FROM event e JOIN names k ON k.id = e.type WHERE e.n > ? AND k.name IN"
            f" ({marks}) ORDER BY e.n DESC LIMIT ?",
            self.last - among,
            *types,
            most,
        )
        return sorted(_check_number(n) for (n,) in found)

    def read_levels(self, first: int, last: int, every: float) -> list[SampledLevel]:
        """What samples found from event `first` to `last`, put together in intervals of `every`
        seconds.

        Returns:
            An entry an object and interval, in the order of their times.
        """
        sql = (
            "SELECT e.us, s.object, a.highest, s.queued FROM (SELECT max(s.queued) AS highest,"
            " max(s.rowid) AS last FROM samples s CROSS JOIN event e ON e.n = s.n WHERE s.rowid >="
            " ? AND s.rowid < ? GROUP BY s.object, e.us / ?) a CROSS JOIN samples s ON s.rowid ="
            " a.last CROSS JOIN event e ON e.n = s.n ORDER BY a.last"
        )
        rows = self._read_rows(
            sql,
            self._row_of("samples", first),
            self._row_of("samples", last + 1),
            count_microseconds(every),
        )
        keys: dict[Any, str] = {}
        found = []
        for us, number, highest, queued in rows:
            if number not in keys:
                keys[number] = self._key_of(number)
            if isinstance(queued, int) and isinstance(highest, int):
                found.append(SampledLevel(_check_number(us) / 1e6, keys[number], highest, queued))
        return found

    def _key_of(self, number: Any) -> str:
        """An object's key by its number in the trace."""
        rows = (
            list(self._read_rows("SELECT key FROM objects WHERE id = ?", number))
            if isinstance(number, int)
            else []
        )
        return str(rows[0][0]) if rows else ""

    def levels_before(self, first: int, keys: Collection[str]) -> dict[str, tuple[float, int]]:
        """What samples before event `first` found last of these objects and semaphores: the time
        and the level, by key.

        What was not looked at for very long is left out.
        """
        sql = (
            "SELECT e.us, o.key, s.queued FROM samples s CROSS JOIN event e ON e.n = s.n CROSS"
            " JOIN objects o ON o.id = s.object WHERE s.rowid < ? ORDER BY s.rowid DESC LIMIT"
            f" {_ROWS_BACK}"
        )
        found: dict[str, tuple[float, int]] = {}
        for us, key, queued in self._few_rows(sql, self._row_of("samples", first)) if keys else ():
            if key in keys and isinstance(queued, int):
                found.setdefault(key, (_check_number(us) / 1e6, queued))
                if len(found) == len(keys):
                    break
        return found

    def cpu_seconds_before(
        self, first: int, pids: Collection[int]
    ) -> dict[int, tuple[float, float]]:
        """What samples before event `first` found last of these processes: the time and the CPU
        time, by pid.
        """
        sql = (
            "SELECT e.us, u.pid, u.cpu FROM usage u CROSS JOIN event e ON e.n = u.n WHERE u.rowid"
            f" < ? ORDER BY u.rowid DESC LIMIT {_ROWS_BACK}"
        )
        found: dict[int, tuple[float, float]] = {}
        for us, pid, cpu in self._few_rows(sql, self._row_of("usage", first)) if pids else ():
            if pid in pids and isinstance(cpu, int | float):
                found.setdefault(pid, (_check_number(us) / 1e6, float(cpu)))
                if len(found) == len(pids):
                    break
        return found

    def cpu_seconds(self, first: int, last: int) -> Iterator[SampledUse]:
        """What samples found of processes from event `first` to `last`."""
        sql = (
            "SELECT e.us, u.pid, u.cpu FROM usage u CROSS JOIN event e ON e.n = u.n WHERE u.rowid"
            " >= ? AND u.rowid < ? ORDER BY u.rowid"
        )
        for us, pid, cpu in self._read_rows(
            sql, self._row_of("usage", first), self._row_of("usage", last + 1)
        ):
            if isinstance(cpu, int | float):
                yield SampledUse(_check_number(us) / 1e6, _check_number(pid), float(cpu))

    def find_last_before(self, t: float) -> int:
        """Number of the last event before or at a moment, found without reading all of them; 0 if
        there is none.
        """
        low, high = 0, self.last
        while low < high:
            middle = (low + high + 1) // 2
            rows = list(
                self._read_rows(
                    "SELECT n, us FROM event WHERE n <= ? ORDER BY n DESC LIMIT 1", middle
                )
            )
            if not rows:
                low = middle
            elif _check_number(rows[0][1]) > count_microseconds(t):
                high = _check_number(rows[0][0]) - 1
            else:
                low = middle
        # Where events were dropped, the search ends among numbers that no event has.
        return self._read_number("SELECT n FROM event WHERE n <= ? ORDER BY n DESC LIMIT 1", low)

    def _row_of(self, table: str, n: int) -> int:
        """The first row of a table for an event numbered `n` or later; its rows are in that
        order.
        """
        low, high = 1, self._read_number(f"SELECT coalesce(max(rowid), 0) FROM {table}") + 1
        while low < high:
            middle = (low + high) // 2
            if (
                self._read_number(
                    f"SELECT n FROM {table} WHERE rowid <= ? ORDER BY rowid DESC LIMIT 1", middle
                )
                < n
            ):
                low = middle + 1
            else:
                high = middle
        return low

    # Batches and keyframes.

    def refresh(self) -> None:
        """Take in what its writer has added since."""
        last = self._firsts.pop() if self._firsts else 0
        if last:
            self._lasts.pop()
            self._events.pop(len(self._firsts), None)
        self._read_batches(last)
        self._read_keyframes(self._keyframes[-1] if self._keyframes else -1)

    def _read_index(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._keyframes: list[int] = []
        self._bases: dict[int, int | None] = {}
        self._read_batches(0)
        self._read_keyframes(-1)

    def _read_batches(self, least: int) -> None:
        before = self._lasts[-1] if self._lasts else 0
        for first, last in self._read_rows(
            "SELECT first, last FROM batches WHERE first >= ? ORDER BY first", least
        ):
            if not before < _check_number(first) <= _check_number(last):
                raise self._make_damage_error("its batches overlap")
            before = last
            self._firsts.append(first)
            self._lasts.append(last)

    def _read_keyframes(self, after: int) -> None:
        if self.meta.get("state") != find_shape():
            return
        for n, base in self._read_rows(
            "SELECT n, base FROM keyframes WHERE n > ? ORDER BY n", after
        ):
            self._keyframes.append(_check_number(n))
            self._bases[n] = None if base is None else _check_number(base)

    def _read_batch(self, at: int) -> list[Event]:
        found = self._events.get(at)
        if found is None:
            body = self._read_blob("SELECT body FROM batches WHERE first = ?", self._firsts[at])
            try:
                found = decode_messagepack(self._decoder, unpack_bytes(body))
            except DecodingError as error:
                raise self._make_damage_error(
                    f"events from {self._firsts[at]} on can't be read ({error})"
                ) from None
            before = self._firsts[at] - 1
            for event in found:
                if not before < event.n <= self._lasts[at]:
                    raise self._make_damage_error(f"event {event.n} is out of order")
                before = event.n
            self._events[at] = found
            if len(self._events) > _BATCHES_KEPT:
                self._events.popitem(last=False)
        return found

    def _find_keyframe_before(self, n: int) -> int:
        return bisect_right(self._keyframes, n) - 1

    def _load_keyframe(self, at: int) -> State:
        """A kept state; one that can't be read is done without: the events say the same."""
        while at >= 0:
            with contextlib.suppress(TraceError):
                return self._kept_state(self._keyframes[at])
            del self._keyframes[at]
            at -= 1
        return State()

    def _kept_state(self, n: int) -> State:
        found = self._states.get(n)
        if found is None:
            base = self._bases[n]
            if base is not None and self._bases.get(base, base) is not None:
                raise self._make_damage_error(f"keyframe {n} has no base")
            under = self._kept_state(base) if base is not None else None
            found = unpack_state(
                self._read_blob("SELECT body FROM keyframes WHERE n = ?", n), under
            )
            if found.n != n:
                raise self._make_damage_error(f"keyframe {n} is that of another moment")
            self._states[n] = found
            if len(self._states) > _STATES_KEPT:
                self._states.popitem(last=False)
        else:
            self._states.move_to_end(n)
        return found

    # The file.

    def _open_trace(self) -> sqlite3.Connection:
        try:
            head = read_input(self.path, 16)
        except OSError as error:
            raise TraceError(f"{self.path} can't be read: {error.strerror}.") from None
        if head != b"SQLite format 3\0":
            raise TraceError(
                f"{self.path} is no trace of ipcviz: 'ipcviz trace -o FILE -- COMMAND' writes one."
            )
        db = self._open_database(self.path.resolve(), "mode=ro")
        try:
            db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.OperationalError:
            # Its writer was killed, and SQLite may not put its files beside it to bring back the
            # end: do it elsewhere.
            db.close()
            return self._open_copy()
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            # SQLite quotes what it can't read in its message, whatever bytes those are.
            db.close()
            raise self._make_damage_error(str(error)) from None
        return db

    def _open_copy(self) -> sqlite3.Connection:
        self._folder = tempfile.TemporaryDirectory(prefix="ipcviz-")
        place = Path(self._folder.name, "trace")
        try:
            shutil.copyfile(self.path, place)
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(f"{self.path}-wal", f"{place}-wal")
        except OSError as error:
            self._folder.cleanup()
            raise TraceError(f"{self.path} can't be read: {error.strerror}.") from None
        return self._open_database(place, "mode=rw")

    def _open_database(self, path: Path, how: str) -> sqlite3.Connection:
        try:
            db = sqlite3.connect(f"{path.as_uri()}?{how}", uri=True, check_same_thread=False)
            for limit, value in (
                (sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES),
                (sqlite3.SQLITE_LIMIT_ATTACHED, 0),
            ):
                db.setlimit(limit, value)
            db.execute("PRAGMA trusted_schema = OFF")
            db.execute("PRAGMA cell_size_check = ON")
        except sqlite3.Error as error:
            raise TraceError(f"{self.path} can't be read: {error}.") from None
        return db

    def _check_format(self) -> None:
        """Raise unless this is a trace of a version that we know, whose tables are ours."""
        application = self._read_number("PRAGMA application_id")
        version = self._read_number("PRAGMA user_version")
        if application != APPLICATION_ID:
            raise TraceError(f"{self.path} is a database, but no trace of ipcviz.")
        if version > VERSION:
            raise TraceError(
                f"{self.path} was written by a newer ipcviz (trace version {version}, this one"
                f" reads {VERSION}): install that one to read it."
            )
        found = dict(
            self._read_rows(
                "SELECT name, sql FROM sqlite_schema WHERE type IN ('table', 'view') LIMIT 1000"
            )
        )
        self._shape = found
        for name in _READ:
            if found.get(name) != TABLES[name]:
                raise self._make_damage_error(f"its table {name} is not that of a trace")

    def _parse_argv(self) -> tuple[str, ...]:
        try:
            return decode_json(_ARGV, self.meta.get("argv", "[]"))
        except DecodingError:
            return ()

    def _read_number(self, sql: str, *values: int) -> int:
        rows = list(self._read_rows(sql, *values))
        return _check_number(rows[0][0]) if rows else 0

    def _read_blob(self, sql: str, key: int) -> bytes:
        rows = list(self._read_rows(sql, key))
        if len(rows) != 1 or not isinstance(rows[0][0], bytes):
            raise self._make_damage_error("a part is missing")
        return rows[0][0]

    def _few_rows(self, sql: str, *values: int | str) -> Iterator[tuple[Any, ...]]:
        """Rows of which the first few will do as a rule."""
        return self._read_rows(sql, *values, at_once=64)

    def _read_rows(
        self, sql: str, *values: int | str, at_once: int = 10_000
    ) -> Iterator[tuple[Any, ...]]:
        try:
            cursor = self._db.execute(sql, values)
            while rows := cursor.fetchmany(at_once):
                yield from rows
        except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
            raise self._make_damage_error(str(error)) from None

    def _make_damage_error(self, why: str) -> TraceError:
        return TraceError(f"{self.path} is damaged: {why}.")


def _check_number(value: Any) -> int:
    if not isinstance(value, int):
        raise TraceError(
            f"The trace is damaged: {str(value)[:40]!r} stands where a number must be."
        )
    return value
