"""The byte ledger: to which write every byte in a channel belongs, and which writes every read drew
from. Pure.

A channel hands its bytes on in the order in which they were put in. So the n-th byte that was read
is the n-th that was written, whoever was quicker to say so, and what must be known is the order of
the writes among each other and of the reads among each other. A call's effect happens between its
entry and its return: of two calls, the one that returned before the other was entered came first.
Of two that were under way at the same time nobody can tell; they make a `Knot`, whose sources are
marked as not sure until all of its bytes are read.

A write that blocks hands bytes to readers before it returns. The tracer names calls that are under
way (`Entered`) before a read returns that may have to do with them, so such a read can draw on a
write that has no return yet.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from ipcviz.events import Call, Entered, Level, Waiting
from ipcviz.events.calls import COUNTS_MESSAGES, where
from ipcviz.model.channels import (
    FILLINGS_KEPT,
    INTERLEAVINGS_KEPT,
    PACKET,
    READS_KEPT,
    WRITES_KEPT,
    Channel,
    Filling,
    Interleaving,
    Knot,
    Laid,
    Part,
    Read,
    Reading,
    Source,
    Write,
)
from ipcviz.model.draft import Draft
from ipcviz.model.ledger.directions import (
    CHANNEL_CALLS,
    CHANNEL_READS,
    UNPACKED,
    find_directions,
    find_key_behind,
    most_bytes,
    untouched_asleep,
)
from ipcviz.model.ledger.knowledge import distrust_channel, find_channels, store_channel
from ipcviz.model.ledger.resting import count_laid, count_waiting

replace = msgspec.structs.replace

_TELLING: Final = 4
"""How many different bytes must be the same before they speak against the write that was being
read.
"""

_TOO_MANY: Final = "more was read from it than was seen to be written"
_READ_BEFORE: Final = "a read was under way when it began to be known"
_WITH_FLAGS: Final = where(lambda call: call.on == "socket" and call.returns == "bytes")
_WRITE_BEFORE: Final = "a write was under way when it began to be known"
_UNTOLD: Final = "a write was under way that nobody was told of"


def apply_call(draft: Draft, event: Call) -> None:
    """A call returned: what it put into channels, and took out of them."""
    if not draft.channels:
        return
    source, target = find_directions(draft, event.pid, event.name, event.args, event.object)
    if not source and not target:
        return
    moved = event.ret if event.ret > 0 and not event.error else 0
    flags = event.get_text("flags") if event.name in _WITH_FLAGS else ""
    peeks = "MSG_PEEK" in flags
    for key in (source, target):
        if moved and event.name in COUNTS_MESSAGES:
            distrust_channel(
                draft, key, f"{event.name} says how many messages it moved, and not how many bytes"
            )
        elif moved and ("MSG_OOB" in flags or "MSG_TRUNC" in flags):
            distrust_channel(draft, key, "bytes were moved out of their order (MSG_OOB, MSG_TRUNC)")
    if moved and event.name in UNPACKED:
        _mix_packets(draft, event, source, target)
    sources: tuple[Source, ...] | None = None
    dropped = 0
    if source and not peeks:
        sources = _lay_read(draft, event, source, moved)
        if sources and event.name in CHANNEL_READS and draft.channels[source].packets:
            dropped = _drop_rest(draft, event, source, moved, sources[-1])
    elif source:
        _end_reading(draft, source, event.tid)
    if sources is not None:
        read = Read(
            event.n,
            event.pid,
            event.tid,
            _find_fd(event, "fd_in"),
            event.t,
            source,
            moved,
            sources,
            dropped,
        )
        draft.reads = (*draft.reads[-READS_KEPT + 1 :], read)
    if target:
        _lay_written(draft, event, target, moved)


def _mix_packets(draft: Draft, event: Call, source: str, target: str) -> None:
    """Bytes are moved into or out of a pipe without its packets' bounds, or take those along."""
    keys = (source or find_key_behind(draft, event.pid, event.args, "fd_in"), target)
    if any(key in draft.channels and draft.channels[key].packets for key in keys):
        for key in keys:
            distrust_channel(
                draft, key, f"{event.name} mixed packets with other bytes", outside=True
            )


