"""Questions to the byte ledger: whose bytes wait, and where those came from that were read.

Pure.
"""

from __future__ import annotations

import msgspec

from ipcviz.model.channels import Interleaving, Part, Read, Write
from ipcviz.model.state import State


class QueuedBytes(msgspec.Struct, frozen=True):
    """Bytes that wait in a channel, all of one write.

    Attributes:
        write: The write; its `n` is 0 while it is under way, or if its thread ended inside it.
        offset: Where they begin in what it writes.
        length: How many they are; -1 if that is not known: its write is under way.
        sure: Whether their place among the others is certain.
        guessed: `length` is a guess: what was read of its write, and what of others that were under
            way at the same moment, nobody can tell.
    """

    write: Write
    offset: int
    length: int
    sure: bool = True
    guessed: bool = False


def waiting_ranges(state: State, key: str) -> tuple[QueuedBytes, ...]:
    """Whose bytes wait in a channel, first those that are read next; empty if none do, or that is
    not known.
    """
    channel = state.channels.get(key)
    if channel is None or not channel.known:
        return ()
    alone = not channel.reading and not channel.named
    found = []
    for number in range(channel.first, channel.next):
        knot = channel.knots[number]
        shown: dict[Part, int] = {}
        for laid in knot.laid:
            of = [p for p in knot.parts if (p.write.tid, p.write.began) == (laid.tid, laid.began)]
            for part in of:
                offset = part.taken + shown.get(part, 0)
                shown[part] = shown.get(part, 0) + laid.length
                found.append(QueuedBytes(part.write, offset, laid.length, alone))
        for part in knot.parts:
            rest = _count_rest(part, shown.get(part, 0))
            if rest:
                sure = alone and len(knot.parts) == 1 and not part.guessed
                offset = part.taken + shown.get(part, 0)
                found.append(QueuedBytes(part.write, offset, rest, sure, part.guessed))
    return tuple(found)


def _count_rest(part: Part, laid: int) -> int:
    """How many bytes of a write wait besides those whose place is certain; -1 if not known."""
    if not part.open:
        return part.left - laid
    return -1 if part.put < 0 else 0


def waiting_bytes(state: State, key: str) -> int:
    """How many bytes wait in a channel of writes that have returned, and of which no return of a
    read is known.
    """
    channel = state.channels.get(key)
    knots = channel.knots.values() if channel is not None else ()
    return sum(part.left for knot in knots for part in knot.parts)


def sources_of(state: State, n: int) -> Read | None:
    """Where the bytes came from that the call with this event's number read; None if it was no
    read, or long ago.
    """
    for read in reversed(state.reads):
        if read.n <= n:
            return read if read.n == n else None
    return None


def latest_read(state: State, key: str, before: int) -> Read | None:
    """The last read of a channel that is kept and returned before the event with this number."""
    return next(
        (read for read in reversed(state.reads) if read.object == key and read.n < before), None
    )


def list_interleavings(state: State, key: str) -> tuple[Interleaving, ...]:
    """Writes that others came in between of for certain, the latest last."""
    channel = state.channels.get(key)
    return channel.interleaved if channel is not None else ()
