"""Sockets in the picture: connections as tubes with two directions, datagrams as tubes with one,
listeners. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ipcviz.app.picture.channels import tube_gauge
from ipcviz.app.picture.scene import Gauge, Node, NodeLine
from ipcviz.app.text import bytes_text, make_visible
from ipcviz.events.kinds import CONNECTIONLESS, WITH_STATES
from ipcviz.model.addresses import is_listening, takes_datagrams
from ipcviz.model.mechanisms.datagrams import list_waiting
from ipcviz.model.mechanisms.sockets import (
    awaited_by,
    describe_closing,
    describe_under_way,
    leads_to,
    listener_at,
)
from ipcviz.model.parts import ObjectPart

if TYPE_CHECKING:
    from ipcviz.app.picture.draft import SceneDraft
    from ipcviz.model import query
    from ipcviz.model.state import Object


def add_socket(
    d: SceneDraft, thing: Object, links: list[query.Link], by_object: Mapping[str, list[query.Link]]
) -> None:
    """A socket: with its peer one tube; a line to where it leads if that has no other end of it."""
    key = thing.info.key
    peer = d.state.objects.get(thing.info.peer) if thing.info.peer else None
    if peer is not None and peer.info.peer == key and by_object.get(peer.info.key):
        _add_connection(d, thing, peer, links, by_object[peer.info.key])
        return
    target = leads_to(d.state, thing, d.backlogs)
    if target is not None and by_object.get(target.info.key) and target is not thing:
        _one_way(d, thing, target, links)
        if not (
            takes_datagrams(thing.info)
            and (thing.info.path or thing.bytes_out or _has_queued(thing))
        ):
            return
    if not _is_blank(thing):
        _add_lone_socket(d, thing, links)


def _is_blank(thing: Object) -> bool:
    """Whether it has been made and leads nowhere yet."""
    info = thing.info
    if info.kind in CONNECTIONLESS:
        return not info.local and not thing.bytes_in
    named = info.path or info.local or info.remote or info.peer
    return not named and info.detail.endswith(("unconnected", "closed")) and not thing.bytes_in


def _has_queued(thing: Object) -> bool:
    return thing.level is not None and thing.level.queued > 0


def _one_way(d: SceneDraft, thing: Object, target: Object, links: list[query.Link]) -> None:
    """What a process sends through a socket, or waits for, leads to the node of another socket."""
    for link in links:
        weak = link.pid in d.supervisors
        if not weak:
            d.strong.add(link.pid)
        d.join_nodes(
            f"p:{link.pid}", f"o:{target.info.key}", "hold" if weak else "flow", thing, link.pid
        )


def _is_server_end(d: SceneDraft, thing: Object) -> bool:
    """Whether an end is the accepting one: it has the listener's name or address."""
    info = thing.info
    if info.path and not info.path.startswith("socket:"):
        return True
    return info.kind in WITH_STATES and listener_at(d.state, info) is not None


def _add_connection(
    d: SceneDraft, thing: Object, peer: Object, links: list[query.Link], there: list[query.Link]
) -> None:
    key = thing.info.key
    # Of a pair without a server the older holder's end counts as the client's.
    server_here, server_there = _is_server_end(d, thing), _is_server_end(d, peer)
    mine = min(d.make_age_key(x.pid) for x in links)
    theirs = min(d.make_age_key(x.pid) for x in there)
    swap = server_here if server_here != server_there else (theirs, peer.info.key) < (mine, key)
    if swap or f"o:{key}" in d.nodes:
        return  # told from the other end
    node = f"o:{key}"
    here, far = make_visible(thing.label), make_visible(peer.label)
    name = here if here == far else f"{here}-{far}"
    d.add_node(
        Node(
            id=node,
            kind="socket",
            title=name,
            lines=_build_fact_lines(d, thing, peer),
            gauges=(_build_gauge(d, thing, peer), _build_gauge(d, peer, thing, backwards=True)),
            order=(thing.opened_at, thing.info.ino),
            lit=bool({ObjectPart(key), ObjectPart(peer.info.key)} & d.lit),
            select=("object", key),
        )
    )
    ours = {x.pid for x in links}
    others = {x.pid for x in there}
    for pid in sorted(ours | others):
        at_here, at_far = pid in ours, pid in others
        if at_here and at_far:
            # Which of both it means to use is plain once it has used one.
            at_here, at_far = _is_in_use(d, links, pid), _is_in_use(d, there, pid)
        weak = at_here == at_far or pid in d.supervisors
        at_here = at_here or (pid in ours and not at_far)
        if not weak:
            d.strong.add(pid)
        source, target = (f"p:{pid}", node) if at_here else (node, f"p:{pid}")
        d.join_nodes(
            source,
            target,
            "hold" if weak else "flow",
            thing,
            pid,
            both=True,
            through=thing if at_here else peer,
        )