def _find_fd(event: Call | Entered, end: str) -> int:
    number = event.get_number("fd" if "fd" in event.args else end)
    return number if number is not None else -1


def _find_earliest(event: Call | Entered, name: str) -> float:
    """The moment before which a call moved nothing."""
    if event.slept and untouched_asleep(name, event.args):
        return max(event.began, event.slept)
    return event.began


def apply_entered(draft: Draft, event: Entered) -> None:
    """A call is under way that may have moved bytes; `cut`: and it will never return."""
    if not draft.channels:
        return
    source, target = find_directions(draft, event.pid, event.call, event.args, event.object)
    earliest = _find_earliest(event, event.call)
    channel = draft.channels.get(source)
    if channel is not None and channel.known:
        if earliest < channel.since:
            distrust_channel(draft, source, _READ_BEFORE)
        else:
            reading = tuple(r for r in channel.reading if r.tid != event.tid)
            if event.cut or not (event.slept and untouched_asleep(event.call, event.args)):
                most = most_bytes(event.call, event.args)
                reading = (*reading, Reading(event.tid, earliest, most, event.cut))
            store_channel(draft, replace(channel, reading=reading))
    _begin_write(draft, event, target, event.slept or -1.0)


def _begin_write(draft: Draft, event: Entered, key: str, asleep: float) -> None:
    """A write is under way, or was cut; `asleep`: as `Part.asleep`."""
    channel = draft.channels.get(key)
    if channel is None or not channel.known:
        return
    earliest = _find_earliest(event, event.call)
    at, old = _under_way(channel, event.tid)
    if old is not None:
        if event.cut:
            _replace_part(draft, channel, at, old, replace(old, cut=True), event.t)
        elif asleep > old.asleep:
            _replace_part(draft, channel, at, old, replace(old, asleep=asleep), event.t)
    elif earliest < channel.since:
        distrust_channel(draft, key, _WRITE_BEFORE)
    elif earliest < channel.written_until:
        distrust_channel(draft, key, _UNTOLD)
    else:
        write = Write(
            n=0,
            pid=event.pid,
            tid=event.tid,
            fd=_find_fd(event, "fd_out"),
            name=event.call,
            began=event.began,
            t=event.t,
            length=-1,
            most=most_bytes(event.call, event.args),
            head=event.data,
            step=draft.step,
        )
        part = Part(write, cut=event.cut, asleep=asleep)
        _add_write(draft, channel, part, earliest, event.t if event.cut else math.inf)


def apply_waiting(draft: Draft, event: Waiting) -> None:
    """A thread sleeps in a call; a long write may have put in a part of its bytes by then."""
    if (
        event.began
        and event.call in CHANNEL_CALLS
        and draft.channels
        and not untouched_asleep(event.call, event.args)
    ):
        _, target = find_directions(draft, event.pid, event.call, event.args, event.object)
        if target:
            t, pid, tid, call = event.t, event.pid, event.tid, event.call
            entered = Entered(
                t=t,
                pid=pid,
                tid=tid,
                call=call,
                began=event.began,
                args=event.args,
                object=event.object,
            )
            _begin_write(draft, entered, target, event.t)


def apply_end(draft: Draft, pid: int, tids: tuple[int, ...], t: float) -> None:
    """Threads of a process ended: calls that they were inside will never return."""
    process = draft.processes.get(pid)
    if process is None or not draft.channels:
        return
    for key in {
        key for row in draft.descriptors_of(pid).values() for key in find_channels(draft, row.ofd)
    }:
        channel = draft.channels[key]
        if any(r.tid in tids and not r.cut for r in channel.reading):
            reading = tuple(replace(r, cut=True) if r.tid in tids else r for r in channel.reading)
            channel = replace(channel, reading=reading)
            store_channel(draft, channel)
        for tid in tids:
            at, part = _under_way(channel, tid)
            if part is not None:
                _replace_part(draft, channel, at, part, replace(part, cut=True), t)
                channel = draft.channels[key]


