"""The tables of a trace, and what of an event goes into columns; `docs/trace.md` is this in
words.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from ipcviz.events import (
    Accessed,
    Call,
    Counted,
    Coverage,
    Dropped,
    Entered,
    Event,
    Executed,
    Exited,
    Finished,
    Forked,
    Located,
    OpenedOutside,
    Output,
    Poised,
    SemaphoreOp,
    SignalDelivered,
    Stepped,
    Stopped,
    ThreadExited,
    VariableFound,
    Waiting,
)
from ipcviz.events.signals import signal_name
from ipcviz.model.state import Process
from ipcviz.model.steps.stepping import name_operation

APPLICATION_ID: Final = 0x69706376
"""`ipcv`: what `file` and we know a trace by (PRAGMA application_id)."""
VERSION: Final = 1
"""PRAGMA user_version: raised when an older reader could misread a newer trace.

New tables alone do not raise it.
"""

TABLES: Final[dict[str, str]] = {
    "meta": "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "sources": "CREATE TABLE sources (path TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID",
    "names": "CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
    "objects": (
        "CREATE TABLE objects (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, kind TEXT, label"
        " TEXT, path TEXT, detail TEXT, peer TEXT, capacity INTEGER, bytes_in INTEGER, bytes_out"
        " INTEGER, first_pid INTEGER)"
    ),
    "processes": (
        "CREATE TABLE processes (pid INTEGER, born REAL, parent INTEGER, how TEXT, name TEXT, argv"
        " TEXT, died REAL, exit_code INTEGER, exit_signal INTEGER, calls INTEGER, PRIMARY KEY (pid,"
        " born)) WITHOUT ROWID"
    ),
    "event": (
        "CREATE TABLE event (n INTEGER PRIMARY KEY, us INTEGER, type INTEGER, pid INTEGER, tid"
        " INTEGER, object INTEGER, name INTEGER, ret INTEGER, error INTEGER)"
    ),
    "samples": "CREATE TABLE samples (n INTEGER, object INTEGER, queued INTEGER, capacity INTEGER)",
    "usage": "CREATE TABLE usage (n INTEGER, pid INTEGER, state TEXT, cpu REAL, rss INTEGER)",
    "markers": "CREATE TABLE markers (n INTEGER PRIMARY KEY, pid INTEGER, text TEXT)",
    "moments": "CREATE TABLE moments (n INTEGER PRIMARY KEY)",
    "schedule": (
        "CREATE TABLE schedule (step INTEGER PRIMARY KEY, n INTEGER, pid INTEGER, tid INTEGER, who"
        " TEXT, operation TEXT)"
    ),
    "findings": (
        "CREATE TABLE findings (n INTEGER, name TEXT, sure INTEGER, pid INTEGER, object INTEGER,"
        " text TEXT)"
    ),
    "batches": (
        "CREATE TABLE batches (first INTEGER PRIMARY KEY, last INTEGER, us INTEGER, body BLOB)"
    ),
    "keyframes": (
        "CREATE TABLE keyframes (n INTEGER PRIMARY KEY, us INTEGER, base INTEGER, body BLOB)"
    ),
}

VIEWS: Final = (
    (
        "CREATE VIEW events AS SELECT e.n AS n, e.us / 1e6 AS t, k.name AS type, e.pid AS pid,"
        " coalesce(e.tid, e.pid) AS tid, o.key AS object, c.name AS name, e.ret AS ret, x.name AS"
        " error FROM event e JOIN names k ON k.id = e.type LEFT JOIN names c ON c.id = e.name LEFT"
        " JOIN names x ON x.id = e.error LEFT JOIN objects o ON o.id = e.object"
    ),
    (
        "CREATE VIEW levels AS SELECT s.n AS n, e.us / 1e6 AS t, o.key AS object, o.label AS label,"
        " s.queued AS queued, s.capacity AS capacity FROM samples s JOIN event e ON e.n = s.n JOIN"
        " objects o ON o.id = s.object"
    ),
)

Columns = tuple[str, str, int | None, str]
"""An event's object key, name, ret and error; empty or None where it has none."""


def _number_of(raw: bytes) -> int | None:
    """A variable's bytes as a number without a sign; None if they are not known."""
    return fit_number(int.from_bytes(raw, "little")) if raw else None


_COLUMNS: Final[dict[type, Callable[[Any], Columns]]] = {
    Call: lambda e: (e.object, e.name, e.ret, e.error),
    Waiting: lambda e: (e.semaphore or e.object, e.call, None, ""),
    Entered: lambda e: (e.object, e.call, None, ""),
    SignalDelivered: lambda e: ("", signal_name(e.signo), None, ""),
    SemaphoreOp: lambda e: (e.semaphore.key, f"sem_{e.op}", e.value, ""),
    VariableFound: lambda e: (e.variable.key, "", None, ""),
    Accessed: lambda e: (e.variable, e.op, _number_of(e.after), ""),
    Executed: lambda e: ("", e.name, None, ""),
    Output: lambda e: ("", "", len(e.data) + e.dropped, ""),
    Poised: lambda e: (
        e.semaphore.key if e.semaphore else e.object,
        name_operation(e),
        e.value,
        "",
    ),
    Stepped: lambda e: ("", "", e.step, ""),
    Located: lambda e: ("", e.function, e.line or None, ""),
    Forked: lambda e: ("", e.how, e.parent, ""),
    ThreadExited: lambda e: ("", "", e.code, ""),
    Exited: lambda e: ("", signal_name(e.signo) if e.signo else "", e.code, ""),
    Stopped: lambda e: ("", signal_name(e.signo), None, ""),
    Coverage: lambda e: ("", "full" if e.full else "sampled", None, ""),
    Counted: lambda e: (
        "",
        next(iter(e.calls), ""),
        sum(e.calls.values()) + sum(e.signals.values()),
        "",
    ),
    OpenedOutside: lambda e: (e.object, e.name, e.pid, ""),
    Dropped: lambda e: ("", "", e.events, ""),
    Finished: lambda e: ("", signal_name(e.signo) if e.signo else "", e.code, ""),
}
_NONE: Final[Columns] = ("", "", None, "")


def columns_of(event: Event) -> Columns:
    """What of an event is in columns of its own: object key, name, ret, error."""
    columns = _COLUMNS.get(type(event))
    return columns(event) if columns is not None else _NONE


def exit_of(process: Process) -> tuple[int | None, int | None]:
    """Exit status and signal of a process: no status if a signal ended it, neither while it lives
    or if unknown.
    """
    if process.fate == "alive" or not process.exit_known:
        return None, None
    return (None if process.exit_signal else process.exit_code), process.exit_signal


def count_microseconds(t: float) -> int:
    """A time in session seconds as the file has it."""
    return int(t * 1e6) if math.isfinite(t) and abs(t) < 1e12 else 0


def fit_number(value: int | None) -> int | None:
    """A number if SQLite can hold it (64 bits with sign), else None."""
    return value if value is not None and -(1 << 63) <= value < 1 << 63 else None
