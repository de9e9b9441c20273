"""Pipes, FIFOs, sockets and message queues: tubes between processes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ipcviz.app.picture.draft import Draft
from ipcviz.app.picture.scene import Gauge, Line, Node, NodeKind
from ipcviz.app.text import bytes_text, visible
from ipcviz.model import query
from ipcviz.model.state import Object

CHANNELS: Final[Mapping[str, NodeKind]] = {
    "pipe": "pipe",
    "fifo": "fifo",
    "unix socket": "socket",
    "tcp socket": "socket",
    "udp socket": "socket",
    "socket": "socket",
    "message queue": "queue",
}
"""What each kind of object is drawn as."""


def channel(d: Draft, thing: Object, links: list[query.Link]) -> None:
    """A pipe, a FIFO or a message queue, with those that have it open."""
    key = thing.info.key
    node = f"o:{key}"
    unit = "messages" if thing.info.kind == "message queue" and not key.startswith("msg:") else "B"
    d.add(
        Node(
            id=node,
            kind=CHANNELS[thing.info.kind],
            title=visible(thing.label),
            lines=_through(thing),
            gauges=(_gauge(d, thing, unit),),
            order=(thing.opened_at, thing.info.ino),
            lit=("object", key) in d.lit,
            select=("object", key),
        )
    )
    d.past(thing, node)
    for link in links:
        reads, writes = link.reads, link.writes
        if reads and writes and unit == "B":
            reads, writes = d.main_direction(thing, link)
        strong = (reads or writes) and link.pid not in d.supervisors
        if strong:
            d.strong.add(link.pid)
            if reads and 0 in link.fds:
                d.fed.add(link.pid)
        for flag, use, source, target in (
            (link.writes, writes, f"p:{link.pid}", node),
            (link.reads, reads, node, f"p:{link.pid}"),
        ):
            if flag:
                d.join(source, target, "flow" if use and strong else "hold", thing, link.pid)


def closed(d: Draft, thing: Object) -> None:
    """A channel that nobody has open any more, faded, for as long as one who used it is."""
    node = f"o:{thing.info.key}"
    if node not in d.nodes and d.past(thing, node):
        d.add(
            Node(
                id=node,
                kind=CHANNELS[thing.info.kind],
                title=visible(thing.label),
                lines=_through(thing),
                gauges=(Gauge(0, thing.info.capacity),),
                order=(thing.opened_at, thing.info.ino),
                faded=True,
                select=("object", thing.info.key),
            )
        )


def _gauge(d: Draft, thing: Object, unit: str = "B", backwards: bool = False) -> Gauge:
    level = thing.level
    blocked = bool(d.blocked.get(thing.info.key))
    if level is None:
        return Gauge(0, thing.info.capacity, blocked, False, backwards, unit)
    full = blocked or level.writable is False
    return Gauge(level.queued, level.capacity or thing.info.capacity, full, True, backwards, unit)


def socket(d: Draft, thing: Object, links: list[query.Link], by_object: Mapping[str, list[query.Link]]) -> None:
    """A stream socket: with its peer one tube with two directions."""
    key, info = thing.info.key, thing.info
    peer = d.state.objects.get(info.peer) if info.peer else None
    there = by_object.get(info.peer, []) if peer is not None else []
    if peer is None or not there:
        _lone_socket(d, thing, links)
        return
    # The accepting side has the name; of a socketpair the older holder's end counts as the client's.
    server_here = bool(info.path and not info.path.startswith("socket:"))
    server_there = bool(peer.info.path and not peer.info.path.startswith("socket:"))
    mine = min(d.born(x.pid) for x in links)
    theirs = min(d.born(x.pid) for x in there)
    swap = server_here if server_here != server_there else (theirs, peer.info.key) < (mine, key)
    if swap or f"o:{key}" in d.nodes:
        return  # told from the other end
    node = f"o:{key}"
    name = f"{visible(thing.label)}-{visible(peer.label)}"
    d.add(
        Node(
            id=node,
            kind="socket",
            title=name,
            lines=(),
            gauges=(_gauge(d, peer), _gauge(d, thing, backwards=True)),
            order=(thing.opened_at, info.ino),
            lit=bool({("object", key), ("object", peer.info.key)} & d.lit),
            select=("object", key),
        )
    )
    ours = {x.pid for x in links}
    others = {x.pid for x in there}
    for pid in sorted(ours | others):
        both_ends = pid in ours and pid in others
        weak = both_ends or pid in d.supervisors
        if not weak:
            d.strong.add(pid)
        source, target = (f"p:{pid}", node) if pid in ours else (node, f"p:{pid}")
        d.join(source, target, "hold" if weak else "flow", thing, pid, both=not weak)


def _lone_socket(d: Draft, thing: Object, links: list[query.Link]) -> None:
    info = thing.info
    listening = "listen" in info.detail.lower()
    title = visible(thing.label)
    path = info.path if not info.path.startswith("socket:") else ""
    d.add(
        Node(
            id=f"o:{info.key}",
            kind="socket" if not listening else "file",
            title=visible(path.rpartition("/")[2]) or title,
            corner="listening" if listening else info.kind,
            lines=(Line(visible(info.detail) or info.kind, "dim"),),
            gauges=() if listening else (_gauge(d, thing),),
            order=(thing.opened_at, info.ino),
            lit=("object", info.key) in d.lit,
            select=("object", info.key),
        )
    )
    for link in links:
        weak = link.pid in d.supervisors
        if not weak:
            d.strong.add(link.pid)
        d.join(f"o:{info.key}", f"p:{link.pid}", "hold" if weak else "flow", thing, link.pid)


def opening(d: Draft) -> None:
    """Who waits to open a FIFO has no descriptor yet, and belongs into the picture all the same."""
    for pid, waits in d.waits.items():
        for wait in waits:
            thing = d.state.objects.get(wait.object)
            if thing is None or thing.info.kind != "fifo" or wait.fd >= 0 or "open" not in wait.call:
                continue
            node = f"o:{thing.info.key}"
            if node not in d.nodes:
                channel(d, thing, [])
            writes = "no reader" in wait.reason
            d.strong.add(pid)
            d.join(*((f"p:{pid}", node) if writes else (node, f"p:{pid}")), "flow", thing, pid)


def _through(thing: Object) -> tuple[Line, ...]:
    if not thing.bytes_in and not thing.bytes_out:
        return ()
    put, exact = query.went_in(thing)
    begin = f"in {'' if exact else '>='}{bytes_text(put)}"
    return (Line(f"{begin}, out {'' if thing.exact else '>='}{bytes_text(thing.bytes_out)}", "dim", short=begin),)