def _is_in_use(d: SceneDraft, links: list[query.Link], pid: int) -> bool:
    """Whether a process has moved bytes through one of these ends, or waits for some."""
    return any(
        d.is_used(link) or any(wait.object == link.object for wait in d.waits[pid])
        for link in links
        if link.pid == pid
    )


def _build_gauge(
    d: SceneDraft, source: Object, target: Object, *, backwards: bool = False
) -> Gauge:
    """What lies between a write to one end and a read from the other: of TCP some of it at the
    sending end.
    """
    found = tube_gauge(d, target, backwards=backwards)
    level = source.level
    if level is None or level.unsent < 0:
        return found
    blocked = bool(d.blocked.get(target.info.key))
    return Gauge(
        found.queued + level.unsent,
        found.capacity + level.unsent_limit,
        blocked,
        found.known,
        backwards,
        found.unit,
        found.shares,
    )


def _build_fact_lines(d: SceneDraft, *things: Object) -> tuple[NodeLine, ...]:
    """What is worth a line under a tube: descriptors under way, and a connection that is not, or no
    more, whole.
    """
    lines = []
    for thing in things:
        words = make_visible(describe_under_way(d.state, thing))
        if words:
            count, label = words.partition(" ")[0], words.partition(": ")[2]
            short = f"+fd {label}" if label and count == "1" else f"+{count} fd"
            lines.append(NodeLine(words, "strong", short=short))
        shut = {"r": "reads no more", "w": "writes no more", "rw": "is shut down"}.get(
            thing.shut, ""
        )
        closing = describe_closing(thing)
        if shut or closing:
            label = make_visible(thing.label)
            told = ", ".join(word for word in (shut, closing) if word)
            style = "strong" if closing else "dim"
            lines.append(NodeLine(f"{label} {told}", style, short=f"{label} {closing or shut}"))
    return tuple(lines)


def _list_datagrams(d: SceneDraft, thing: Object) -> tuple[NodeLine, ...]:
    """The datagrams that wait in a socket, the next to be received first, as far as they are
    known.
    """
    lit = ObjectPart(thing.info.key) in d.lit
    return tuple(
        NodeLine(f"{bytes_text(one.length)} {make_visible(one.head)}", lit=lit and place == 0)
        for place, one in enumerate(list_waiting(d.state, thing))
    )


def _add_lone_socket(d: SceneDraft, thing: Object, links: list[query.Link]) -> None:
    info = thing.info
    listening = is_listening(info)
    title = make_visible(thing.label)
    path = info.path if not info.path.startswith("socket:") else ""
    words = (
        [NodeLine(make_visible(info.local or info.detail) or info.kind, "dim")] if listening else []
    )
    level = thing.level
    if listening and level is not None and level.unit == "connections" and level.queued:
        count = f"{level.queued:,} wait" + ("s" if level.queued == 1 else "")
        words.insert(0, NodeLine(f"{count}, backlog {level.capacity:,}", "strong", short=count))
    if not listening:
        plain = "takes datagrams" if takes_datagrams(info) else info.detail or info.kind
        if info.with_whom and not takes_datagrams(info):
            words.append(NodeLine(f"with {make_visible(info.with_whom)}", "dim"))
        words.append(NodeLine(make_visible(info.local or plain), "dim"))
    d.add_node(
        Node(
            id=f"o:{info.key}",
            kind="socket" if not listening else "file",
            title=make_visible(path.rpartition("/")[2]) or title,
            corner="listening" if listening else info.kind,
            lines=(*_build_fact_lines(d, thing), *words),
            gauges=() if listening else (tube_gauge(d, thing),),
            messages=_list_datagrams(d, thing),
            order=(thing.opened_at, info.ino),
            lit=ObjectPart(info.key) in d.lit,
            select=("object", info.key),
        )
    )
    for link in links:
        weak = link.pid in d.supervisors
        if not weak:
            d.strong.add(link.pid)
        d.join_nodes(f"o:{info.key}", f"p:{link.pid}", "hold" if weak else "flow", thing, link.pid)


def add_connect_waiters(d: SceneDraft) -> None:
    """Who waits in connect belongs to the listener that it waits for."""
    for pid, waits in d.waits.items():
        for wait in waits:
            if wait.call == "connect":
                thread = d.state.threads.get(wait.tid)
                target = awaited_by(d.state, thread) if thread is not None else None
                if target is not None and f"o:{target.info.key}" in d.nodes:
                    d.strong.add(pid)
                    d.join_nodes(f"p:{pid}", f"o:{target.info.key}", "flow", target, pid)
