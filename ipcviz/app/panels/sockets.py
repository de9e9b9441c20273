"""What the buffers panel says of the selected socket beyond its bytes."""

from __future__ import annotations

from ipcviz.app.panels.cells import wrap
from ipcviz.app.panels.panel import Row, fit, row
from ipcviz.app.view import View
from ipcviz.events.kinds import SOCKETS
from ipcviz.model.addresses import takes_datagrams
from ipcviz.model.mechanisms.sockets import CLOSED, under_way_words
from ipcviz.model.state import Object
from ipcviz.model.waits.outsiders import names_words, outsiders_of
from ipcviz.narrate import who

_NAMED = 6


def socket_rows(view: View, thing: Object, width: int) -> list[Row]:
    """Its ends and its state, who is at the other end, what is not acknowledged, who waits, what
    was lost.
    """
    if thing.info.kind not in SOCKETS:
        return []
    return [
        row((fit(line, width), "dim"))
        for words in _facts(view, thing)
        for line in wrap(words, width)
    ]


def _facts(view: View, thing: Object) -> list[str]:
    info, level = thing.info, thing.level
    name = "" if info.path.startswith("socket:") else info.path
    found = [" ".join(word for word in (thing.label, f"({info.kind})", name, info.detail) if word)]
    peer = view.state.objects.get(info.peer) if info.peer else None
    if peer is not None:
        whom = ", ".join(
            dict.fromkeys(who(view.state, h.pid) for h in view.holders.get(peer.info.key, ()))
        )
        verb = (
            "Sends to" if takes_datagrams(info) and peer.info.peer != info.key else "The other end:"
        )
        found.append(
            f"{verb} {peer.label},"
            f" {whom or ('closed' if peer.shut == CLOSED else 'held by nobody watched')}"
        )
    elif others := outsiders_of(view.state, info.key):
        have = "has not accepted it yet" if others[0].how == "listens" else "has the other end"
        found.append(f"{names_words(others)}, not watched, {have}")
    elif info.peer or info.remote:
        whom = f"; {info.with_whom} had it when they were connected" if info.with_whom else ""
        found.append(f"The other end is held by nobody that is watched{whom}")
    if level is None:
        return found
    if level.unsent > 0:
        most = f" of {level.unsent_limit:,}" if level.unsent_limit else ""
        found.append(
            f"{level.unsent:,}{most} bytes are written here and not acknowledged by the other end"
        )
    if level.memory > 0:
        found.append(
            "The figure is memory, with bookkeeping"
            + f"; the next datagram has {level.queued:,} bytes"
        )
    if level.lost:
        found.append(f"{level.lost:,} datagrams were lost for want of room")
    if level.state and info.kind == "unix socket":
        found.append(f"It is {level.state}")
    if level.connecting:
        labels = [
            view.state.objects[key].label for key in level.connecting if key in view.state.objects
        ]
        more = len(level.connecting) - len(labels[:_NAMED])
        rest = [f"{more} more"] if more else []
        found.append(f"Waiting to be accepted: {', '.join([*labels[:_NAMED], *rest])}")
    words = under_way_words(view.state, thing)
    return [*found, words] if words else found
