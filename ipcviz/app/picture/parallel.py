"""Objects that lead the same processes to each other, side by side: as one list where there is no
room for a box of each. Pure.

A list has a row an object, with the descriptors at its two sides; alike objects share a row where
even that is too much. So two processes that talk through eight objects are joined by two lines.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from ipcviz.app.picture.scene import ENDS, Edge, Node, NodeLine, Scene
from ipcviz.app.text import bytes_text, count_text, fit_text, measure_width

LEAST: Final = 4
"""Fewer rows than this are not worth a list; and so many objects of one kind share one."""
_BOX_ROWS: Final = 4
"""Rows that an object takes with a box of its own."""
_FRAME: Final = 3
"""Rows of a list's frame, and of a line around it."""
_NAME: Final = 13
"""Cells of an object's name, and of what is in it now."""
_SIDE: Final = 2
"""Cells for the descriptors at each side."""
_CELLS: Final = 1 + _SIDE + 1 + _NAME + 1 + _SIDE
"""Cells of a row, with the mark of what changed before it."""


def list_parallel(scene: Scene, opened: frozenset[str], rows: int) -> Scene:
    """The scene with what runs side by side between the same processes as lists.

    Args:
        scene: With nothing folded.
        opened: Ids of lists whose objects are shown with a box of their own.
        rows: Rows of the screen.

    Returns:
        The scene itself if there is room for all of it.
    """
    into: dict[str, str] = {}
    found: dict[str, _Strand] = {}
    strands = list(_find_strands(scene))
    for name, strand in strands:
        # What is all alike is one group without that.
        shared = _share_rows(strand.nodes, LEAST)
        have_room = _count_objects(strand.nodes) * _BOX_ROWS <= rows
        if name in opened or len(shared) < LEAST or have_room:
            continue
        # What only some of them have besides stands in the same column: it keeps its rows, or
        # the list would push the processes themselves out of sight.
        beside = (other for _, other in strands if set(other.people) < set(strand.people))
        taken = sum(_count_rows(other) for other in beside)
        found[name] = strand._replace(rows=_choose_rows(strand.nodes, rows - taken))
        into |= dict.fromkeys((node.id for node in strand.nodes), name)
    if not found:
        return scene
    lines = {name: _join_processes(name, strand) for name, strand in found.items()}
    nodes: list[Node] = []
    for node in scene.nodes:
        name = into.get(node.id, "")
        if not name:
            nodes.append(node)
        elif name in found:
            nodes.append(_build_list(name, found.pop(name), lines[name]))
    edges = [e for e in scene.edges if e.source not in into and e.target not in into]
    for some in lines.values():
        edges.extend(some)
    return Scene(tuple(nodes), tuple(edges), scene.level)


class _Strand(NamedTuple):
    """What runs side by side.

    Attributes:
        people: Ids of the processes that all of it leads to.
        nodes: The objects.
        edges: The lines between both.
        rows: The objects that have a row together.
    """

    people: tuple[str, ...]
    nodes: list[Node]
    edges: list[Edge]
    rows: list[list[Node]] = []


def _find_strands(scene: Scene) -> Iterator[tuple[str, _Strand]]:
    """Objects that lead to the same processes, or to one that is left alone with them, by the id
    that their list would have.
    """
    kinds = {node.id: node.kind for node in scene.nodes}
    lines: dict[str, list[Edge]] = defaultdict(list)
    near: dict[str, set[str]] = defaultdict(set)
    for edge in scene.edges:
        for thing, other in ((edge.source, edge.target), (edge.target, edge.source)):
            # Who has ended keeps its place ("past"), and is nobody that an object leads to: else
            # what is left to the others would be taken apart for as long as its box is shown.
            if kinds[thing] not in _PEOPLE and edge.kind not in ("child", "past"):
                near[_name_object(thing)].add(other)
                lines[thing].append(edge)
    strands: dict[tuple[str, ...], _Strand] = {}
    for node in scene.nodes:
        people = tuple(sorted(near.get(_name_object(node.id), ())))
        if node.kind in _PEOPLE or not people or any(kinds[i] != "process" for i in people):
            continue
        if len(people) == 1 and node.kind in ENDS:
            continue  # They are told in the box of that process.
        strand = strands.setdefault(people, _Strand(people, [], []))
        strand.nodes.append(node)
        strand.edges.extend(lines[node.id])
    for people, strand in strands.items():
        yield f"e:list:{':'.join(people)}", strand


_PEOPLE: Final = {"process", "outsider", "group", "signal"}


def _count_rows(strand: _Strand) -> int:
    """Rows that a strand takes at least: a box of each object, or a list of its kinds."""
    return min(_count_objects(strand.nodes) * _BOX_ROWS, len(_share_rows(strand.nodes, 2)) + _FRAME)


def _name_object(node: str) -> str:
    """The id without the side at which a file stands: it is one object at both."""
    return node.rpartition(":")[0] if node.startswith("t:") else node