def _end_reading(draft: Draft, key: str, tid: int) -> None:
    channel = draft.channels.get(key)
    if channel is not None and any(r.tid == tid for r in channel.reading):
        store_channel(
            draft, replace(channel, reading=tuple(r for r in channel.reading if r.tid != tid))
        )


# Writes.


def _under_way(channel: Channel, tid: int) -> tuple[int, Part | None]:
    """A thread's write that has not returned, and the number of its knot, which can only be the
    last.
    """
    last = channel.knots.get(channel.next - 1)
    if last is not None and math.isinf(last.last):
        for part in last.parts:
            if part.write.tid == tid and part.write.n == 0 and not part.cut:
                return channel.next - 1, part
    return -1, None


def _lay_written(draft: Draft, event: Call, key: str, length: int) -> None:
    channel = draft.channels.get(key)
    if channel is None or not channel.known:
        return
    earliest = _find_earliest(event, event.name)
    at, old = _under_way(channel, event.tid)
    if old is None and not length:
        return
    if earliest < channel.since:
        distrust_channel(draft, key, _WRITE_BEFORE)
        return
    write = Write(
        n=event.n,
        pid=event.pid,
        tid=event.tid,
        fd=_find_fd(event, "fd_out"),
        name=event.name,
        began=event.began,
        t=event.t,
        length=length,
        most=most_bytes(event.name, event.args),
        head=event.data,
        step=old.write.step if old is not None else draft.step,
    )
    if old is None:
        if earliest < channel.written_until:
            distrust_channel(draft, key, _UNTOLD)
            return
        _add_write(draft, channel, Part(write, asleep=event.slept or -1.0), earliest, event.t)
    else:
        _name_sources(draft, old.write, event.n)
        new = replace(old, write=write, asleep=max(old.asleep, event.slept))
        _replace_part(draft, channel, at, old, new, event.t)
    if event.slept:
        _prove_interleavings(draft, key, event)
    channel = draft.channels[key]
    if channel.next - channel.first > WRITES_KEPT:
        distrust_channel(draft, key, f"bytes of more than {WRITES_KEPT:,} writes wait in it")


def _add_write(draft: Draft, channel: Channel, part: Part, earliest: float, last: float) -> None:
    """Put a write behind those that returned before it could begin, and into one knot with the
    others.
    """
    knots, at = channel.knots, channel.next
    parts: tuple[Part, ...] = (part,)
    laid: tuple[Laid, ...] = ()
    fillings: tuple[Filling, ...] = ()
    while at > channel.first and knots[at - 1].last > earliest:
        at -= 1
        knot = knots[at]
        parts = (*knot.parts, *parts)
        laid = (*knot.laid, *laid) if count_laid(knot.laid) == count_waiting(knot) else ()
        fillings = (*knot.fillings, *fillings)[-FILLINGS_KEPT:]
        last = max(last, knot.last)
        knots = knots.delete(at)
    new = Knot(parts, last, laid, fillings)
    store_channel(draft, replace(channel, knots=knots.set(at, new), next=at + 1))


def _replace_part(draft: Draft, channel: Channel, at: int, old: Part, new: Part, t: float) -> None:
    """A write that was under way has an end now: put that in, and drop the knot if nothing of it
    waits.
    """
    knot = channel.knots[at]
    parts = [new if part is old else part for part in knot.parts]
    if not new.open and new.taken > new.write.length:
        # More was laid to it than it wrote: in a knot that was only the likeliest, so others gave
        # the rest.
        excess = new.taken - new.write.length
        parts = [replace(part, taken=new.write.length) if part is new else part for part in parts]
        for i, part in enumerate(parts):
            more = min(excess, part.left)
            parts[i] = replace(part, taken=part.taken + more)
            excess -= more
        if excess and not any(part.open for part in parts):
            distrust_channel(draft, channel.key, _TOO_MANY)
            return
    under_way = any(part.write.n == 0 and not part.cut for part in parts)
    last = math.inf if under_way else max([t, *(part.write.t for part in parts if not part.open)])
    before, after = old.write, new.write
    laid = tuple(
        replace(one, began=after.began)
        if (one.tid, one.began) == (before.tid, before.began)
        else one
        for one in knot.laid
    )
    knot = Knot(tuple(parts), last, laid, knot.fillings)
    store_channel(draft, _with_knot(channel, at, knot))


