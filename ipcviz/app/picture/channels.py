"""Pipes, FIFOs, sockets and message queues: tubes between processes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ipcviz.app.picture.draft import SceneDraft
from ipcviz.app.picture.scene import Gauge, Node, NodeKind, NodeLine
from ipcviz.app.text import make_visible, moved_text
from ipcviz.events.kinds import KINDS
from ipcviz.model import query
from ipcviz.model.mechanisms.sockets import under_way
from ipcviz.model.parts import ObjectPart
from ipcviz.model.state import Object
from ipcviz.model.waits.values import Why

CHANNELS: Final[Mapping[str, NodeKind]] = {
    kind.name: kind.drawn for kind in KINDS.values() if kind.drawn and kind.shape == "tube"
}
"""What each kind of object is drawn as."""


def add_channel(d: SceneDraft, thing: Object, links: list[query.Link]) -> None:
    """A pipe, a FIFO or a message queue, with those that have it open."""
    key = thing.info.key
    node = f"o:{key}"
    unit = "messages" if thing.info.kind == "message queue" and not key.startswith("msg:") else "B"
    d.add_node(
        Node(
            id=node,
            kind=CHANNELS[thing.info.kind],
            title=make_visible(thing.label),
            lines=(*_describe_passed_fds(d, thing, links), *_describe_traffic(d, thing)),
            gauges=(tube_gauge(d, thing, unit),),
            order=(thing.opened_at, thing.info.ino),
            lit=ObjectPart(key) in d.lit,
            select=("object", key),
        )
    )
    d.keep_past_users(thing, node)
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
                d.join_nodes(source, target, "flow" if use and strong else "hold", thing, link.pid)


def _describe_passed_fds(
    d: SceneDraft, thing: Object, links: list[query.Link]
) -> tuple[NodeLine, ...]:
    """Descriptors of it that are under way, or came so (SCM_RIGHTS)."""
    found = []
    for key, flight in under_way(d.state, thing.info.key)[:1] if d.state.flights else ():
        through = d.state.objects.get(key)
        sender = d.state.processes.get(flight.pid)
        words = (
            f"on its way in {make_visible(through.label)}" if through is not None else "on its way"
        )
        found.append(
            NodeLine(
                f"{words}, from {make_visible(sender.name)}" if sender else words,
                "strong",
                short=words,
            )
        )
    for link in links:
        rows = d.state.descriptors_of(link.pid)
        how = next(
            (
                rows[fd].how
                for fd in link.fds
                if fd in rows and rows[fd].how.startswith("received ")
            ),
            "",
        )
        if how:
            words = make_visible(how.removeprefix("received "))
            found.append(NodeLine(words, "dim", short=words.partition(" from ")[0]))
    return tuple(found[:2])


def add_closed_channel(d: SceneDraft, thing: Object) -> None:
    """A channel that nobody has open any more, faded, for as long as one who used it is."""
    node = f"o:{thing.info.key}"
    if node not in d.nodes and d.keep_past_users(thing, node):
        d.add_node(
            Node(
                id=node,
                kind=CHANNELS[thing.info.kind],
                title=make_visible(thing.label),
                lines=_describe_traffic(d, thing),
                gauges=(Gauge(0, thing.info.capacity),),
                order=(thing.opened_at, thing.info.ino),
                faded=True,
                select=("object", thing.info.key),
            )
        )


def tube_gauge(d: SceneDraft, thing: Object, unit: str = "B", *, backwards: bool = False) -> Gauge:
    """How full an object is, as one direction of a tube."""
    if d.ended:
        return Gauge(0, thing.info.capacity, backwards=backwards, unit=unit)
    level = thing.level
    blocked = bool(d.blocked.get(thing.info.key))
    if level is None:
        return Gauge(0, thing.info.capacity, blocked, False, backwards, unit)
    full = blocked or level.writable is False
    queued = max(level.queued, level.memory)
    return Gauge(queued, level.capacity or thing.info.capacity, full, True, backwards, unit)


def add_open_waiters(d: SceneDraft) -> None:
    """Who waits to open a FIFO has no descriptor yet, and belongs into the picture all the same."""
    for pid, waits in d.waits.items():
        for wait in waits:
            thing = d.state.objects.get(wait.object)
            if (
                thing is None
                or thing.info.kind != "fifo"
                or wait.fd >= 0
                or wait.why not in (Why.NO_READER, Why.NO_WRITER)
            ):
                continue
            node = f"o:{thing.info.key}"
            if node not in d.nodes:
                add_channel(d, thing, [])
            writes = wait.why is Why.NO_READER
            d.strong.add(pid)
            d.join_nodes(
                *((f"p:{pid}", node) if writes else (node, f"p:{pid}")), "flow", thing, pid
            )


def _describe_traffic(d: SceneDraft, thing: Object) -> tuple[NodeLine, ...]:
    if not thing.bytes_in and not thing.bytes_out:
        return ()
    put, exact = query.went_in(d.state, thing)
    if d.ended:
        total = moved_text(put, exact)
        return (NodeLine(f"{total} went through", "dim", short=total),)
    begin = f"in {moved_text(put, exact)}"
    return (
        NodeLine(f"{begin}, out {moved_text(thing.bytes_out, thing.exact)}", "dim", short=begin),
    )
