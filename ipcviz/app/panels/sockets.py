"""What the buffers panel says of the selected socket beyond its bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipcviz.app.panels.cells import wrap_text
from ipcviz.app.panels.panel import Row, fit_value, make_row
from ipcviz.events.kinds import SOCKETS, WITH_STATES
from ipcviz.model.addresses import takes_datagrams
from ipcviz.model.mechanisms.sockets import CLOSED, describe_under_way
from ipcviz.model.waits.outsiders import outsiders_of
from ipcviz.narrate import name_process
from ipcviz.narrate.outsiders import name_outsiders

if TYPE_CHECKING:
    from ipcviz.app.view import View
    from ipcviz.model.state import Object

_NAMED = 6


def socket_rows(view: View, thing: Object, width: int) -> list[Row]:
    """Its ends and its state, who is at the other end, what is not acknowledged, who waits, what
    was lost.
    """
    if thing.info.kind not in SOCKETS:
        return []
    return [
        make_row((fit_value(line, width), "dim"))
        for words in _socket_facts(view, thing)
        for line in wrap_text(words, width)
    ]


def _socket_facts(view: View, thing: Object) -> list[str]:
    """Sentences about a socket, those about its other end first."""
    info = thing.info
    name = "" if info.path.startswith("socket:") else info.path
    words = [" ".join(word for word in (thing.label, f"({info.kind})", name, info.detail) if word)]
    words += [_other_end(view, thing)]
    words += _queue_facts(view, thing)
    words += [describe_under_way(view.state, thing)] if thing.level is not None else []
    return [word for word in words if word]


def _other_end(view: View, thing: Object) -> str:
    """Who has a socket's other end; empty if it has none."""
    info = thing.info
    peer = view.state.objects.get(info.peer) if info.peer else None
    if peer is not None:
        names = [name_process(view.state, h.pid) for h in view.holders.get(peer.info.key, ())]
        nobody = "closed" if peer.shut == CLOSED else "held by nobody watched"
        one_way = takes_datagrams(info) and peer.info.peer != info.key
        verb = "Sends to" if one_way else "The other end:"
        return f"{verb} {peer.label}, {', '.join(dict.fromkeys(names)) or nobody}"
    others = outsiders_of(view.state, info.key)
    if others:
        have = "has not accepted it yet" if others[0].how == "listens" else "has the other end"
        return f"{name_outsiders(others)}, not watched, {have}"
    if not info.peer and not info.remote:
        return ""
    whom = f"; {info.with_whom} had it when they were connected" if info.with_whom else ""
    return f"The other end is held by nobody that is watched{whom}"


def _queue_facts(view: View, thing: Object) -> list[str]:
    """What waits at a socket beyond its bytes: what is not acknowledged, not accepted, or lost."""
    level = thing.level
    if level is None:
        return []
    found = []
    if level.unsent > 0:
        most = f" of {level.unsent_limit:,}" if level.unsent_limit else ""
        found.append(
            f"{level.unsent:,}{most} bytes are written here and not acknowledged by the other end"
        )
    if level.memory > 0:
        found.append(
            f"The figure is memory, with bookkeeping; the next datagram has {level.queued:,} bytes"
        )
    if level.lost:
        found.append(f"{level.lost:,} datagrams were lost for want of room")
    if level.state and thing.info.kind not in WITH_STATES:
        found.append(f"It is {level.state}")
    if level.connecting:
        objects = view.state.objects
        labels = [objects[key].label for key in level.connecting if key in objects][:_NAMED]
        more = len(level.connecting) - len(labels)
        rest = [f"{more} more"] if more else []
        found.append(f"Waiting to be accepted: {', '.join([*labels, *rest])}")
    return found