def _with_knot(channel: Channel, at: int, knot: Knot) -> Channel:
    """The channel with this knot, or without it if nothing of it waits any more."""
    if any(part.open or part.left for part in knot.parts):
        return replace(channel, knots=channel.knots.set(at, knot))
    if channel.first < at < channel.next - 1:
        return replace(
            channel, knots=channel.knots.set(at, knot)
        )  # it is dropped when it is the first
    first = channel.first + 1 if at == channel.first else channel.first
    following = at if at == channel.next - 1 else channel.next
    return replace(
        channel,
        knots=channel.knots.delete(at),
        first=min(first, following),
        next=following,
        written_until=max(channel.written_until, knot.last),
    )


def _name_sources(draft: Draft, write: Write, n: int) -> None:
    """Reads that drew on a write under way learn the number of its return."""

    def named(source: Source) -> Source:
        mine = source.n == 0 and source.tid == write.tid and source.began == write.began
        return replace(source, n=n) if mine else source

    for i, read in enumerate(draft.reads):
        if any(source.n == 0 and source.tid == write.tid for source in read.sources):
            new = replace(read, sources=tuple(named(source) for source in read.sources))
            draft.reads = (*draft.reads[:i], new, *draft.reads[i + 1 :])


def _prove_interleavings(draft: Draft, key: str, event: Call) -> None:
    """A long write has returned: did others come in between for certain?

    They did if some of it was there before another write had put in its last byte, and it still
    slept, with bytes left to write, after that had returned.
    """
    channel = draft.channels[key]
    if untouched_asleep(event.name, event.args):
        return
    knots = (knot for knot in channel.knots.values() if len(knot.parts) > 1)
    found: list[Interleaving] = []
    for knot in knots:
        mine = next((part for part in knot.parts if part.write.n == event.n), None)
        if mine is None:
            continue
        for part in knot.parts:
            other = part.write
            ended = part is not mine and other.n > 0 and other.t <= mine.asleep
            if ended and _came_before_end(knot, mine, part):
                found.append(Interleaving(event.n, event.pid, other.n, other.pid))
    if found:
        interleaved = (*channel.interleaved, *found)[-INTERLEAVINGS_KEPT:]
        store_channel(draft, replace(channel, interleaved=interleaved))


def _came_before_end(knot: Knot, mine: Part, other: Part) -> bool:
    """Whether some bytes of a write were there before the last one of another write.

    They were if one of them had been read by then, or if more bytes were there than the others can
    have put.
    """
    last = max(other.write.began, other.asleep)
    if 0 <= mine.read_at <= last:
        return True
    others = [part.write for part in knot.parts if part is not mine]
    if any(max(write.length, write.most) < 0 for write in others):
        return False
    most = sum(write.length if write.length >= 0 else write.most for write in others) - 1
    return any(filling.t <= last and filling.count > most for filling in knot.fillings)


# Reads.


def _lay_read(draft: Draft, event: Call, key: str, length: int) -> tuple[Source, ...] | None:
    """Lay the bytes that a read took to their writes; None if it took none, no sources if they are
    not known.
    """
    channel = draft.channels.get(key)
    if channel is None or not channel.known:
        return () if length else None
    reading = tuple(r for r in channel.reading if r.tid != event.tid)
    if len(reading) != len(channel.reading):
        channel = replace(channel, reading=reading)
        store_channel(draft, channel)
    if not length:
        return None
    earliest = _find_earliest(event, event.name)
    if earliest < channel.since:
        distrust_channel(draft, key, _READ_BEFORE)
        return ()
    if any(r.cut for r in reading):
        distrust_channel(draft, key, "a thread ended inside a read of it")
        return ()
    alone = not reading and earliest >= channel.read_until and not channel.named
    drawn = _draw_bytes(channel, length, event.data, event.t, sure=alone)
    if isinstance(drawn, str):
        distrust_channel(draft, key, drawn)
        return ()
    channel, sources = drawn
    store_channel(draft, replace(channel, read_until=event.t))
    return sources


