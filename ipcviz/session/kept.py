"""Sessions that are over, or run elsewhere: a kept trace, and a stream of JSON lines.

Neither needs Linux.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import IO, Final

import msgspec

from ipcviz.events import AnyCommand, Event, Finished, Started, Trouble
from ipcviz.events.decoding import DecodingError, decode_json
from ipcviz.session.errors import SessionError
from ipcviz.trace import TraceError, TraceReader

AT_ONCE: Final = 4096
"""Events that `drain` gives of a kept trace in one go: the viewer's keys work in between."""
LONGEST_LINE: Final = 16 << 20
_MOST_WAITING: Final = 100_000


class KeptSession:
    """Plays a kept trace back, as fast as its events are taken.

    Args:
        reader: The trace; it is closed with the session.

    Attributes:
        kept: True: nothing runs behind this session, and commands do nothing.
    """

    kept = True

    def __init__(self, reader: TraceReader) -> None:
        self.reader = reader
        self.argv = reader.argv
        self._next = 0
        self._over = False
        self._complete = False

    @property
    def finished(self) -> bool:
        """Whether everything was drained."""
        return self._over

    def start(self) -> None:
        """Begin at the first event."""
        if not self.reader.last:
            self._over = True
            raise SessionError(
                f"{self.reader.path} holds no events: its writer was ended before the first one."
            )

    def drain(self) -> list[Event]:
        """The next events; after the last one that can be read, what is wrong with the rest."""
        events: list[Event] = []
        if self._over:
            return events
        try:
            for event in self.reader.read_events(self._next):
                events.append(event)
                self._complete = isinstance(event, Finished) and not event.left
                if len(events) == AT_ONCE:
                    break
            else:
                self._over = True
                if not self._complete and events:
                    t, n = events[-1].t, events[-1].n + 1
                    events.append(
                        Trouble(t=t, n=n, message="The trace ends here, before the command did.")
                    )
        except TraceError as error:
            self._over = True
            last = events[-1] if events else None
            t, n = (last.t, last.n) if last else (0.0, self._next - 1)
            events.append(
                Trouble(t=t, n=n + 1, message=f"The trace can be read up to here: {error.message}")
            )
        if events:
            self._next = events[-1].n + 1
        return events

    def send(self, command: AnyCommand) -> None:
        """Nothing runs that could be told anything."""

    def close(self) -> None:
        """Let go of the file."""
        self.reader.close()


class LinesSession:
    """Reads the stream as JSON lines while they come, from another machine or a file.

    Args:
        source: Bytes, a JSON event in each line; closed with the session.
        name: What to call it in a sentence.

    Attributes:
        kept: True: nothing can be told to what runs at the other end.
    """

    kept = True

    def __init__(self, source: IO[bytes], name: str = "The stream") -> None:
        self.argv: tuple[str, ...] = ()
        self._source = source
        self._name = name
        self._events: deque[Event] = deque()
        self._ended = threading.Event()
        self._room = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._read_lines, name="ipcviz lines", daemon=True)

    @property
    def finished(self) -> bool:
        """Whether no further event will come."""
        return self._ended.is_set() and not self._events

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def _read_lines(self) -> None:
        """In a thread of its own: lines from the source, events into the queue."""
        decoder = msgspec.json.Decoder(Event)
        number, last = 0, Trouble(t=0.0, message="")
        event: Event = last
        try:
            while line := self._source.readline(LONGEST_LINE):
                number += 1
                event = decode_json(decoder, line)
                if event.n <= last.n:
                    event = msgspec.structs.replace(event, n=last.n + 1)
                last = event  # type: ignore[assignment]
                if isinstance(event, Started):
                    self.argv = event.argv
                with self._room:
                    while len(self._events) > _MOST_WAITING and not self._closing:
                        self._room.wait(1.0)
                self._events.append(event)
        except DecodingError:
            self._report_trouble(
                last,
                f"{self._name} ends here: line {number} is no event of 'ipcviz trace --jsonl'.",
            )
        except (OSError, ValueError):
            self._report_trouble(last, f"{self._name} can't be read further.")
        else:
            if not number:
                self._report_trouble(
                    last,
                    f"{self._name} has no events: 'ipcviz trace -o - --jsonl -- COMMAND' writes"
                    " them.",
                )
        self._ended.set()

    def _report_trouble(self, last: Event, message: str) -> None:
        if not self._closing:
            self._events.append(Trouble(t=last.t, n=last.n + 1, message=message, fatal=not last.n))

    def drain(self) -> list[Event]:
        """Everything that came since the last call."""
        events = []
        while self._events:
            events.append(self._events.popleft())
        with self._room:
            self._room.notify_all()
        return events

    def send(self, command: AnyCommand) -> None:
        """What runs at the other end can't be told anything."""

    def close(self) -> None:
        """Stop reading; a thread that waits for a line is left to it."""
        self._closing = True
        with self._room:
            self._room.notify_all()
        if self._ended.is_set() or not self._thread.ident:
            self._source.close()
