"""Out of the tracer: events numbered, reduced into the tracer's own state, batched and written
without blocking.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections import deque
from typing import Final

import msgspec
from msgspec.structs import force_setattr

from ipcviz.events import Call, Dropped, Entered, Event, Sample
from ipcviz.events.base import UNTIMED
from ipcviz.events.calls import READS, WRITES, having
from ipcviz.events.undecoded import encode_value
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.tracer.wire import frame_body

FLUSH_SECONDS: Final = 0.02
FLUSH_EVENTS: Final = 256
CHANGING: Final = having("changes")
"""Calls that change the state of the tracer even if they have no effects."""
USING: Final = READS | WRITES
"""Calls after which the descriptor `fd` is one that was used."""
LATE_SECONDS: Final = 0.1
"""How long what waits for a slow reader may have waited before less is told (see `Emitter.late`).
"""
BACKLOG_LIMIT: Final = 64 << 20
"""Bytes that may wait for a slow reader before events of data calls are left out (and counted).

Of those events that can't be left out, twice as much may wait; then the observed processes wait
too, as for a terminal that nobody reads."""


class Emitter:
    """The stream's writing end.

    Args:
        channel: A connected stream socket.
        lossless: Wait for a slow reader instead of leaving out events of data calls.
        holds: Wait at last for a reader that stands still; else say so (`overrun`), and the session
            is to end.
    """

    def __init__(
        self, channel: socket.socket, *, lossless: bool = False, holds: bool = True
    ) -> None:
        self.state = State(keep_ledger=False)
        self._number = 0
        self._channel = channel
        self._lossless = lossless
        self._holds = holds
        self._encoder = msgspec.msgpack.Encoder()
        self._pending: list[Event] = []
        self._backlog: deque[tuple[float, memoryview]] = deque()
        """What waits for the reader, and since when."""
        self._backlog_bytes = 0
        self._dropped = 0
        self._began = time.monotonic()
        self._flushed = self._began
        self._asked_of = self.state
        self._answers: dict[tuple[int, int | str | None], bool] = {}
        """What `_says_nothing_new` found in that state."""
        self.closed = False
        self.overrun = False
        channel.setblocking(False)

    def now(self) -> float:
        """Session seconds."""
        return time.monotonic() - self._began

    @property
    def backlog(self) -> int:
        """Bytes that wait for the reader."""
        return self._backlog_bytes

    @property
    def late(self) -> bool:
        """Whether what the reader gets next has waited for it too long: less is to be told."""
        return bool(self._backlog) and time.monotonic() - self._backlog[0][0] > LATE_SECONDS

    @property
    def congested(self) -> bool:
        """Whether so much waits for the reader that nothing should be added that can wait."""
        return self._backlog_bytes > BACKLOG_LIMIT // 16

    @property
    def emitted(self) -> int:
        """The number of the last event: how many there were."""
        return self._number

    def emit(self, event: Event) -> None:
        """Number an event, give it the time if it has none, and take it into the state and the
        stream.

        Whoever lets a thread go on before what it did is emitted gives the time itself: that of
        the stop.
        """
        self._number += 1
        force_setattr(event, "n", self._number)
        if event.t == UNTIMED:
            force_setattr(event, "t", self.now())
        if isinstance(event, Call):
            if not self._says_nothing_new(event):
                self.state = reduce(self.state, event)
        elif not isinstance(event, Entered):
            self.state = reduce(self.state, event)
        # Until that is said nothing follows that rests on what was left out.
        full = self._dropped or self._backlog_bytes > BACKLOG_LIMIT
        if full and isinstance(event, Call | Sample | Entered) and not self._is_essential(event):
            self._dropped += 1
            return
        self._pending.append(event)
        if len(self._pending) >= FLUSH_EVENTS:
            self.flush()

    def _says_nothing_new(self, event: Call) -> bool:
        """Whether a call changes only counts of bytes and calls, which nobody in the tracer asks
        for.

        Almost all calls of a busy program are of this kind. What the tracer does ask for is left as
        it is by them: who holds what, whether a thread waits, and which descriptors were used.
        """
        if event.effects or event.name in CHANGING:
            return False
        state = self.state
        if state is not self._asked_of:
            self._asked_of = state
            self._answers.clear()
        fd = event.args.get("fd") if event.name in USING else None
        answer = self._answers.get((event.tid, fd))
        if answer is None:
            thread = state.threads.get(event.tid)
            awake = (
                thread is not None
                and thread.state == "R"
                and thread.waiting is None
                and thread.source is None
                and not thread.semaphore
            )
            descriptor = state.find_descriptor(event.pid, fd) if isinstance(fd, int) else None
            answer = self._answers[event.tid, fd] = awake and (
                descriptor is None or descriptor.used
            )
        return answer

    @staticmethod
    def _is_essential(event: Call | Sample | Entered) -> bool:
        return isinstance(event, Call) and bool(event.effects)

    def flush_due(self) -> bool:
        """Whether it is time to write what waits."""
        return time.monotonic() - self._flushed >= FLUSH_SECONDS

    def flush_if_due(self) -> None:
        """Write what waits if it has waited long enough."""
        if self._pending and time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()
        elif self._backlog:
            self._write_backlog()

    def flush(self) -> None:
        """Write what waits, as far as the reader takes it."""
        self._flushed = time.monotonic()
        if self.closed:
            self._pending.clear()
            return
        if self._dropped and self._backlog_bytes < BACKLOG_LIMIT // 2:
            dropped, self._dropped = self._dropped, 0
            self._number += 1
            event = Dropped(t=self.now(), n=self._number, events=dropped)
            self.state = reduce(self.state, event)
            self._pending.append(event)
        if self._pending:
            data = frame_body(encode_value(self._encoder, self._pending))
            self._pending.clear()
            self._backlog.append((self._flushed, memoryview(data)))
            self._backlog_bytes += len(data)
        self._write_backlog()

    def hang_up(self) -> None:
        """End the stream, with all that waits; what comes later goes nowhere."""
        self.drain()
        self.closed = True
        self._channel.close()

    def drain(self) -> None:
        """Write everything, waiting for the reader; for the end of the session."""
        self.flush()
        self._channel.setblocking(True)
        self._write_backlog()

    def _write_backlog(self) -> None:
        while self._backlog and not self.closed:
            since, part = self._backlog[0]
            try:
                sent = self._channel.send(part)
            except BlockingIOError:
                if self._backlog_bytes > (
                    BACKLOG_LIMIT // 8 if self._lossless else 2 * BACKLOG_LIMIT
                ):
                    if not self._holds:
                        self.overrun = True
                        return
                    os.sched_yield()
                    self._wait_writable()
                    continue
                return
            except OSError:
                self.closed = True
                self._backlog.clear()
                self._backlog_bytes = 0
                return
            self._backlog_bytes -= sent
            if sent == len(part):
                self._backlog.popleft()
            else:
                self._backlog[0] = since, part[sent:]

    def _wait_writable(self) -> None:
        select.select((), (self._channel,), (), 1.0)
