"""The events of a session and the states between them, from the trace that is written or read, or
from memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from itertools import chain
from typing import Final

from ipcviz.events import Event, Sample
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.trace import SampledLevel, SampledUse, TraceReader, TraceWriter

CHUNK: Final = 1024
CHUNKS: Final = 48
"""How much is kept in memory where nothing else keeps it: so many times `CHUNK` events."""
PATIENCE: Final = 1.0
"""Seconds to wait at most until what came last has been written; a few milliseconds as a rule."""


class NotKept(Exception):
    """A moment can't be shown, because its events were not kept.

    Attributes:
        message: A sentence that says so.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class _Chunk:
    """Some events in memory, and the state before them."""

    def __init__(self, before: State) -> None:
        self.before = before
        self.events: list[Event] = []
        self.last = before.n


class EventTape:
    """What a session's events were.

    Args:
        recorder: What writes them, if anything does.
        reader: What has them already, if it is a kept trace.
    """

    def __init__(
        self, recorder: TraceWriter | None = None, reader: TraceReader | None = None
    ) -> None:
        self.recorder = recorder
        self.reader = reader
        self._own = reader is None
        self._chunks: deque[_Chunk] = deque()

    def close(self) -> None:
        """Let go of the file, if it was opened here."""
        if self._own and self.reader is not None:
            self.reader.close()
            self.reader = None

    # Taking in.

    def add_event(self, event: Event, before: State, after: State) -> None:
        """Keep an event in memory if nothing writes it."""
        if self.recorder is not None and not self.recorder.trouble:
            return
        if self.recorder is None and self.reader is not None:
            return
        chunk = self._chunks[-1] if self._chunks else None
        if chunk is None or len(chunk.events) >= CHUNK:
            chunk = _Chunk(before)
            self._chunks.append(chunk)
            if len(self._chunks) > CHUNKS:
                self._chunks.popleft()
        chunk.events.append(event)
        chunk.last = after.n

    # Giving back.

    def ensure_events(self, first: int, last: int) -> None:
        """Make sure that the events from `first` to `last` can be given, and the state before them.

        Raises:
            NotKept: They were not kept.
            TraceError: The file can't be read.
        """
        if self._in_memory(first - 1):
            return
        reader = self._open_reader()
        if reader is not None and reader.last < last and self.recorder is not None:
            self.recorder.flush(PATIENCE)
            reader.refresh()
        if reader is not None and reader.last >= last:
            return
        if self.recorder is not None and self.recorder.trouble:
            raise NotKept(f"This moment was not kept: {self.recorder.trouble}.")
        if self.recorder is not None:
            raise NotKept("This moment is not written yet: try again in a second.")
        raise NotKept(
            f"Only the last {CHUNK * CHUNKS:,} events are kept: there is no room for a trace."
        )

    def _open_reader(self) -> TraceReader | None:
        if self.reader is None and self.recorder is not None:
            self.recorder.flush(PATIENCE)
            if self.recorder.placed:
                self.reader = TraceReader(self.recorder.path)
        return self.reader

    def _in_memory(self, n: int) -> bool:
        return bool(self._chunks) and n >= self._chunks[0].before.n

    def state_at(self, n: int) -> State:
        """The state after event `n`, without the scenario's names."""
        if self._in_memory(n):
            chunk = next(chunk for chunk in reversed(self._chunks) if chunk.before.n <= n)
            state = chunk.before
            for event in chunk.events:
                after = reduce(state, event)
                if after.n > n:
                    break
                state = after
            return state
        return self.reader.state_at(n) if self.reader is not None else State()

    def read_events(self, first: int, last: int) -> Iterator[Event]:
        """The events numbered from `first` to `last`, both included."""
        if self._in_memory(first - 1):
            for chunk in list(self._chunks):
                if chunk.last >= first and chunk.before.n < last:
                    yield from (event for event in chunk.events if first <= event.n <= last)
        elif self.reader is not None:
            yield from self.reader.read_events(first, last)

    def find_before(self, t: float) -> int:
        """Number of the last event before or at a moment; 0 if there is none that is kept."""
        found = self._open_reader()
        if found is not None and (not self._chunks or self._chunks[0].before.t > t):
            return found.find_last_before(t)
        for event in reversed(list(self._events_in_memory())):
            if event.t <= t:
                return event.n
        return 0

    def read_levels(self, first: int, last: int, every: float) -> Iterator[SampledLevel]:
        """What samples found from event `first` to `last`, in intervals of `every` seconds at most.

        Those in memory are each an interval of their own.
        """
        kept = (
            SampledLevel(event.t, level.object, level.queued, level.queued)
            for event in self._events_in_memory()
            if isinstance(event, Sample) and first <= event.n <= last
            for level in event.levels
        )
        return chain(
            self.reader.read_levels(first, last, every) if self.reader is not None else (), kept
        )

    def cpu_seconds(self, first: int, last: int) -> Iterator[SampledUse]:
        """What samples found of processes from event `first` to `last`."""
        kept = (
            SampledUse(event.t, process.pid, process.user_time + process.system_time)
            for event in self._events_in_memory()
            if isinstance(event, Sample) and first <= event.n <= last
            for process in event.processes
        )
        return chain(self.reader.cpu_seconds(first, last) if self.reader is not None else (), kept)

    def levels_before(self, first: int, keys: Collection[str]) -> dict[str, tuple[float, int]]:
        """What samples before event `first` found last of these objects: the time and the level, by
        key.
        """
        found = self.reader.levels_before(first, keys) if self.reader is not None else {}
        for event in self._events_in_memory() if keys else ():
            if isinstance(event, Sample) and event.n < first:
                found.update(
                    {lv.object: (event.t, lv.queued) for lv in event.levels if lv.object in keys}
                )
        return found

    def cpu_seconds_before(
        self, first: int, pids: Collection[int]
    ) -> dict[int, tuple[float, float]]:
        """What samples before event `first` found last of these processes: the time and the CPU
        time, by pid.
        """
        found = self.reader.cpu_seconds_before(first, pids) if self.reader is not None else {}
        for event in self._events_in_memory() if pids else ():
            if isinstance(event, Sample) and event.n < first:
                found.update(
                    {
                        p.pid: (event.t, p.user_time + p.system_time)
                        for p in event.processes
                        if p.pid in pids
                    }
                )
        return found

    def _events_in_memory(self) -> Iterator[Event]:
        return (event for chunk in self._chunks for event in chunk.events)

    def known_from(self, n: int) -> int:
        """The number of the event from which on the states up to event `n` are known; 0 for the
        beginning.
        """
        return self._chunks[0].before.n if self._in_memory(n) else 0

    @property
    def forgotten(self) -> int:
        """The number of the last event that can't be shown any more."""
        return self._chunks[0].before.n if self._chunks and self.recorder is None else 0
