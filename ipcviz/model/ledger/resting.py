"""What the byte ledger learns in step mode when all is at rest: how much a write that sleeps has
put into its channel, and in which order such parts lie there. Pure.

A write of more than PIPE_BUF bytes goes in in parts, and which bytes of two such writes come first
nobody can tell while both run. In step mode one thread is let go at a time. So what a channel has
got since it was at rest before is of that thread, or of the only write that sleeps in it.
"""

from __future__ import annotations

import msgspec

from ipcviz.events import Level
from ipcviz.model.channels import Channel, Knot, Laid, Part
from ipcviz.model.draft import Draft
from ipcviz.model.ledger.knowledge import store_channel

replace = msgspec.structs.replace


def apply_rest(draft: Draft) -> None:
    """All is at rest, and no level changes before somebody is let go."""
    for key, channel in draft.channels.items():
        thing = draft.objects.get(key)
        if thing is not None and thing.level is not None and _can_be_told(channel, thing.level):
            _lay_rest(draft, channel, thing.level.queued)


def _can_be_told(channel: Channel, level: Level) -> bool:
    """Whether a channel's level says how much a write in it has put there."""
    return (
        channel.known
        and not channel.named
        and not channel.packets
        and not channel.reading
        and level.unit == "bytes"
    )


def _lay_rest(draft: Draft, channel: Channel, queued: int) -> None:
    """Lay what a channel has more than is known of to the write that put it there."""
    knot = channel.knots.get(channel.next - 1)
    if knot is None:
        return
    more = queued - sum(map(count_waiting, channel.knots.values()))
    part = _find_writer(draft, knot)
    if part is None:
        if more:
            _store_last(draft, channel, forget_parts(knot))
        return
    laid = knot.laid if len(knot.parts) > 1 else lay_part(part)
    put = max(part.put, part.taken) + more
    if more < 0 or put > part.write.most or count_laid(laid) != count_waiting(knot):
        return
    if more:
        laid = (*laid, Laid(part.write.tid, part.write.began, more))
    new = replace(part, put=put)
    parts = tuple(new if one is part else one for one in knot.parts)
    if (parts, laid) != (knot.parts, knot.laid):
        _store_last(draft, channel, replace(knot, parts=parts, laid=laid))


def _store_last(draft: Draft, channel: Channel, knot: Knot) -> None:
    knots = channel.knots.set(channel.next - 1, knot)
    store_channel(draft, replace(channel, knots=knots))


def forget_rest(draft: Draft) -> None:
    """All run by themselves from here on: a write that slept may have gone on."""
    for channel in draft.channels.values():
        knot = channel.knots.get(channel.next - 1)
        if knot is not None and any(part.put >= 0 for part in knot.parts):
            _store_last(draft, channel, forget_parts(knot))


def forget_parts(knot: Knot) -> Knot:
    """The knot without what is known of writes under way; what lies at its front stays."""
    return replace(knot, parts=tuple(replace(part, put=-1) for part in knot.parts))


def _find_writer(draft: Draft, knot: Knot) -> Part | None:
    """The write that alone can have put bytes there since all was at rest before; None if it may
    have been several.
    """
    sleeping = [part for part in knot.parts if part.open and not part.cut]
    for part in sleeping:
        if part.write.tid == draft.moved and part.write.step == draft.step:
            # It was let go, and has not done anything else: the others slept all the time.
            return part
    return sleeping[0] if len(sleeping) == 1 and len(knot.parts) == 1 else None


def count_known(part: Part) -> int:
    """How many bytes of a write wait, as far as that is known."""
    return max(part.put - part.taken, 0) if part.open else part.left


def count_waiting(knot: Knot) -> int:
    """How many bytes of a knot wait, as far as that is known."""
    return sum(map(count_known, knot.parts))


def count_laid(laid: tuple[Laid, ...]) -> int:
    """How many bytes these are."""
    return sum(one.length for one in laid)


def lay_part(part: Part) -> tuple[Laid, ...]:
    """What lies in a knot that is this one write."""
    count = count_known(part)
    return (Laid(part.write.tid, part.write.began, count),) if count else ()
