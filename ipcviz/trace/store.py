"""Writing a trace: events are taken at once, and written by a thread in batches.

What is committed stays, whatever happens to us: SQLite's write-ahead log (WAL) brings it back when
the file is opened.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from ipcviz import __version__
from ipcviz.events import Event, Marker, Sample, Started, Stepped
from ipcviz.model.reduce import reduce
from ipcviz.model.state import Object, Semaphore, State, Variable
from ipcviz.model.steps.moments import has_begun, is_moment
from ipcviz.model.steps.stepping import name_operation, name_thread
from ipcviz.outputs import OutputError, OutputFile
from ipcviz.own_signals import block_all
from ipcviz.trace import file
from ipcviz.trace.errors import TraceError
from ipcviz.trace.keyframes import pack_state
from ipcviz.trace.schema import columns_of, count_microseconds, exit_of, fit_number

COMMIT_SECONDS: Final = 0.15
"""From an event's arrival to the commit that keeps it; with the time to write, below a quarter
second.
"""
BATCH_EVENTS: Final = 1024
"""Events that are compressed together, and between two keyframes."""
_BATCH_BYTES: Final = 4 << 20
_ROUND: Final = 8192
"""Events written in one transaction at most."""
_MOST_WAITING: Final = 400_000
"""Events that may wait to be written before whoever adds more has to wait."""
_MOST_UNREDUCED: Final = 50_000
"""Events without keyframes from which on these are made at once, and not when there is time."""
_CLOSE_SECONDS: Final = 5.0
"""How long the last keyframes may take when the trace is closed; a reader can do without them."""


class _Work(NamedTuple):
    """What the thread does at once.

    Attributes:
        events: What it writes.
        tasks: What it runs after that.
        last: Whether it ends with this.
    """

    events: list[Event]
    tasks: list[Callable[[], None]]
    last: bool


class TraceWriter:
    """Writes a trace.

    Args:
        path: Where to; a file that is there is replaced.
        meta: What to keep besides what `Started` says: `title`, `scenario`, ...
        sources: Texts to keep by name: a scenario's files.
        reducing: Make the states from the events by ourselves; else who has them calls
            `add_meaning` and `add_keyframe`.
        most_bytes: Size of the file at which writing ends; 0 for no limit.
        at_once: The file takes its place now; else when the events say that the command has begun.
            Until then, and for good if it never does, what was at that place is as it was.
        spare: A folder for copies while they are made (`copy_to`), which is removed even if we are
            killed; None if there is none.

    Raises:
        TraceError: The file can't be written.

    Attributes:
        trouble: Why nothing more is written; empty as long as all is well.
        last: Number of the last event that was taken.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        meta: Mapping[str, str] | None = None,
        sources: Mapping[str, str] | None = None,
        reducing: bool = True,
        most_bytes: int = 0,
        at_once: bool = True,
        spare: Path | None = None,
    ) -> None:
        self.path = Path(path)
        self.trouble = ""
        self.last = 0
        self._reducing = reducing
        self._waiting: deque[Event] = deque()
        self._tasks: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._due = 0.0
        """When the events that wait are written at the latest, by the monotonic clock; 0 if none
        wait.
        """
        self._thread: threading.Thread | None = None
        self._names: dict[str, int] = {}
        self._objects: dict[str, int] = {}
        self._open: list[bytes] = []
        self._open_bytes = 0
        self._open_first = self._open_last = self._open_us = 0
        self._written = 0
        self._unreduced: deque[Event] = deque()
        self._state = State()
        self._base: State | None = None
        self._base_bytes = 0
        self._keyframe_n = 0
        self._synced = State()
        self._states: deque[State] = deque()
        self._moments: deque[int] = deque()
        self._gone: deque[tuple[str, Semaphore]] = deque()
        self._schedule: deque[tuple[int, int, int, int, str, str]] = deque()
        self._encoder = msgspec.msgpack.Encoder()
        self._most_bytes = most_bytes
        self._spare = spare
        try:
            self._output = OutputFile(self.path)
        except OutputError as error:
            raise TraceError(error.message) from None
        self._meta, self._sources = meta or {}, sources or {}
        self._made: sqlite3.Connection | None = None
        if at_once:
            self._place_file()

    @property
    def _db(self) -> sqlite3.Connection:
        """The database. Where the file takes no place at once it is made by the thread: a screen
        that is to be there need not wait for it.
        """
        if self._made is None:
            self._made = file.create_trace(self._meta, self._sources)
        return self._made

    @property
    def placed(self) -> bool:
        """Whether the file is at its place."""
        return self._output.placed

    # For who has the events; none of these waits for the disk.

    def add(self, events: Sequence[Event]) -> None:
        """Take events, in order. Waits only if the disk is far behind."""
        if self.trouble or not events or self._closing:
            return
        with self._changed:
            while len(self._waiting) > _MOST_WAITING and not self.trouble:
                self._changed.wait(1.0)
            self._waiting.extend(events)
            self.last = events[-1].n or self.last + len(events)
            self._start_thread()
            self._changed.notify_all()

    def add_keyframe(self, state: State) -> None:
        """Keep a state, if the last one kept is long enough ago."""
        if not self.trouble and state.n - self._keyframe_n >= BATCH_EVENTS:
            self._keyframe_n = state.n
            self._states.append(state)

    def add_meaning(
        self,
        event: Event,
        before: State,
        after: State,
        roles: Mapping[int, str] | None = None,
        moment: bool | None = None,
    ) -> None:
        """Keep what an event means: that it is a moment, that it let a thread go.

        Args:
            event: The event.
            before: The state before it.
            after: The state after it.
            roles: The scenario's names for processes, by pid.
            moment: Whether it is a moment, if that is known.
        """
        if self.trouble:
            return
        if len(after.semaphores) < len(before.semaphores):
            # A keyframe would not have them any more.
            gone = (
                (k, semaphore)
                for k, semaphore in before.semaphores.items()
                if k not in after.semaphores
            )
            self._gone.extend(gone)
        if moment or (moment is None and is_moment(event, before, after)):
            self._moments.append(after.n)
        if isinstance(event, Stepped):
            thread = before.threads.get(event.tid)
            poised = thread.poised if thread is not None else None
            who, what = name_thread(before, event.tid, roles), "" if event.step else "start"
            if poised is not None:
                what = name_operation(poised)
            self._schedule.append((event.step, after.n, event.pid, event.tid, who, what))

    def flush(self, timeout: float) -> bool:
        """Wait until what was taken so far can be read from the file.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            Whether it can. It can't as long as the file is not at its place.
        """
        done = threading.Event()
        with self._changed:
            if self._closing:
                return not self.trouble
            self._tasks.append(done.set)
            self._start_thread()
            self._changed.notify_all()
        return done.wait(timeout) and not self.trouble and self._output.placed

    def wait_for_states(self, timeout: float) -> bool:
        """Wait until the states of what was taken so far have been made, too, where that is done
        here.

        Args:
            timeout: Seconds to wait at most.

        Returns:
            Whether they have.
        """
        until = time.monotonic() + timeout
        while self.flush(max(0.0, until - time.monotonic())):
            if not self._unreduced:
                return True
            time.sleep(0.01)
        return False

    def copy_to(self, path: str | os.PathLike[str], state: State | None = None) -> Future[None]:
        """Write what was taken so far to another file, which is replaced if it is there.

        Args:
            path: That file.
            state: The state after the last event, if it is known.

        Returns:
            Done once the file is whole; its exception is a TraceError.
        """
        done: Future[None] = Future()

        def copy() -> None:
            try:
                if state is not None and not self.trouble:
                    self._update_tables(state)
                    self._write_meaning()
                    self._db.commit()
                file.copy_trace(self._db, Path(path), self._spare)
            except (TraceError, sqlite3.Error, OSError) as error:
                message = (
                    error.message
                    if isinstance(error, TraceError)
                    else f"{path} can't be written: {error}."
                )
                done.set_exception(TraceError(message))
            else:
                done.set_result(None)

        with self._changed:
            self._tasks.append(copy)
            self._start_thread()
            self._changed.notify_all()
        if self._thread is None:
            done.set_exception(TraceError(f"{path} can't be written: {self.trouble}."))
        return done

    def close(self) -> None:
        """Write all that was taken, and make one plain file of it. Idempotent."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        if not self._output.placed:
            self._output.close()
        if self._made is None:
            return
        with contextlib.suppress(sqlite3.Error):
            self._db.commit()
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._db.execute("PRAGMA journal_mode = DELETE")
        with contextlib.suppress(sqlite3.Error):
            self._db.close()

    def discard(self) -> None:
        """Write nothing more, and let go of the file, which nobody wants any more."""
        self.trouble = self.trouble or "the trace was not to be kept"
        self.close()

    # In the thread.

    def _start_thread(self) -> None:
        if self._thread is None and not self.trouble:
            thread = threading.Thread(target=self._run_thread, name="ipcviz trace", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                self._give_up(
                    TraceError("no further thread can be made: see 'ulimit -u' and 'ulimit -v'.")
                )
            else:
                self._thread = thread

    def _run_thread(self) -> None:
        block_all()
        while True:
            work = self._await_work()
            try:
                if not self.trouble:
                    self._do_work(work)
            except (sqlite3.Error, OSError, TraceError) as error:
                self._give_up(error)
            for task in work.tasks:
                task()
            if work.last:
                return

    def _await_work(self) -> _Work:
        """Sleep until a round of events is full, or its first event has waited for
        `COMMIT_SECONDS`, or there is a task, a state to make, or the end.
        """
        with self._changed:
            while not self._closing and not self._tasks and len(self._waiting) < _ROUND:
                now = time.monotonic()
                if self._waiting and not self._due:
                    self._due = now + COMMIT_SECONDS
                if self._unreduced or (self._due and now >= self._due):
                    break
                self._changed.wait(self._due - now if self._due else None)
            ripe = self._due and time.monotonic() >= self._due
            events: list[Event] = []
            if self._closing or self._tasks or ripe or len(self._waiting) >= _ROUND:
                self._due = 0.0
                while self._waiting and len(events) < _ROUND:
                    events.append(self._waiting.popleft())
                self._changed.notify_all()
            tasks: list[Callable[[], None]] = []
            if not self._waiting:
                tasks = list(self._tasks)
                self._tasks.clear()
            return _Work(events, tasks, self._closing and not self._waiting)

    def _do_work(self, work: _Work) -> None:
        if not self._output.placed and any(map(has_begun, work.events)):
            self._place_file()
        self._write_events(work.events)
        if not work.events:
            self._reduce_events(256)
        elif len(self._unreduced) > _MOST_UNREDUCED:
            self._reduce_events(2 * _ROUND)
        if work.last:
            self._finish_file()

    def _give_up(self, error: Exception) -> None:
        """Nothing more can be written; what was committed stays."""
        with contextlib.suppress(sqlite3.Error):
            self._db.rollback()
        why = (
            error.message.rstrip(".")
            if isinstance(error, TraceError)
            else f"it can't be written: {error}"
        )
        self.trouble = f"the trace ends here, {why}"
        with self._changed:
            self._waiting.clear()
            self._unreduced.clear()
            self._states.clear()
            self._moments.clear()
            self._gone.clear()
            self._schedule.clear()
            self._changed.notify_all()

    def _place_file(self) -> None:
        """Put the file at its place. Raises TraceError if it can't be put there."""
        try:
            self._made = file.place_trace(self._db, self._output, self._most_bytes)
        except TraceError:
            self._output.close()
            raise

    def _write_events(self, events: list[Event]) -> None:
        """One transaction."""
        if not events and not self._states:
            return
        rows: list[tuple[Any, ...]] = []
        samples: list[tuple[Any, ...]] = []
        usage: list[tuple[Any, ...]] = []
        markers: list[tuple[Any, ...]] = []
        name_of, object_of = self._ensure_name_id, self._ensure_object_id
        last = self._written
        for event in events:
            n = event.n
            if n <= last:
                n = last + 1
                event = msgspec.structs.replace(event, n=n)
            last = n
            key, name, ret, error = columns_of(event)
            pid = getattr(event, "pid", None)
            tid = getattr(event, "tid", None)
            rows.append(
                (
                    n,
                    count_microseconds(event.t),
                    name_of(event.__struct_config__.tag),  # type: ignore[arg-type]
                    pid,
                    tid if tid != pid else None,
                    object_of(key) if key else None,
                    name_of(name) if name else None,
                    fit_number(ret),
                    name_of(error) if error else None,
                )
            )
            if isinstance(event, Sample):
                samples.extend(
                    (n, object_of(lv.object), fit_number(lv.queued), fit_number(lv.capacity))
                    for lv in event.levels
                )
                there = (s for s in event.semaphores if s.value >= 0)
                samples.extend((n, object_of(s.info.key), fit_number(s.value), None) for s in there)
                usage.extend(
                    (n, p.pid, p.state, p.user_time + p.system_time, p.rss) for p in event.processes
                )
            elif isinstance(event, Marker):
                markers.append((n, pid, event.text))
            elif isinstance(event, Started):
                self._write_meta(event)
            self._pack_event(event)
            if self._reducing:
                self._unreduced.append(event)
        self._written = last
        db = self._db
        db.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        db.executemany("INSERT INTO samples VALUES (?, ?, ?, ?)", samples)
        db.executemany("INSERT INTO usage VALUES (?, ?, ?, ?, ?)", usage)
        db.executemany("INSERT INTO markers VALUES (?, ?, ?)", markers)
        if self._open and events:
            self._write_batch(1)
        while self._states and not self.trouble:
            self._write_keyframe(self._states.popleft())
        self._write_meaning()
        db.commit()

    def _write_meaning(self) -> None:
        """Write what `add_meaning` found."""
        while self._gone:
            self._update_semaphore(*self._gone.popleft())
        moments, schedule = self._moments, self._schedule
        self._db.executemany(
            "INSERT OR IGNORE INTO moments VALUES (?)",
            ((moments.popleft(),) for _ in range(len(moments))),
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO schedule VALUES (?, ?, ?, ?, ?, ?)",
            (schedule.popleft() for _ in range(len(schedule))),
        )

    def _pack_event(self, event: Event) -> None:
        """Add an event to the batch that is being filled; a full one is written for good."""
        if not self._open:
            self._open_first, self._open_us = event.n, count_microseconds(event.t)
        body = self._encoder.encode(event)
        self._open.append(body)
        self._open_bytes += len(body)
        self._open_last = event.n
        if len(self._open) >= BATCH_EVENTS or self._open_bytes > _BATCH_BYTES:
            self._write_batch(3)
            self._open, self._open_bytes = [], 0

    def _write_batch(self, level: int) -> None:
        """Write the batch that is being filled; it is replaced when more came."""
        head = b"\xdd" + len(self._open).to_bytes(
            4, "big"
        )  # MessagePack: an array with a length of 32 bits
        body = zlib.compress(head + b"".join(self._open), level)
        self._db.execute(
            "INSERT OR REPLACE INTO batches VALUES (?, ?, ?, ?)",
            (self._open_first, self._open_last, self._open_us, body),
        )

    def _ensure_name_id(self, name: str) -> int:
        found = self._names.get(name)
        if found is None:
            found = self._names[name] = len(self._names) + 1
            self._db.execute("INSERT INTO names VALUES (?, ?)", (found, name))
        return found

    def _ensure_object_id(self, key: str) -> int:
        found = self._objects.get(key)
        if found is None:
            found = self._objects[key] = len(self._objects) + 1
            self._db.execute("INSERT INTO objects (id, key) VALUES (?, ?)", (found, key))
        return found

    def _write_meta(self, event: Started) -> None:
        meta = {
            "argv": json.dumps(event.argv),
            "kernel": event.kernel,
            "machine": event.machine,
            "mode": event.mode,
            "version": event.version or __version__,
        }
        if event.host is not None:
            meta["host"] = msgspec.json.encode(event.host).decode()
        self._db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())

    # States.

    def _reduce_events(self, most: int) -> None:
        """Follow with the state, and keep one now and then."""
        unreduced, state = self._unreduced, self._state
        while unreduced and most:
            event, before = unreduced.popleft(), state
            state = reduce(before, event)
            self.add_meaning(event, before, state)
            most -= 1
            if state.n - self._keyframe_n >= BATCH_EVENTS:
                self.add_keyframe(state)
        self._state = state

    def _write_keyframe(self, state: State) -> None:
        """Write a state: whole, or what differs from the last whole one as long as that is much
        less.
        """
        body = pack_state(state, self._base) if self._base is not None else b""
        if self._base is None or len(body) > self._base_bytes // 2 + 512:
            body = pack_state(state)
            self._base, self._base_bytes = state, len(body)
            base = None
        else:
            base = self._base.n
        self._db.execute(
            "INSERT OR REPLACE INTO keyframes VALUES (?, ?, ?, ?)",
            (state.n, count_microseconds(state.t), base, body),
        )
        self._update_tables(state)

    def _update_tables(self, state: State) -> None:
        """Bring the tables of objects and processes up to date."""
        before, db = self._synced, self._db
        for key, thing in state.objects.items():
            if before.objects.get(key) is not thing:
                self._update_object(thing)
        for key, variable in state.variables.items():
            if before.variables.get(key) is not variable:
                self._update_variable(key, variable)
        for key, semaphore in state.semaphores.items():
            if before.semaphores.get(key) is not semaphore:
                self._update_semaphore(key, semaphore)
        rows = [
            (
                p.pid,
                p.born,
                p.parent,
                p.how,
                p.name,
                json.dumps(p.argv),
                p.died,
                *exit_of(p),
                p.calls,
            )
            for pid, p in state.processes.items()
            if before.processes.get(pid) is not p
        ]
        db.executemany(
            "INSERT OR REPLACE INTO processes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows
        )
        self._synced = state

    def _update_object(self, thing: Object) -> None:
        info = thing.info
        capacity = thing.level.capacity if thing.level is not None else info.capacity
        facts = (
            info.kind,
            thing.label,
            info.path,
            info.detail,
            info.peer,
            fit_number(capacity) or None,
        )
        self._db.execute(
            "UPDATE objects SET kind = ?, label = ?, path = ?, detail = ?, peer = ?, capacity = ?, "
            "bytes_in = ?, bytes_out = ?, first_pid = ? WHERE id = ?",
            (
                *facts,
                thing.bytes_in,
                thing.bytes_out,
                thing.first_seen_by,
                self._ensure_object_id(info.key),
            ),
        )

    def _update_semaphore(self, key: str, semaphore: Semaphore) -> None:
        self._db.execute(
            "UPDATE objects SET kind = ?, label = ?, path = ? WHERE id = ?",
            ("semaphore", semaphore.label, semaphore.info.name, self._ensure_object_id(key)),
        )

    def _update_variable(self, key: str, variable: Variable) -> None:
        self._db.execute(
            "UPDATE objects SET kind = ?, label = ?, detail = ? WHERE id = ?",
            ("variable", variable.info.name, variable.info.type, self._ensure_object_id(key)),
        )

    def _finish_file(self) -> None:
        """At the end: the batch for good, the last keyframes, the tables as they are at the end."""
        if self._open:
            self._write_batch(3)
            self._db.commit()
        until = time.monotonic() + _CLOSE_SECONDS
        while self._unreduced and time.monotonic() < until:
            self._reduce_events(BATCH_EVENTS)
            self._write_events([])
        while self._states:
            self._write_keyframe(self._states.popleft())
        if self._reducing:
            self._update_tables(self._state)
        self._write_meaning()
        self._db.commit()