def _choose_rows(nodes: Sequence[Node], rows: int) -> list[list[Node]]:
    """The rows of a list where there are so many: one for each object if there is room."""
    for least in (len(nodes) + 1, LEAST):
        shared = _share_rows(nodes, least)
        if len(shared) + _FRAME <= rows:
            return shared
    return _share_rows(nodes, 2)


def _share_rows(nodes: Iterable[Node], least: int) -> list[list[Node]]:
    """Objects, those of one kind together if there are so many: what each row of a list tells."""
    things: dict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        things[_name_object(node.id)].append(node)
    kinds: dict[str, list[str]] = defaultdict(list)
    for thing, sides in things.items():
        kinds[sides[0].kind].append(thing)
    rows: dict[str, list[Node]] = {}
    for thing, sides in things.items():
        kind = sides[0].kind
        together = kind if len(kinds[kind]) >= least else thing
        rows.setdefault(together, []).extend(sides)
    return list(rows.values())


# -- the lines


def _join_processes(name: str, strand: _Strand) -> list[Edge]:
    """One line from a list to each process: at the left stands who stands there of what goes both
    ways, which is always the same; else who puts in more than it takes out.
    """
    found: list[Edge] = []
    for one in strand.people:
        lines = [e for e in strand.edges if one in (e.source, e.target)]
        used = [e for e in lines if e.kind != "hold"]
        lit, marked = any(e.lit for e in lines), any(e.found for e in lines)
        wakes = next((one if e.wakes == one else name for e in lines if e.wakes), "")
        if not used:
            found.append(Edge(one, name, "hold", lit=lit, found=marked))
            continue
        two_way = [e for e in used if e.both]
        out = sum(e.source == one for e in used)
        both = bool(two_way) or 0 < out < len(used)
        telling = two_way or used
        at_left = 2 * sum(e.source == one for e in telling) >= len(telling)
        ends = (one, name) if at_left else (name, one)
        found.append(Edge(*ends, "flow", both, lit, found=marked, wakes=wakes))
    return found


# -- the rows


def _build_list(name: str, strand: _Strand, lines: Sequence[Edge]) -> Node:
    nodes = strand.nodes
    left = next((e.source for e in lines if e.target == name), "")
    right = next((e.target for e in lines if e.source == name), "")
    return Node(
        id=name,
        kind="list",
        title=f"{_count_objects(nodes)} objects",
        lines=tuple(_describe_row(row, strand.edges, left, right) for row in strand.rows),
        rows=len(strand.rows),
        cells=_CELLS,
        order=nodes[0].order,
        lit=any(node.lit for node in nodes),
        found=any(node.found for node in nodes),
        faded=all(node.faded for node in nodes),
        ended=all(node.ended for node in nodes),
        select=("group", name),
    )


def _count_objects(nodes: Iterable[Node]) -> int:
    return len({_name_object(node.id) for node in nodes})


def _describe_row(nodes: Sequence[Node], edges: Sequence[Edge], left: str, right: str) -> NodeLine:
    """A row: the descriptors at the left, the name, how full it is, the descriptors at the right.
    Of several alike objects it tells the one that changed, else how many there are.
    """
    count = _count_objects(nodes)
    told = next((node for node in nodes if node.lit), nodes[0])
    if count > 1 and not told.lit:
        name, state, mine = f"{told.kind} x{count}", "", []
    else:
        # Of a connection's two names one is enough to know it.
        name = told.title.partition("-")[0] if told.kind == "socket" else told.title
        state = _describe_state(told)
        own = {n.id for n in nodes if _name_object(n.id) == _name_object(told.id)}
        mine = [e for e in edges if own & {e.source, e.target}]
    room = _NAME - measure_width(state) - bool(state)
    words = fit_text(name, room) + (f" {state}" if state else "")
    sides = (
        fit_text(_describe_side(mine, left), _SIDE, "right"),
        fit_text(_describe_side(mine, right), _SIDE),
    )
    strong = any(g.full for g in told.gauges) or any(x.style == "strong" for x in told.lines)
    text = f"{sides[0]} {words} {sides[1]}"
    style = "strong" if strong else "text"
    return NodeLine(f"{'*' if told.lit else ' '}{text}", style, lit=told.lit)


def _describe_side(edges: Sequence[Edge], process: str) -> str:
    """The descriptors by which a process has an object open, without their directions."""
    mine = [e for e in edges if process and process in (e.source, e.target)]
    used = [e for e in mine if e.kind == "flow"] or mine
    numbers = dict.fromkeys(fd for e in used for fd in re.findall(r"!?\d+", e.fds))
    return ",".join(numbers)


def _describe_state(node: Node) -> str:
    """How full an object is, or its value, in a few cells; nothing if it is empty."""
    if node.kind == "semaphore" and node.lines:
        return node.lines[0].text.removeprefix("value ").partition("  ")[0]
    if node.ended and node.lines:
        return node.lines[0].text.partition(" went")[0]
    filled = [gauge for gauge in node.gauges if gauge.known and gauge.queued]
    if not filled:
        return ""
    gauge = filled[0]
    if gauge.unit == "B":
        return bytes_text(gauge.queued)
    count = count_text(gauge.queued)
    return f"{count} of {gauge.capacity}" if gauge.capacity else count
