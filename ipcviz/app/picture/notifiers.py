"""Eventfds, and timerfds and the like, by which processes wake each other up. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from ipcviz.app.picture.scene import Node, NodeKind, NodeLine
from ipcviz.app.picture.words import title_of
from ipcviz.app.text import count_text, make_visible
from ipcviz.events.calls import FOR_READY, READS
from ipcviz.events.kinds import COUNTERS
from ipcviz.model.mechanisms.notifiers import describe_content, read_counter, watched_keys
from ipcviz.model.parts import ObjectPart

if TYPE_CHECKING:
    from ipcviz.app.picture.draft import SceneDraft
    from ipcviz.model import query
    from ipcviz.model.state import Object, Process

_SHARED: Final = 2
"""One that a single process has is its own affair: threads wake each other by it, or a main loop
itself.
"""


def add_notifier(d: SceneDraft, thing: Object, links: list[query.Link]) -> None:
    """One with those who have it open, if it is more than one process's own.

    Every child inherits what its parent has open, until it executes a program: that alone is no
    communication. It is drawn once somebody sleeps in a read of it, or processes have used it.
    """
    key = thing.info.key
    asleep, polling = _find_waiters(d, key)
    users = {x.pid for x in links if x.pid in asleep | polling or d.has_read(x) or d.has_written(x)}
    former = {pid for pid in (thing.last_reader, thing.last_writer) if pid in d.processes}
    holders = {x.pid for x in links}
    if not asleep & holders:
        # Of the others only those count who are there to stay with it.
        holders = {x.pid for x in links if x.pid in users or not _about_to_close(d, x)}
    if len(holders | former) < _SHARED or not users | former:
        return
    if thing.info.kind not in COUNTERS and len(users | former) < _SHARED:
        return
    node = f"o:{key}"
    d.add_node(
        Node(
            id=node,
            kind=cast(NodeKind, thing.info.kind),
            title=make_visible(thing.label),
            corner=thing.info.kind,
            lines=(_build_line(d, thing, sorted(asleep | polling)),),
            order=(thing.opened_at, thing.info.ino),
            lit=ObjectPart(key) in d.lit,
            select=("object", key),
        )
    )
    d.keep_past_users(thing, node)
    for link in links:
        if link.pid not in holders:
            continue
        took, put = d.main_direction(thing, link)
        if link.pid in polling:
            took, put = True, False
        if (took or put) and link.pid not in d.supervisors:
            d.strong.add(link.pid)
            for flag, ends in ((put, (f"p:{link.pid}", node)), (took, (node, f"p:{link.pid}"))):
                if flag:
                    d.join_nodes(*ends, "flow", thing, link.pid)
        else:
            d.join_nodes(f"p:{link.pid}", node, "hold", thing, link.pid, both=True)


def _find_waiters(d: SceneDraft, key: str) -> tuple[set[int], set[int]]:
    """Processes of which a thread sleeps in a read of it, and those that wait for it in poll and
    the like.
    """
    asleep, polling = set(), set()
    for thread in d.state.threads.values():
        call = thread.waiting
        if call is None or thread.pid not in d.processes:
            continue
        if call.object == key and call.name in READS:
            asleep.add(thread.pid)
        elif call.name in FOR_READY and key in watched_keys(d.state, thread.pid, call):
            polling.add(thread.pid)
    return asleep, polling


def _about_to_close(d: SceneDraft, link: query.Link) -> bool:
    """Whether it goes away by itself: inherited, and closed as soon as the process executes a
    program.
    """
    process: Process = d.processes[link.pid]
    rows = d.state.descriptors_of(link.pid)
    return (
        process.how != "launched"
        and not process.executed
        and all(rows[fd].cloexec for fd in link.fds if fd in rows)
    )


def _build_line(d: SceneDraft, thing: Object, waiting: list[int]) -> NodeLine:
    """What it holds, and who waits for it."""
    text = describe_content(d.state, thing, d.state.t)
    if thing.info.kind in COUNTERS:
        count = read_counter(thing)
        text = f"counter {count_text(count) if count is not None else '?'}"
    short = text.removeprefix("counter ")
    if waiting:
        names = ",".join(title_of(d.state, pid) for pid in waiting)
        text, short = f"{text} ←{make_visible(names)}", f"{short} ←{len(waiting)}"
    return NodeLine(
        text, "strong" if waiting else "text", ObjectPart(thing.info.key) in d.lit, short
    )
