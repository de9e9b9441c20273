"""What stands at the ends of a flow: files and terminals. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ipcviz.app.picture.draft import SceneDraft
from ipcviz.app.picture.scene import Node, NodeLine
from ipcviz.app.text import make_visible, moved_text
from ipcviz.events.calls import READS
from ipcviz.events.kinds import KINDS, TYPED
from ipcviz.model.noise import is_own_script
from ipcviz.model.parts import ObjectPart
from ipcviz.model.waits.outsiders import outsiders_of

if TYPE_CHECKING:
    from ipcviz.app.picture.draft import SceneDraft
    from ipcviz.model import query
    from ipcviz.model.state import Object


def add_end(d: SceneDraft, thing: Object, links: list[query.Link]) -> None:
    """A file or terminal: what flows from it at the left, what flows to it at the right."""
    key = thing.info.key
    if (key, 0) in d.state.memory and not thing.bytes_in and not thing.bytes_out:
        return  # It is a file to be mapped, and nobody has it mapped now.
    passed = _describe_sharing(d, thing, links)
    if passed:
        # Who has it by the same open file description is what matters, whoever reads or writes.
        inputs = [x for x in links if x.fds and x.reads]
        outputs = [x for x in links if x.fds and not x.reads]
    else:
        inputs = [x for x in links if _is_input(d, thing, x, len(links))]
        outputs = [x for x in links if _is_output(d, thing, x)]
    drawn = KINDS[thing.info.kind].drawn
    for side, found in (("in", inputs), ("out", outputs)):
        if not found:
            continue
        node = f"t:{key}:{side}"
        moved = thing.bytes_out if side == "in" else thing.bytes_in
        d.add_node(
            Node(
                id=node,
                kind=drawn,
                title=make_visible(thing.label),
                corner=drawn,
                lines=(
                    *passed,
                    *((NodeLine(moved_text(moved, thing.exact), "dim"),) if moved else ()),
                ),
                order=(thing.opened_at, thing.info.ino),
                lit=ObjectPart(key) in d.lit,
                select=("object", key),
            )
        )
        for link in found:
            d.strong.add(link.pid)
            ends = (node, f"p:{link.pid}") if side == "in" else (f"p:{link.pid}", node)
            d.join_nodes(*ends, "flow", thing, link.pid)


def _describe_sharing(
    d: SceneDraft, thing: Object, links: list[query.Link]
) -> tuple[NodeLine, ...]:
    """Of a file that was passed over a socket (SCM_RIGHTS): that several processes have the same
    open file description; nothing of other files.
    """
    if thing.info.kind in TYPED:
        return ()
    if len(links) < 2 or not any(d.is_received(link) for link in links):
        return ()
    shared: Counter[int] = Counter()
    for link in links:
        table = d.state.descriptors_of(link.pid)
        shared.update({table[fd].ofd for fd in link.fds if fd in table})
    if max(shared.values(), default=0) < 2:
        return ()
    return (NodeLine("one open file", "strong", short="shared"),)


def _is_input(d: SceneDraft, thing: Object, link: query.Link, holders: int) -> bool:
    if link.pid in d.supervisors or not link.reads or not link.fds:
        return False
    used = d.is_used(link) or any(w.object == thing.info.key for w in d.waits[link.pid])
    if thing.info.kind in TYPED:
        return 0 in link.fds and any(
            w.object == thing.info.key and w.call in READS for w in d.waits[link.pid]
        )
    if 0 in link.fds or (thing.named and used and thing.last_reader == link.pid):
        return True
    if link.writes or min(link.fds) >= 10:
        return link.writes and used and thing.last_reader == link.pid
    argv = d.processes[link.pid].argv
    path = thing.info.path
    if is_own_script(argv, path):
        return False
    return any(
        word and (word == path or path.endswith("/" + word.removeprefix("./"))) for word in argv[1:]
    )


def _is_output(d: SceneDraft, thing: Object, link: query.Link) -> bool:
    if link.pid in d.supervisors or not link.writes or not link.fds:
        return False
    if thing.info.kind in TYPED or d.is_outside(link):
        process = d.processes[link.pid]
        first = 1 in link.fds and process.executed and link.pid in d.fed
        return first or (d.is_used(link) and thing.last_writer == link.pid)
    return True


def idle_from_outside(d: SceneDraft, link: query.Link) -> bool:
    """Whether it is a descriptor of before the session that nobody has used: it says nothing of
    this system.

    Of processes that were attached to, all that they hold is of before, and use is seldom seen.
    What somebody who is not watched has put into a pipe, and nobody has taken, says something: he
    may be blocked on it.
    """
    if d.attached or not d.is_idle_outside(link) or (1 in link.fds and link.pid in d.fed):
        return False
    if any(wait.object == link.object for wait in d.waits[link.pid]):
        return False
    thing = d.state.objects.get(link.object)
    level = thing.level if thing is not None else None
    outside_writers = (
        link.reads
        and level is not None
        and level.queued
        and outsiders_of(d.state, link.object, "w")
    )
    return not outside_writers
