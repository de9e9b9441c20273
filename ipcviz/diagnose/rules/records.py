"""Reads that return a part of a record, and programs that take it for the whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final

from ipcviz.diagnose.deeds import Return, SequenceRule, keep_others, returns_of
from ipcviz.diagnose.findings import Evidence, Finding
from ipcviz.diagnose.moment import CaseMoment
from ipcviz.diagnose.rules.transfers import SIMPLE_READS, SIMPLE_WRITES
from ipcviz.events import Call, Entered, Exited
from ipcviz.events.calls import COUNTS_MESSAGES, MOVES, READS, WRITES
from ipcviz.events.kinds import PIPES, SOCKETS
from ipcviz.model.mechanisms.datagrams import keeps_bounds
from ipcviz.model.state import Object, State
from ipcviz.narrate.words import label_of

_KEPT: Final = 256
"""Borders of writes that are remembered of one channel, the latest."""
_PIECES: Final = 3
"""Of at most so many writes a record consists: of more, that they end where a read's room would is
chance.
"""
_ALL: Final = READS | WRITES | MOVES | COUNTS_MESSAGES
"""Calls that move bytes of a stream."""
_SECTOR: Final = 512
_SMALLEST_BUFFER: Final = 64
"""Room of a multiple of a sector, or of a power of two from this on, is a buffer's: who asks for so
much takes whatever comes.
"""


class Borders:
    """Where the writes into a channel began and ended, in bytes since its first."""

    def __init__(self) -> None:
        self._writes: deque[tuple[int, int]] = deque(maxlen=_KEPT)

    def add_write(self, start: int, count: int) -> None:
        """A write of so many bytes, of which a part may have been moved so far."""
        if not self._writes or self._writes[-1] != (start, start + count):
            self._writes.append((start, start + count))

    def count_pieces(self, start: int, end: int) -> int:
        """Of how many writes the bytes of a range consist; 0 if none begins or none ends there, or
        if that is not known.
        """
        inside = [one for one in self._writes if start <= one[0] and one[1] <= end]
        if not inside or inside[0][0] != start or max(one[1] for one in inside) != end:
            return 0
        return len(inside)


class PartRead:
    """A record that was read in part: from `start`, of `size` bytes, `end` is where the reader is.

    `call` is the read that returned less than it had asked for.
    """

    def __init__(self, call: Call, start: int) -> None:
        self.call = call
        self.start = start
        self.size = call.get_number("count") or 0
        self.end = start + call.ret

    @property
    def is_whole(self) -> bool:
        """Whether the record was read to its end, by several reads."""
        return self.end == self.start + self.size


class ShortReads(SequenceRule):
    """A read of a record that returned a part, after which the reader goes on as if it had all."""

    follows = READS
    calls = returns_of(_ALL - READS) | returns_of(READS, Return.PART | Return.OTHER_TAKER)
    kinds = (Entered, Exited)

    def __init__(self) -> None:
        self._borders: dict[str, Borders] = {}
        self._parts: dict[tuple[int, str], PartRead] = {}
        self._readers: dict[str, int] = {}
        self._ended: dict[str, tuple[PartRead, bool]] = {}

    def forget_process(self, pid: int | None) -> None:
        """See `SequenceRule`."""
        self._parts = keep_others(self._parts, pid, lambda key, _: key[0])
        if pid is None:
            self._borders = {}

    def forget_objects(self, state: State) -> None:
        """See `EventRule`."""
        for kept in (self._borders, self._readers, self._ended):
            for key in [key for key in kept if key not in state.objects]:
                del kept[key]

    def follow_event(self, moment: CaseMoment, event: Any) -> Iterable[Finding]:
        """See `EventRule`."""
        if isinstance(event, Exited):
            return self._follow_end(moment, event)
        name = event.call if isinstance(event, Entered) else event.name
        if name not in _ALL:
            return ()
        thing = moment.state.objects.get(event.object)
        if thing is None or not _is_stream(thing):
            return ()
        if name in SIMPLE_WRITES:
            return self._follow_write(moment, event, thing)
        if name in SIMPLE_READS and isinstance(event, Call):
            return self._follow_read(moment, event)
        if isinstance(event, Call):
            # What vectors and splice move has borders that are not told.
            self._borders.pop(event.object, None)
            for key in [key for key in self._parts if key[1] == event.object]:
                self._drop_part(key)
        return ()

    def _drop_part(self, place: tuple[int, str]) -> PartRead | None:
        """The record that a process has read in part of an object: it does not matter any more."""
        part = self._parts.pop(place, None)
        if part is not None and not any(pid == place[0] for pid, _ in self._parts):
            self.end(place[0])
        return part

    def _follow_write(self, moment: CaseMoment, event: Any, thing: Object) -> Iterable[Finding]:
        key = thing.info.key if thing.info.kind in PIPES else thing.info.peer
        before = moment.before.objects.get(event.object)
        count = event.get_number("count") or 0
        if not key or before is None or not before.exact or not count:
            return ()
        if isinstance(event, Call) and event.ret < 0 and event.error != "EPIPE":
            return ()
        borders = self._borders.get(key)
        if borders is None:
            borders = self._borders[key] = Borders()
        borders.add_write(before.bytes_in, count)
        if key not in self._ended:
            return ()
        part, failed = self._ended.pop(key)
        told = self._is_told(key, part, failed=failed)
        return (self._tell(moment, part, None),) if told else ()

    def _follow_read(self, moment: CaseMoment, event: Call) -> Iterator[Finding]:
        key, count = event.object, event.get_number("count") or 0
        before = moment.before.objects.get(key)
        if event.ret <= 0 or before is None or not before.exact or event.has_flag("MSG_PEEK"):
            return
        if self._readers.setdefault(key, event.pid) != event.pid:
            self._drop_part((self._readers[key], key))
            self._readers[key] = event.pid
            return
        part = self._parts.get((event.pid, key))
        if part is None or part.is_whole:
            self._drop_part((event.pid, key))
            if event.ret < count and count > 1:
                self._begin_part(PartRead(event, before.bytes_out))
            return
        if count != part.size:
            # It asks for the rest, or for something else: it knows how much it has.
            self._drop_part((event.pid, key))
            return
        part.end += event.ret
        border = part.start + part.size
        if part.end <= border:
            return
        self._drop_part((event.pid, key))
        pieces = self._count_pieces(key, part)
        if 0 < pieces <= _PIECES and not _is_buffer(part.size):
            yield self._tell(moment, part, event)
        elif pieces == 1:
            again = PartRead(part.call, border)
            again.end = part.end
            self._begin_part(again)

    def _begin_part(self, part: PartRead) -> None:
        """Follow a read of a part. A buffer's matters only if one write was just as large."""
        if _is_buffer(part.size) and self._count_pieces(part.call.object, part) != 1:
            return
        self._parts[part.call.pid, part.call.object] = part
        self.begin(part.call.pid)

    def _follow_end(self, moment: CaseMoment, event: Exited) -> Iterator[Finding]:
        for place in [place for place in self._parts if place[0] == event.pid]:
            part = self._parts.pop(place)
            if event.signo:
                continue
            if self._is_told(place[1], part, failed=event.code != 0):
                yield self._tell(moment, part, None)
            elif not self._count_pieces(place[1], part):
                # The rest may be about to be written.
                self._ended[place[1]] = (part, event.code != 0)

    def _is_told(self, key: str, part: PartRead, *, failed: bool) -> bool:
        """Whether a reader that has ended had read a part of a record: one that was written as a
        whole, or that it failed at.
        """
        pieces = self._count_pieces(key, part)
        if pieces == 1 and part.size > _SMALLEST_BUFFER and not part.is_whole:
            return True
        return failed and 0 < pieces <= _PIECES and not _is_buffer(part.size)

    def _count_pieces(self, key: str, part: PartRead) -> int:
        borders = self._borders.get(key)
        end = part.start + part.size
        return borders.count_pieces(part.start, end) if borders is not None else 0

    def _tell(self, moment: CaseMoment, part: PartRead, again: Call | None) -> Finding:
        call = part.call
        name = moment.name_parties(call.pid).name_at(call.pid)
        rest = part.size - (part.end - part.start)
        got = call.ret if again is not None or part.is_whole else part.end - part.start
        if part.is_whole:
            then = "took the rest for another one, and ended with an error"
        elif again is None:
            then = f"and ended without reading the other {rest:,}"
        else:
            then = (
                f"and then asked for {part.size:,} again: what it took for the next record begins"
                " in the middle of this one"
            )
        return moment.make_finding(
            "short-read",
            [call.pid],
            f"{name} read {got:,} bytes of a record of {part.size:,} from"
            f" {label_of(moment.state, call.object)}, {then}.",
            "Read in a loop until the record is whole (recv has MSG_WAITALL, dd has"
            " iflag=fullblock): a read of a pipe or socket returns what is there.",
            evidence=[
                Evidence(f"{call.name}({call.fd}) of {part.size:,} returned {call.ret:,}", call.n),
                Evidence(f"writes began and ended at the borders of those {part.size:,} bytes"),
            ],
            objects=[call.object],
            probable="that those bytes are one record is known by how they were written alone",
        )


def _is_stream(thing: Object) -> bool:
    kind = thing.info.kind
    return kind in PIPES or (kind in SOCKETS and not keeps_bounds(thing.info))


def _is_buffer(size: int) -> bool:
    """Whether so much room is a buffer's rather than a record's."""
    power = size & (size - 1) == 0
    return size % _SECTOR == 0 or (power and size >= _SMALLEST_BUFFER)
