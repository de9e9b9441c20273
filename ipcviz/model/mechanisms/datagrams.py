"""Datagrams under way: how long those were that a socket has not received yet, so that a cut one is
noticed. Pure.

A receive takes one datagram, and what its room is too small for is lost: recvmsg(2) tells it by
MSG_TRUNC, read(2) and recv(2) do not. So what was sent to a socket is remembered until it is
received: its length and its first bytes.
"""

from __future__ import annotations

from typing import Final

from ipcviz.events import Call, ObjectInfo
from ipcviz.events.calls import READS, where
from ipcviz.events.kinds import CONNECTIONLESS, PEERED
from ipcviz.model.addresses import takes_datagrams
from ipcviz.model.draft import Draft
from ipcviz.model.ledger.directions import CHANNEL_READS
from ipcviz.model.state import Datagram, Object, State

KEPT: Final = 64
"""Datagrams remembered of one socket, the latest."""
_VECTORS: Final = where(lambda call: call.name in READS and call.find_argument("iov", "msg") >= 0)
"""Calls whose room their arguments do not tell."""
_TELLING: Final = where(lambda call: call.name in READS and call.find_argument("msg") >= 0)
"""Those among them that say that a datagram was cut (MSG_TRUNC)."""


def keeps_bounds(info: ObjectInfo) -> bool:
    """Whether a socket receives what was sent to it in the pieces in which that was sent."""
    return takes_datagrams(info) or (info.kind in PEERED and info.detail.startswith("seqpacket"))


def is_lossy(info: ObjectInfo) -> bool:
    """Whether what was sent to a socket can be dropped on the way, so that the next one that comes
    is another.
    """
    return info.kind in CONNECTIONLESS


def apply_sent(draft: Draft, event: Call, key: str) -> None:
    """A datagram was sent to a socket, by its key."""
    if draft.keep_ledger:
        sent = Datagram(event.ret, event.data)
        draft.datagrams = draft.datagrams.set(key, (*draft.datagrams.get(key, ()), sent)[-KEPT:])


def apply_received(draft: Draft, event: Call) -> None:
    """A socket has received: that datagram is under way no more, nor is any that was sent before
    it.
    """
    kept = draft.datagrams.get(event.object)
    place = _find_place(kept, event) if kept else -1
    if kept and place >= 0:
        left = kept[place + 1 :]
        draft.datagrams = (
            draft.datagrams.set(event.object, left)
            if left
            else draft.datagrams.delete(event.object)
        )


def list_waiting(state: State, thing: Object) -> tuple[Datagram, ...]:
    """The datagrams that wait in a UNIX socket, the next to be received first, as far as they were
    seen being sent; empty if that does not agree with what the kernel says of the next one.

    Those without a byte are not among them.
    """
    kept = state.datagrams.get(thing.info.key, ())
    if not kept or thing.level is None or is_lossy(thing.info):
        return ()
    # FIONREAD tells of the next datagram, of packets (SOCK_SEQPACKET) the sum: unix(7).
    told = kept[:1] if takes_datagrams(thing.info) else kept
    return kept if sum(one.length for one in told) == thing.level.queued else ()


def find_received(before: State, event: Call) -> Datagram | None:
    """What was sent of which a call has taken the beginning, or all; None if that is not known.

    Args:
        before: The state before the call's event.
        event: A call that received something.
    """
    kept = before.datagrams.get(event.object)
    place = _find_place(kept, event) if kept else -1
    return kept[place] if kept and place >= 0 else None


def count_taken(event: Call) -> int:
    """How many bytes a call has taken: with MSG_TRUNC it returns the datagram's whole length
    instead.
    """
    room = event.get_number("count")
    if event.name not in _VECTORS and room is not None and event.has_flag("MSG_TRUNC"):
        return min(event.ret, room)
    return event.ret


def _find_place(kept: tuple[Datagram, ...], event: Call) -> int:
    """Which of the datagrams under way a call has received, by length and first bytes; -1 if none
    fits.
    """
    if event.name not in CHANNEL_READS or event.error or event.ret <= 0:
        return -1
    whole = event.ret if event.has_flag("MSG_TRUNC") and event.name not in _VECTORS else 0
    room = event.args.get("count")
    taken = count_taken(event)
    if event.name in _TELLING:
        filled = bool(event.args.get("cut"))
    else:
        # How much room readv had is not told: it takes less than a datagram only for want of it.
        filled = event.name in _VECTORS or taken == room
    for place, sent in enumerate(kept):
        fits = (
            sent.length == whole
            if whole
            else sent.length == taken or (filled and sent.length > taken)
        )
        common = min(len(sent.head), len(event.data), taken)
        if fits and sent.head[:common] == event.data[:common]:
            return place
    return -1