def _draw_bytes(
    channel: Channel, length: int, data: bytes, t: float, *, sure: bool
) -> tuple[Channel, tuple[Source, ...]] | str:
    """Take so many bytes from the front: the channel without them and where they came from, or why
    that is unknown.
    """
    sources: list[Source] = []
    position = 0
    while position < length:
        if channel.first == channel.next:
            return _TOO_MANY
        knot = channel.knots[channel.first]
        wanted = length - position
        laid = knot.laid[0] if knot.laid else None
        alone = len(knot.parts) == 1 or laid is not None
        rivals: tuple[Part, ...] = ()
        part: Part | None = knot.parts[0]
        if laid is not None:
            part = _find_part(knot, laid)
        elif not alone:
            part, rivals = _find_likeliest_write(knot, data[position:])
        if part is not None and part.guessed:
            # How much of each was read before is a guess, so this is one as well.
            rivals = tuple(one for one in knot.parts if one is not part and one.guessed)
        if part is None:
            return _TOO_MANY
        if part.cut and part.open and (channel.first != channel.next - 1 or not alone):
            return "a thread ended inside a write to it"
        count = min(wanted, _count_room(part), laid.length if laid is not None else wanted)
        if laid is None and alone and part.open and count < wanted:
            return _TOO_MANY
        write = part.write
        if count:
            sources.append(
                Source(
                    n=write.n,
                    pid=write.pid,
                    tid=write.tid,
                    fd=write.fd,
                    began=write.began,
                    offset=part.taken,
                    length=count,
                    sure=sure and alone,
                    step=write.step,
                    rivals=tuple(dict.fromkeys(one.write.pid for one in rivals)),
                )
            )
        read_at = t if sure and alone and part.read_at < 0 else part.read_at
        guessed = part.guessed or bool(rivals)
        taken = replace(part, taken=part.taken + count, read_at=read_at, guessed=guessed)
        parts = tuple(taken if p is part else _doubt_part(p, rivals) for p in knot.parts)
        rest = _drop_laid(knot.laid, count) if laid is not None else ()
        channel = _with_knot(channel, channel.first, replace(knot, parts=parts, laid=rest))
        position += count
    return channel, tuple(sources)


def _find_part(knot: Knot, laid: Laid) -> Part | None:
    """The write that these bytes are of; None if it is none of the knot's any more."""
    return next(
        (
            part
            for part in knot.parts
            if (part.write.tid, part.write.began) == (laid.tid, laid.began)
        ),
        None,
    )


def _drop_laid(laid: tuple[Laid, ...], count: int) -> tuple[Laid, ...]:
    """What lies in a knot when so many bytes of the first of it were read."""
    first, *rest = laid
    left = first.length - count
    return (replace(first, length=left), *rest) if left else tuple(rest)


def _doubt_part(part: Part, rivals: tuple[Part, ...]) -> Part:
    """A part of a knot, marked if it is one of those that bytes may have come from as well."""
    return replace(part, guessed=True) if part in rivals else part


def _drop_rest(draft: Draft, event: Call, key: str, length: int, last: Source) -> int:
    """Throw away what a read has left of the packet that it took its bytes from: how many bytes
    that is.
    """
    if length < most_bytes(event.name, event.args):
        return 0  # there was room for all of it
    channel = draft.channels[key]
    knot = channel.knots.get(channel.first)
    inside = (last.offset + last.length) % PACKET
    if not last.sure:
        distrust_channel(
            draft,
            key,
            "the rest of a packet was thrown away, and which one that was is not certain",
        )
    elif (
        knot is not None
        and inside
        and (knot.parts[0].write.tid, knot.parts[0].write.began) == (last.tid, last.began)
    ):
        part = knot.parts[0]
        if part.open:
            distrust_channel(draft, key, "a packet was read in part while it was being written")
            return 0
        count = min(PACKET - inside, part.left)
        part = replace(part, taken=part.taken + count)
        knot = Knot((part, *knot.parts[1:]), knot.last)
        store_channel(draft, _with_knot(channel, channel.first, knot))
        return count
    return 0


