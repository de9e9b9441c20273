"""What several processes touch at once: shared memory, and semaphores. Pure."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from ipcviz.app.picture.draft import SceneDraft
from ipcviz.app.picture.scene import Node, NodeLine
from ipcviz.app.picture.words import title_of
from ipcviz.app.text import bytes_text, count_text, make_visible
from ipcviz.events.accesses import format_value
from ipcviz.model import query
from ipcviz.model.mechanisms.semaphores import list_semaphore_holders
from ipcviz.model.parts import ObjectPart, SemaphorePart, VariablePart
from ipcviz.model.state import Object, Variable

_LAST: Final = 1e18
"""Later than any time of a session."""


def add_memory(d: SceneDraft, thing: Object, links: list[query.Link]) -> None:
    """A block of shared memory, with the semaphores in it; a named semaphore alone is one."""
    key = thing.info.key
    inside = query.semaphores_of(d.state, key)
    label = make_visible(thing.label)
    named = len(inside) == 1 and inside[0].info.kind == "named"
    lines = tuple(line for s in inside for line in _semaphore_lines(d, s.info.key, alone=named))
    variables = [v for v in d.state.variables.values() if v.info.object == key]
    lines += tuple(line for v in variables for line in _variable_lines(d, v))
    size = max(
        (m.length for x in links for m in d.state.mappings.get(x.pid, ()) if m.object.key == key),
        default=0,
    )
    corner = bytes_text(size) if size else ""
    if named:
        corner = "semaphore"
    d.add_node(
        Node(
            id=f"o:{key}",
            kind="semaphore" if named else "memory",
            title=make_visible(inside[0].label) if named else label,
            corner=corner,
            lines=lines if lines else (NodeLine("shared memory", "dim"),),
            order=(thing.opened_at, thing.info.ino),
            lit=ObjectPart(key) in d.lit or any(line.lit for line in lines),
            select=("semaphore", inside[0].info.key) if named else ("object", key),
        )
    )
    mapped = sorted((x for x in links if x.mapped), key=lambda x: d.make_age_key(x.pid))
    if len(links) == 1 and not inside and not variables and _count_attachments(d, key) < 2:
        # What nobody shares tells of no communication: it comes last, and only where there is room
        # for it.
        d.alone.append(f"o:{key}")
        d.nodes[f"o:{key}"] = replace(d.nodes[f"o:{key}"], order=(_LAST, thing.info.ino))
    _join_processes(d, f"o:{key}", [x.pid for x in mapped], thing)


def _count_attachments(d: SceneDraft, key: str) -> int:
    """How often a System V segment is attached, by whomever; -1 for other memory."""
    found = d.state.memory.get((key, 0))
    return found.sample.attached if found is not None else -1


def _join_processes(d: SceneDraft, node: str, pids: list[int], thing: Object | None) -> None:
    """Join a shared thing with the processes at it: the older half at its left, the younger at its
    right.
    """
    active = [pid for pid in pids if pid not in d.supervisors]
    half = (len(active) + 1) // 2
    for place, pid in enumerate(active):
        d.strong.add(pid)
        source, target = (f"p:{pid}", node) if place < half else (node, f"p:{pid}")
        d.join_nodes(source, target, "flow", thing, pid, both=True)
    for pid in pids:
        if pid in d.supervisors:
            d.join_nodes(f"p:{pid}", node, "hold", thing, pid)


def _semaphore_lines(d: SceneDraft, key: str, *, alone: bool) -> tuple[NodeLine, ...]:
    """A semaphore's value and waiters, and who holds it while somebody waits; `alone` where the
    node has its name.
    """
    found = d.state.semaphores[key]
    value = "?" if found.value is None else count_text(found.value)
    waiting = [
        title_of(d.state, t.pid) for t in sorted(d.waiting.get(key, ()), key=lambda t: t.tid)
    ]
    short = text = f"value {value}" if alone else f"{make_visible(found.label)} = {value}"
    if waiting:
        text, short = f"{text} ←{make_visible(','.join(waiting))}", f"{short} ←{len(waiting)}"
    elif found.waiters > 0:
        text, short = f"{text} ←{found.waiters} wait", f"{short} ←{found.waiters}"
    style = "strong" if waiting or found.waiters > 0 else "text"
    if d.ended and found.operations:
        text = f"{text}, {found.operations:,} operation{'' if found.operations == 1 else 's'}"
    lines = [NodeLine(text, style, SemaphorePart(key) in d.lit, short)]
    if waiting:
        names = [title_of(d.state, hold.pid) for hold in list_semaphore_holders(found)]
        if names:
            lines.append(
                NodeLine(make_visible(f"{'' if alone else '  '}held by {','.join(names)}"), "text")
            )
    return tuple(lines)


def _variable_lines(d: SceneDraft, variable: Variable) -> tuple[NodeLine, ...]:
    """A watched variable's value, and who stored it last and has loaded it since."""
    info = variable.info
    value = format_value(info.encoding, variable.value)
    lit = VariablePart(info.key) in d.lit
    lines = [NodeLine(make_visible(f"{info.name} = {value}"), "strong" if lit else "text", lit)]
    stored = variable.stores[-1] if variable.stores else None
    words = [f"stored by {title_of(d.state, stored.pid)}"] if stored is not None else []
    loaded = [
        f"{title_of(d.state, one.pid)} loaded {format_value(info.encoding, one.value)}"
        for one in sorted(variable.loads.values(), key=lambda one: one.n)
    ]
    return (*lines, *(NodeLine(make_visible(text), "dim") for text in (*loaded[-3:], *words)))


def add_variables(d: SceneDraft) -> None:
    """Watched variables in memory that one process alone has: its threads share them."""
    for key, found in sorted(d.state.variables.items()):
        pids = [pid for pid in found.places if d.is_there(pid)]
        if found.info.object or not pids:
            continue
        node = f"v:{key}"
        lines = _variable_lines(d, found)
        d.add_node(
            Node(
                id=node,
                kind="memory",
                title=make_visible(found.info.name),
                corner=make_visible(found.info.type),
                lines=lines,
                order=(d.state.t + 1, 0),
                lit=lines[0].lit,
            )
        )
        _join_processes(d, node, sorted(pids, key=d.make_age_key), None)


def add_semaphores(d: SceneDraft) -> None:
    """Semaphores that lie in no drawn memory."""
    for key, found in sorted(d.state.semaphores.items()):
        if found.info.object and f"o:{found.info.object}" in d.nodes:
            continue
        pids = {t.pid for t in d.waiting.get(key, ())}
        if (
            found.info.kind != "unnamed"
        ):  # those in private memory are a run-time's own locks, mostly
            pids.add(found.last_pid)
        pids = {pid for pid in pids if d.is_there(pid)}
        if not pids:
            continue
        node = f"m:{key}"
        if found.info.heap and len(pids) == 1:
            # The locks of an interpreter or a virtual machine, for its own threads.
            d.alone.append(node)
        lines = _semaphore_lines(d, key, alone=True)
        d.add_node(
            Node(
                id=node,
                kind="semaphore",
                title=make_visible(found.label),
                corner="semaphore",
                lines=lines,
                order=(d.state.t + 1, 0),
                lit=lines[0].lit,
                select=("semaphore", key),
            )
        )
        _join_processes(d, node, sorted(pids, key=d.make_age_key), None)
