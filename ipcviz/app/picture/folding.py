"""Folding of large systems: processes that are alike become one group that can be opened. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

from ipcviz.app.picture.scene import Edge, Line, Node, Scene

LEAST: Final = 4
"""Fewer alike processes than this are not worth a group."""

_ORDER: Final = "RBDSTZx?"
_WORDS: Final = {"R": "running", "B": "blocked", "S": "asleep", "D": "in a device", "T": "stopped", "Z": "zombie"}


def fold(scene: Scene, opened: frozenset[str], most: int) -> Scene:
    """The scene with alike processes folded if it has more than `most` of them.

    Alike are processes of one name and parent, without children of their own, with the same kinds of connections to
    the same others; what only one of them holds folds with them.
    """
    processes = [n for n in scene.nodes if n.kind == "process"]
    if len(processes) <= most:
        return scene
    into = _groups(scene, processes)
    for group in opened:
        into = {node: g for node, g in into.items() if g != group and g != f"{group}:ends"}
    if not into:
        return scene
    members: dict[str, list[Node]] = defaultdict(list)
    for node in scene.nodes:
        if node.id in into:
            members[into[node.id]].append(node)
    done: set[str] = set()
    nodes: list[Node] = []
    for node in scene.nodes:
        group = into.get(node.id, "")
        if not group:
            nodes.append(node)
        elif group not in done:
            done.add(group)
            nodes.append(_group_node(group, members[group]))
    edges: dict[tuple[str, str, str], Edge] = {}
    for edge in scene.edges:
        source, target = into.get(edge.source, edge.source), into.get(edge.target, edge.target)
        if source != target:
            new = Edge(source, target, edge.kind, edge.both, edge.lit)
            old = edges.get(new.key)
            edges[new.key] = Edge(source, target, edge.kind, edge.both, edge.lit or bool(old and old.lit))
    return Scene(tuple(nodes), tuple(edges.values()))


def _groups(scene: Scene, processes: list[Node]) -> dict[str, str]:
    """Which group each node goes into."""
    parents = {n.parent for n in scene.nodes if n.parent}
    by_id = {n.id: n for n in scene.nodes}
    touching: dict[str, set[str]] = defaultdict(set)
    for edge in scene.edges:
        if edge.kind != "child":
            touching[edge.source].add(edge.target)
            touching[edge.target].add(edge.source)
    leaves = {n.id: (n.parent, n.title) for n in processes if n.id not in parents}

    def sign(node: Node) -> tuple[object, ...]:
        found: list[tuple[str, bool, str, tuple[str, ...]]] = []
        for edge in scene.edges:
            if edge.kind == "child" or node.id not in (edge.source, edge.target):
                continue
            other = edge.target if edge.source == node.id else edge.source
            beyond = touching[other] - {node.id}
            alike = {x for x in beyond if leaves.get(x) == leaves[node.id]}
            outward = edge.source == node.id
            if other.startswith("p:") or alike:
                found.append((other, outward, edge.kind, ()))
            else:
                found.append((by_id[other].kind, outward, edge.kind, tuple(sorted(beyond))))
        return tuple(sorted(found, key=repr))

    alike: dict[tuple[object, ...], list[Node]] = defaultdict(list)
    for node in processes:
        if node.id in leaves:
            alike[node.parent, node.title, sign(node)].append(node)
    into: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for (parent, title, _), nodes in alike.items():
        if len(nodes) < LEAST:
            continue
        name = f"g:{parent}:{title}"
        counts[name] += 1
        group = name if counts[name] == 1 else f"{name}:{counts[name]}"
        ids = {n.id for n in nodes}
        into.update(dict.fromkeys(ids, group))
        for node in nodes:
            for other in touching[node.id]:
                if not other.startswith("p:") and len(touching[other] & ids) == 1:
                    into[other] = f"{group}:ends"
    return into


def _group_node(group: str, members: list[Node]) -> Node:
    first = members[0]
    if first.kind != "process":
        titles = f"{first.title}…{members[-1].title}" if len(members) > 1 else first.title
        gauges = [g for m in members for g in m.gauges]
        full = sum(g.full for g in gauges)
        return Node(
            id=group,
            kind="group",
            title=f"{first.kind} x{len(members)}",
            lines=(Line(titles, "dim"), *((Line(f"{full} full", "strong"),) if full else ())),
            order=first.order,
            lit=any(m.lit for m in members),
            select=("group", group.removesuffix(":ends")),
        )
    counts = Counter(m.letter for m in members)
    common = min(counts, key=lambda letter: (-counts[letter], _ORDER.find(letter)))
    chip = next(m.chip for m in members if m.letter == common)
    said = ", ".join(f"{counts[c]} {_WORDS.get(c, c)}" for c in sorted(counts, key=_ORDER.find))
    doing = Counter(m.lines[0].text for m in members).most_common(1)[0][0]
    return Node(
        id=group,
        kind="group",
        title=f"{first.title} x{len(members)}",
        letter=common,
        chip=chip,
        lines=(Line(said, "text"), Line(doing, "dim")),
        order=first.order,
        parent=first.parent,
        tree=first.tree,
        lit=any(m.lit for m in members),
        faded=all(m.faded for m in members),
        select=("group", group),
    )