def _count_room(part: Part) -> int:
    """How many bytes more may come from a write."""
    if not part.open:
        return part.left
    return part.write.most - part.taken if part.write.most >= 0 else 1 << 62


def _find_likeliest_write(knot: Knot, data: bytes) -> tuple[Part | None, tuple[Part, ...]]:
    """Which of several writes the next bytes came from, by the bytes, and from which others they
    may have come if these speak for none; None if none has any left.

    One that has been read in part goes on before another begins, as far as the bytes don't speak
    against it.
    """
    waiting = [part for part in knot.parts if _count_room(part)]
    waiting.sort(key=lambda part: (not part.taken, part.open))
    unknown = None
    for part in waiting:
        head = part.write.head[part.taken :]
        common = min(len(head), len(data))
        if (
            common
            and head[:common] == data[:common]
            and (unknown is None or len(set(data[:common])) >= _TELLING)
        ):
            return part, ()
        if not common and unknown is None:
            unknown = part
    found = unknown or (waiting[0] if waiting else None)
    return found, tuple(part for part in waiting if part is not found)


# Levels.


def _note_filling(draft: Draft, channel: Channel, level: Level) -> None:
    """A level that was read while several writes were under way: so many bytes they had put there,
    at least. What reads under way have taken is not told yet, so it may be more.
    """
    knot = channel.knots.get(channel.next - 1)
    if not channel.known or knot is None or len(knot.parts) < 2 or level.unit != "bytes":
        return
    before = sum(
        part.left
        for number in range(channel.first, channel.next - 1)
        for part in channel.knots[number].parts
    )
    count = sum(part.taken for part in knot.parts) + level.queued - before
    fillings = (*knot.fillings, Filling(draft.t, count))[-FILLINGS_KEPT:]
    knot = replace(knot, fillings=fillings)
    knots = channel.knots.set(channel.next - 1, knot)
    store_channel(draft, replace(channel, knots=knots))


def apply_level(draft: Draft, level: Level) -> None:
    """A level that was read while no call was under way: it must be what the ledger has, and 0
    makes it known again.
    """
    channel = draft.channels.get(level.object)
    if channel is None:
        return
    if not level.quiet:
        _note_filling(draft, channel, level)
        return
    if not channel.known:
        if not level.queued and not channel.outside:
            store_channel(
                draft,
                Channel(
                    key=channel.key, since=draft.t, named=channel.named, packets=channel.packets
                ),
            )
        return
    parts = [part for knot in channel.knots.values() for part in knot.parts]
    expected = sum(part.left for part in parts)
    open_parts = [part for part in parts if part.open]
    cut_reads = [r for r in channel.reading if r.cut]
    difference = level.queued - expected
    if len(open_parts) == 1 and open_parts[0].cut and not cut_reads:
        part = open_parts[0]
        most = part.write.most
        if difference >= 0 and (most < 0 or part.taken + difference <= most):
            at = next(i for i, knot in channel.knots.items() if part in knot.parts)
            write = replace(part.write, length=part.taken + difference, t=draft.t)
            _replace_part(draft, channel, at, part, replace(part, write=write), draft.t)
            return
    elif len(cut_reads) == 1 and not open_parts and difference <= 0:
        most = cut_reads[0].most
        if most < 0 or -difference <= most:
            drawn = _draw_bytes(channel, -difference, b"", draft.t, sure=True)
            if not isinstance(drawn, str):
                store_channel(
                    draft, replace(drawn[0], reading=tuple(r for r in channel.reading if not r.cut))
                )
                return
    elif not open_parts and not cut_reads and not difference:
        return
    words = f"{level.queued:,} bytes wait in it, and {expected:,} were expected"
    distrust_channel(
        draft, level.object, words if not level.queued else f"{words}; nobody knows whose they are"
    )
