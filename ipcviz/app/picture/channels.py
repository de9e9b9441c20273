"""Pipes, FIFOs, sockets and message queues: tubes between processes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from string import ascii_lowercase, digits
from typing import TYPE_CHECKING, Final

from ipcviz.app.picture.scene import Edge, Gauge, Node, NodeKind, NodeLine, Share
from ipcviz.app.picture.words import title_of
from ipcviz.app.scripts import is_shell
from ipcviz.app.text import bytes_text, make_visible, moved_text
from ipcviz.events.kinds import KINDS, MESSAGES, MET
from ipcviz.model import query
from ipcviz.model.ledger.provenance import waiting_ranges
from ipcviz.model.mechanisms.sockets import under_way
from ipcviz.model.parts import ObjectPart
from ipcviz.model.waits.values import Why
from ipcviz.narrate import name_process

if TYPE_CHECKING:
    from ipcviz.app.picture.draft import SceneDraft
    from ipcviz.model.state import Object

CHANNELS: Final[Mapping[str, NodeKind]] = {
    kind.name: kind.drawn for kind in KINDS.values() if kind.drawn and kind.shape == "tube"
}
"""What each kind of object is drawn as."""


def add_channel(d: SceneDraft, thing: Object, links: list[query.Link]) -> None:
    """A pipe, a FIFO or a message queue, with those that have it open."""
    key = thing.info.key
    node = f"o:{key}"
    unit = "messages" if thing.info.kind in MESSAGES and not key.startswith("msg:") else "B"
    gauge = tube_gauge(d, thing, unit)
    d.add_node(
        Node(
            id=node,
            kind=CHANNELS[thing.info.kind],
            title=make_visible(thing.label),
            lines=(
                *_describe_passed_fds(d, thing, links),
                *_describe_shares(gauge, links),
                *_describe_traffic(d, thing),
            ),
            gauges=(gauge,),
            messages=_list_messages(d, thing),
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
        elif _is_only_inherited(d, link, links):
            reads = writes = False
        strong = (reads or writes) and link.pid not in d.supervisors
        if strong:
            d.strong.add(link.pid)
            if reads and 0 in link.fds:
                d.fed.add(link.pid)
        for flag, use, source, target in (
            (link.writes, writes, f"p:{link.pid}", node),
            (link.reads, reads, node, f"p:{link.pid}"),
        ):
            # Whoever uses a queue without a descriptor could do both: what it does is enough.
            if flag and (use or link.fds or not strong):
                d.join_nodes(source, target, "flow" if use and strong else "hold", thing, link.pid)
    _place_missing_side(d, node, links)


_STANDARD: Final = 3
"""Descriptors below this are there to be used."""


def _is_only_inherited(d: SceneDraft, link: query.Link, links: list[query.Link]) -> bool:
    """Whether a process got its end at its birth, has not used it, and has a parent that kept the
    same end for itself: the child could not help having it. A shell keeps one only to give it to
    a child, unless it is seen to use it.
    """
    if d.ended or d.attached:
        return False
    if not link.fds or min(link.fds) < _STANDARD or _is_in_use(d, link):
        return False
    parent = d.processes[link.pid].parent
    if parent not in d.processes:
        return False
    gives = is_shell(d.processes[parent])
    return any(
        other.pid == parent
        and (other.reads, other.writes) == (link.reads, link.writes)
        and set(link.fds) <= set(other.fds)
        and (not gives or _is_in_use(d, other))
        for other in links
    )


def _is_in_use(d: SceneDraft, link: query.Link) -> bool:
    """Whether a process has moved bytes through its end, or waits for some."""
    return d.is_used(link) or any(wait.object == link.object for wait in d.waits[link.pid])


def _place_missing_side(d: SceneDraft, node: str, links: list[query.Link]) -> None:
    """Where only one side of a channel is taken, give the other one to those that have both ends
    open still and have used none: that is where they will stand, and they need not move there.

    A parent that has made the channel for its children will close it.
    """
    people = {f"p:{link.pid}" for link in links}
    writers = {one for one in people if (one, node, "flow") in d.edges}
    readers = {one for one in people if (node, one, "flow") in d.edges}
    if bool(writers) == bool(readers):
        return
    parents = {d.processes[link.pid].parent for link in links}
    for link in links:
        one = f"p:{link.pid}"
        undecided = link.reads and link.writes and one not in writers | readers
        if undecided and link.pid not in parents | d.supervisors:
            d.strong.add(link.pid)
            edge = Edge(one, node, "past") if readers else Edge(node, one, "past")
            d.edges.setdefault(edge.key, edge)


def _describe_shares(gauge: Gauge, links: list[query.Link]) -> tuple[NodeLine, ...]:
    """Whose bytes wait, where that is not plain: of several writers, or of one that has no end
    open any more.
    """
    writers = sum(link.writes for link in links)
    amounts: dict[str, int] = {}
    for share in gauge.shares:
        amounts[share.name] = amounts.get(share.name, 0) + share.length
    if not amounts or (len(amounts) == 1 and writers == 1):
        return ()
    text = ", ".join(f"{name} {bytes_text(length)}" for name, length in amounts.items())
    short = ",".join(f"{name} {bytes_text(length)}" for name, length in amounts.items())
    return (NodeLine(f"of {text}", short=short),)


def _list_messages(d: SceneDraft, thing: Object) -> tuple[NodeLine, ...]:
    """The messages that wait in a queue, the next to be taken first, as far as they are known."""
    if thing.info.kind not in MESSAGES or thing.level is None:
        return ()
    waiting = [
        (f"type {one.type}", f"{one.type}", one.size, one.head) for one in thing.level.waiting
    ] or [
        (f"prio {one.priority}", f"{one.priority}", one.length, one.head)
        for one in d.state.posted.get(thing.info.key, ())
    ]
    count = thing.level.messages if thing.level.messages >= 0 else thing.level.queued
    lit = ObjectPart(thing.info.key) in d.lit
    return tuple(
        NodeLine(
            f"{sort} {bytes_text(size)} {make_visible(head)}",
            lit=lit and place == 0,
            short=f"{brief} {make_visible(head)}",
        )
        for place, (sort, brief, size, head) in enumerate(waiting[:count])
    )


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
        row = next(
            (rows[fd] for fd in link.fds if fd in rows and rows[fd].how.startswith("received ")),
            None,
        )
        if row is not None:
            words = make_visible(row.how.removeprefix("received "))
            whom = f" from {name_process(d.state, row.sender)}" if row.sender else ""
            found.append(NodeLine(words + make_visible(whom), "dim", short=words))
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
    return Gauge(
        queued,
        level.capacity or thing.info.capacity,
        full,
        True,
        backwards,
        unit,
        list_shares(d, thing.info.key) if queued and unit == "B" else (),
    )


_MOST_SHARES: Final = 64
"""Stretches of bytes of one writer that are told apart in one channel."""
LOOKS: Final = 4
"""How many colours there are for writers."""


def list_shares(d: SceneDraft, key: str) -> tuple[Share, ...]:
    """Whose bytes wait in a channel, first those that are taken next; empty if it is not known.

    Where the order of several writers is not known, their bytes have no letter.
    """
    runs: list[list[int]] = []
    ranges = waiting_ranges(d.state, key)
    if any(one.guessed for one in ranges):
        return ()
    doubted = {one.write.pid for one in ranges if not one.sure}
    for one in ranges:
        if one.length <= 0:
            continue
        mixed = not one.sure and len(doubted) > 1
        if runs and runs[-1][::2] == [one.write.pid, mixed]:
            runs[-1][1] += one.length
        elif len(runs) == _MOST_SHARES:
            break
        else:
            runs.append([one.write.pid, one.length, mixed])
    pids = sorted({pid for pid, _, _ in runs})
    names = {pid: make_visible(title_of(d.state, pid)) for pid in pids}
    letters = choose_letters(names)
    return tuple(
        Share("?", names[pid], length, 0)
        if mixed
        else Share(letters[pid], names[pid], length, pids.index(pid) % LOOKS + 1)
        for pid, length, mixed in runs
    )


def choose_letters(names: Mapping[int, str]) -> dict[int, str]:
    """A letter for each of several names, none twice while there are any: of the name, if it has
    one that is free. Names with the same beginning differ by their number: `cat`, `cat 2`.
    """
    found: dict[int, str] = {}
    begins = Counter(name[:1] for name in names.values())
    for pid, name in names.items():
        numbered = begins[name[:1]] > 1 and name[-1:].isdigit()
        order = name[-1] + name if numbered else name
        free = [
            letter
            for letter in (*order, *ascii_lowercase, *digits)
            if letter.isascii() and letter.isalnum() and letter not in found.values()
        ]
        found[pid] = free[0] if free else "?"
    return found


def add_open_waiters(d: SceneDraft) -> None:
    """Who waits to open a FIFO has no descriptor yet, and belongs into the picture all the same."""
    for pid, waits in d.waits.items():
        for wait in waits:
            thing = d.state.objects.get(wait.object)
            if (
                thing is None
                or thing.info.kind not in MET
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


_NAMED: Final = 3
"""So many writers of a channel are named with what they wrote; more are counted."""


def _list_inputs(d: SceneDraft, thing: Object) -> tuple[NodeLine, ...]:
    """What each of several writers has put in; nothing if it was one."""
    if not thing.inputs:
        return ()
    parts = [
        f"{make_visible(title_of(d.state, pid))} {moved_text(count, thing.exact)}"
        for pid, count in thing.inputs
    ]
    more = f", +{len(parts) - _NAMED}" if len(parts) > _NAMED else ""
    return (
        NodeLine(
            f"of {', '.join(parts[:_NAMED])}{more}", short=f"{','.join(parts[:_NAMED])}{more}"
        ),
    )


def describe_input(d: SceneDraft, pid: int) -> str:
    """Once all have ended: what a process has put into channels that had several writers; empty if
    it is nothing.
    """
    things = [link.object for links in d.joins.links.values() for link in links if link.pid == pid]
    found = [
        (moved, thing.exact)
        for key in dict.fromkeys(things)
        if (thing := d.state.objects.get(key)) is not None and thing.info.kind in CHANNELS
        for writer, moved in thing.inputs
        if writer == pid
    ]
    if not found:
        return ""
    return f"wrote {moved_text(sum(moved for moved, _ in found), all(ok for _, ok in found))}"


def _describe_traffic(d: SceneDraft, thing: Object) -> tuple[NodeLine, ...]:
    if not thing.bytes_in and not thing.bytes_out:
        return ()
    put, exact = query.went_in(d.state, thing)
    if d.ended:
        total = moved_text(put, exact)
        return (NodeLine(f"{total} went through", "dim", short=total), *_list_inputs(d, thing))
    begin = f"in {moved_text(put, exact)}"
    return (
        NodeLine(f"{begin}, out {moved_text(thing.bytes_out, thing.exact)}", "dim", short=begin),
    )
