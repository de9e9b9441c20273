"""What is known of the bytes in a channel: which write put each of them there, and which read took
them out.

The values of the byte ledger; `ipcviz.model.ledger.ledger` keeps it.
"""

from __future__ import annotations

import msgspec

from ipcviz.model.maps import Map


class Write(msgspec.Struct, frozen=True, gc=False):
    """A call that put bytes into a channel.

    Attributes:
        n: Number of the event of its return; 0 while it is under way.
        pid: The process.
        tid: The thread.
        fd: The descriptor that it wrote to; -1 if unknown.
        name: The call.
        began: When it was entered, in session seconds.
        t: When it returned; that of the last news of it while it is under way.
        length: How many bytes it put there; -1 while that is not known.
        most: How many it would put there at most; -1 if unknown.
        head: The first of them.
        step: In step mode: in which step it began; 0 elsewhere.
    """

    n: int
    pid: int
    tid: int
    fd: int
    name: str
    began: float
    t: float
    length: int
    most: int = -1
    head: bytes = b""
    step: int = 0


class Part(msgspec.Struct, frozen=True, gc=False):
    """A write and how much of it has been read.

    Attributes:
        write: The write.
        taken: Bytes of it that have been read, from its beginning.
        read_at: When a read first took some of it for certain; -1 if none did.
        cut: Its thread ended inside it: it will never return, and how much it put there is to be
            found out.
        guessed: `taken` is a guess: bytes were read that it or another write of its knot had put
            there, and nothing spoke for either.
        put: How many bytes it has put there by now, of a write that sleeps; -1 if not known.
        asleep: When its thread was last seen asleep inside it, so with bytes left to put there; -1
            if it was not.
    """

    write: Write
    taken: int = 0
    read_at: float = -1.0
    cut: bool = False
    guessed: bool = False
    put: int = -1
    asleep: float = -1.0

    @property
    def left(self) -> int:
        """Bytes that still wait; 0 while it is not known how many it put there."""
        return max(self.write.length - self.taken, 0)

    @property
    def open(self) -> bool:
        """Whether it is not known yet how many bytes it put there."""
        return self.write.length < 0


class Laid(msgspec.Struct, frozen=True, gc=False):
    """Bytes of one write that lie side by side in a channel.

    Attributes:
        tid: The thread that wrote them.
        began: When its write was entered.
        length: How many they are.
    """

    tid: int
    began: float
    length: int


class Filling(msgspec.Struct, frozen=True, gc=False):
    """How many bytes the writes of a knot had put there by a moment, at least."""

    t: float
    count: int


class Knot(msgspec.Struct, frozen=True, gc=False):
    """Writes that were under way at the same time, so that the order of their bytes is not known;
    mostly it is one.

    Attributes:
        parts: The writes, in the order of their returns.
        last: When the last of them returned; infinite while one is under way.
        laid: What lies at its front, in the order of the bytes, as far as that is certain although
            several writes were under way.
        fillings: How many bytes these writes had put there by certain moments, the latest last;
            counted while several are under way.
    """

    parts: tuple[Part, ...]
    last: float
    laid: tuple[Laid, ...] = ()
    fillings: tuple[Filling, ...] = ()


class Source(msgspec.Struct, frozen=True, gc=False):
    """Bytes that a read took out of a channel, all from one write.

    Attributes:
        n: Number of the event of the write; 0 if it had not returned yet.
        pid: The process that wrote them.
        tid: The thread.
        fd: The descriptor that it wrote to.
        began: When that write was entered.
        offset: Where they begin in what that write wrote.
        length: How many they are.
        sure: Whether that is certain. If not, other calls were under way at the same moment; then
            it is the likeliest by the bytes themselves, as far as they were kept.
        step: See `Write.step`.
        rivals: Processes that may have written them as well as `pid`, by writes that were under way
            at the same moment, and nothing speaks for either.
    """

    n: int
    pid: int
    tid: int
    fd: int
    began: float
    offset: int
    length: int
    sure: bool = True
    step: int = 0
    rivals: tuple[int, ...] = ()


class Read(msgspec.Struct, frozen=True, gc=False):
    """A call that took bytes out of a channel, and where they came from, in order.

    `sources` is empty if that is not known. `n` is the number of the event of its return.
    `dropped`: bytes of the packet that it read from, which it had no room for and which are gone.
    """

    n: int
    pid: int
    tid: int
    fd: int
    t: float
    object: str
    length: int
    sources: tuple[Source, ...] = ()
    dropped: int = 0


class Interleaving(msgspec.Struct, frozen=True, gc=False):
    """A write whose bytes do not follow each other in the channel: the times of calls, and how many
    bytes there were, prove that others lie between.

    Attributes:
        n: Number of the event of the write's return.
        pid: The process that wrote.
        other: Number of the event of the return of the write that came in between.
        other_pid: The process that did.
    """

    n: int
    pid: int
    other: int
    other_pid: int


class Reading(msgspec.Struct, frozen=True, gc=False):
    """A read that is under way and may have taken bytes: its thread, when it was entered, how many
    it would take.

    `cut`: its thread ended inside it.
    """

    tid: int
    began: float
    most: int = -1
    cut: bool = False


class Channel(msgspec.Struct, frozen=True, gc=False):
    """The bytes in one direction of a channel: a pipe, a FIFO, or what waits to be read from a UNIX
    stream socket.

    Attributes:
        key: Key of the object that they are read from.
        known: Whether it is known which write every byte in it belongs to.
        since: Since when it is known, or not.
        reason: Why it is not.
        outside: It can't become known again: somebody that is not watched may hold it.
        named: It is a FIFO that somebody who is not watched may have opened: nothing of it is
            certain.
        packets: Each write is a packet, or several of `PACKET` bytes; a read takes from one, and
            throws its rest away.
        knots: The writes of which bytes wait, in the order of the bytes, by a number that grows.
        first: Number of the first of `knots`.
        next: The next free number.
        reading: Reads that are under way and may have taken bytes.
        read_until: When the last read returned.
        written_until: When the last write returned of which nothing waits any more.
        interleaved: What was proved of writes that others came in between of, the latest last.
    """

    key: str
    known: bool = True
    since: float = 0.0
    reason: str = ""
    outside: bool = False
    named: bool = False
    packets: bool = False
    knots: Map[int, Knot] = Map()
    first: int = 0
    next: int = 0
    reading: tuple[Reading, ...] = ()
    read_until: float = -1.0
    written_until: float = -1.0
    interleaved: tuple[Interleaving, ...] = ()


PACKET = 4096
"""Bytes of the largest packet in a pipe opened with O_DIRECT (pipe(2)); a longer write is split
there.
"""

READS_KEPT = 256
"""Of how many of the latest reads a state remembers where their bytes came from."""

WRITES_KEPT = 2048
"""Of how many writes bytes may wait in one channel before the ledger gives up on it until it is
empty.
"""

INTERLEAVINGS_KEPT = 16
"""How many proved interleavings a channel remembers."""

FILLINGS_KEPT = 8
"""For how many moments a knot remembers how many bytes it had."""
