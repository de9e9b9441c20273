"""Folding of large systems: what is alike becomes one group that can be opened. Pure.

However large the system is, the folded scene has at most `LIMIT` nodes, so that a layout's cost is
bounded.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from msgspec.structs import replace

from ipcviz.app.picture.bands import find_pipelines
from ipcviz.app.picture.parallel import list_parallel
from ipcviz.app.picture.scene import ENDS, TUBES, Edge, Node, NodeLine, Scene

LEAST: Final = 4
"""Fewer alike processes than this are not worth a group while there is room."""
LIMIT: Final = 90
"""A folded scene never has more nodes than this, whatever was opened."""
OPENED: Final = 40
"""An opened group shows at most so many of its members; the others stay a group."""
REST: Final = "g:more"
"""Id of the group of the processes for which there is no room."""
THINGS: Final = "g:more:things"
"""Id of the group of the pipes, files and so on for which there is no room."""

_LAST: Final = 6
_CHAIN: Final = 84
"""So many nodes of pipelines are not folded even if there is less room: they go on in the next row,
and scroll.
"""
_EASE: Final = 0.7
"""A lower level is taken again only when it leaves so much room: nothing folds and unfolds by
turns.
"""

_ORDER: Final = "RBDSTZx?"
_WORDS: Final = {
    "R": "running",
    "B": "blocked",
    "S": "asleep",
    "D": "in a device",
    "T": "stopped",
    "Z": "zombie",
    "x": "gone",
}


def fold_scene(
    scene: Scene,
    opened: frozenset[str] = frozenset(),
    most: int = 14,
    room: int = 60,
    level: int = 0,
    rows: int = 20,
) -> Scene:
    """The scene with as much folded as must be.

    The levels: 0 nothing but channels and files that run parallel, at any level; 1 processes of one
    name, parent and connections; 2 of one name and parent; 3 whose ancestors have the same names,
    too; 4 of one name and parent with all their descendants; 5 of one name, wherever they are; 6 so
    many of them, and of what lies between them, as there is room for, and the rest as one.

    Before all that, objects that run side by side between the same processes become a list where
    there are too many for the rows of the screen (`parallel`).

    Args:
        scene: Everything.
        opened: Ids of groups that are shown with their members.
        most: Above so many processes, something is folded.
        room: Above so many nodes, more is folded.
        level: The level of the scene before; a lower one is taken only if it is well below the
            bounds.
        rows: As many single lines there is room for: so many processes, each with a channel of its
            own, need no fold.

    Returns:
        A scene of at most `LIMIT` nodes, with its level.
    """
    scene = list_parallel(scene, opened, rows)
    processes = [n for n in scene.nodes if n.kind == "process"]
    if _in_lines(scene) and len(scene.nodes) <= _CHAIN:
        most, level = _CHAIN // 2, 0
    few = len(processes) <= (most if not level else int(most * _EASE))
    for step in range(max(0, level - 1) if few else max(1, level - 1), _LAST + 1):
        groups = _group_at_level(scene, processes, step, opened, room)
        count = groups.count_nodes(scene)
        space, folded = room, None
        if not step:
            folded = _build_folded(scene, groups)
            if sum(e.kind in ("flow", "signal") for e in folded.edges) <= count:
                space = max(room, _CHAIN if _in_lines(folded) else 2 * rows)
        space = min(LIMIT, space + groups.extra)
        if step == _LAST or count <= (space if step >= level else int(space * _EASE)):
            return replace(folded or _build_folded(scene, groups), level=step)
    raise AssertionError("the last level always fits")


def _in_lines(scene: Scene) -> bool:
    """Whether all that flows stands in pipelines."""
    flowing = {i for e in scene.edges if e.kind in ("flow", "signal") for i in (e.source, e.target)}
    ends = {n.id for n in scene.nodes if n.kind in ENDS}
    return bool(flowing) and flowing - ends <= {i for chain in find_pipelines(scene) for i in chain}


class _Groups(NamedTuple):
    """What is folded into what.

    Attributes:
        into: Ids of groups by those of what is in them.
        within: Objects that lie within a group of processes.
        extra: How many nodes are there only because the viewer opened their group.
    """

    into: dict[str, str]
    within: list[Node]
    extra: int

    def count_nodes(self, scene: Scene) -> int:
        """How many nodes the folded scene has."""
        alone = sum(node.id not in self.into for node in scene.nodes)
        return alone + len({self.into[node.id] for node in scene.nodes if node.id in self.into})


def _group_at_level(
    scene: Scene, processes: list[Node], level: int, opened: frozenset[str], room: int
) -> _Groups:
    """What is folded into what at a level."""
    # Whom a scenario has given a role is told apart from who runs the same program.
    named = [replace(n, title=n.label) if _has_role(n) else n for n in processes]
    into, extra = _open_groups(_LEVELS[min(level, _LAST - 1)](scene, named), processes, opened)
    if level == _LAST:
        _group_rest(into, processes, opened, room + extra)
    within = _fold_objects(scene, into, opened, level)
    if level == _LAST:
        _rest_of_things(scene, into, opened, room + extra)
    return _Groups(into, within, extra)


def _build_folded(scene: Scene, groups: _Groups) -> Scene:
    """The scene with groups in the place of what is in them."""
    into = groups.into
    members: dict[str, list[Node]] = defaultdict(list)
    inside: dict[str, list[Node]] = defaultdict(list)
    within = {thing.id for thing in groups.within}
    for node in scene.nodes:
        group = into.get(node.id)
        if group is not None:
            (inside if node.id in within else members)[group].append(node)
    done: set[str] = set()
    nodes: list[Node] = []
    for node in scene.nodes:
        group = into.get(node.id)
        if group is None:
            parent = into.get(node.parent, node.parent)
            nodes.append(node if parent == node.parent else replace(node, parent=parent))
        elif group not in done:
            done.add(group)
            nodes.append(_group_node(group, members[group], inside[group], into))
    edges: dict[tuple[str, str, str], Edge] = {}
    for edge in scene.edges:
        source, target = into.get(edge.source, edge.source), into.get(edge.target, edge.target)
        if source == target or THINGS in (source, target):
            continue
        if source == edge.source and target == edge.target:
            edges[edge.key] = edge
            continue
        wakes = into.get(edge.wakes, edge.wakes)
        new = Edge(source, target, edge.kind, edge.both, edge.lit, found=edge.found, wakes=wakes)
        old = edges.get(new.key)
        edges[new.key] = new if old is None else _join_edges(new, old)
    return Scene(tuple(nodes), tuple(edges.values()))


def _has_role(node: Node) -> bool:
    """Whether a process is called by its role in a scenario, and not by its program."""
    return bool(node.label) and not node.label.startswith(node.title)


def _join_edges(new: Edge, old: Edge) -> Edge:
    """Two lines between the same boxes as one."""
    return replace(
        new,
        lit=new.lit or old.lit,
        both=new.both or old.both,
        found=new.found or old.found,
        wakes=new.wakes or old.wakes,
    )


# -- which processes go together


def _group_nothing(scene: Scene, processes: list[Node]) -> dict[str, str]:
    return {}


def _group_alike(scene: Scene, processes: list[Node]) -> dict[str, str]:
    """Processes without children, of one name and parent, with the same connections to the same
    others.
    """
    parents = {n.parent for n in processes if n.parent}
    kinds = {n.id: n.kind for n in scene.nodes}
    touching: dict[str, set[str]] = defaultdict(set)
    own: dict[str, list[tuple[str, bool, str]]] = defaultdict(list)
    for edge in scene.edges:
        if edge.kind != "child":
            touching[edge.source].add(edge.target)
            touching[edge.target].add(edge.source)
            own[edge.source].append((edge.target, True, edge.kind))
            own[edge.target].append((edge.source, False, edge.kind))
    # a server is of another sort than its clients, though they may have one name: by what it has
    # connections of
    sorts = {
        i: frozenset(Counter((kinds[other], out, kind) for other, out, kind in near).items())
        for i, near in own.items()
    }
    leaves = {n.id: (n.parent, n.title, sorts.get(n.id)) for n in processes if n.id not in parents}
    # of which names hang on each thing: whether one's own is among them is asked for each of its
    # processes
    about = {
        i: Counter(leaves[x] for x in near if x in leaves)
        for i, near in touching.items()
        if i not in leaves
    }

    def sign(node: Node) -> tuple[object, ...]:
        found: list[tuple[str, bool, str, tuple[str, ...]]] = []
        for other, outward, kind in own[node.id]:
            if other.startswith("p:") or about[other][leaves[node.id]] > 1:
                found.append((other, outward, kind, ()))
            else:
                beyond = tuple(sorted(touching[other] - {node.id}))
                found.append((kinds[other], outward, kind, beyond))
        return tuple(sorted(found))

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
        into.update(dict.fromkeys((n.id for n in nodes), group))
    return into


def _group_siblings(scene: Scene, processes: list[Node]) -> dict[str, str]:
    """Processes without children, of one name and parent."""
    parents = {n.parent for n in processes if n.parent}
    return _group_by_key(
        processes, lambda n: f"g:{n.parent}:{n.title}" if n.id not in parents else ""
    )


def _group_kin(scene: Scene, processes: list[Node]) -> dict[str, str]:
    """Processes of one name whose ancestors have the same names, up to the root."""
    by_id = {n.id: n for n in processes}
    paths: dict[str, str] = {}
    for node in processes:
        line: list[Node] = []
        while node.id not in paths and node not in line:
            line.append(node)
            if node.parent not in by_id:
                break
            node = by_id[node.parent]
        for one in reversed(line):
            paths[one.id] = f"{paths.get(one.parent, one.parent)}/{one.title}"
    return _group_by_key(processes, lambda n: f"g:{paths[n.id]}")


def _group_families(scene: Scene, processes: list[Node]) -> dict[str, str]:
    """Processes of one name and parent, each with all its descendants."""
    first = _group_by_key(processes, lambda n: f"g:{n.parent}:{n.title}" if n.parent else "")
    parents = {n.id: n.parent for n in processes}
    into: dict[str, str] = {}
    for node in processes:
        # the topmost ancestor that has a group gives it; a parent can be younger by its number, so
        # walk up
        line, seen, group = node.id, {node.id}, ""
        while line in parents:
            group = first.get(line, group)
            line = parents[line]
            if line in seen:
                break
            seen.add(line)
        if group:
            into[node.id] = group
    return into


def _group_by_name(scene: Scene, processes: list[Node]) -> dict[str, str]:
    """Processes of one name, wherever they are."""
    return _group_by_key(processes, lambda n: f"g::{n.title}")


_LEVELS: Final = (
    _group_nothing,
    _group_alike,
    _group_siblings,
    _group_kin,
    _group_families,
    _group_by_name,
)


def _group_by_key(processes: list[Node], key: Callable[[Node], str]) -> dict[str, str]:
    """Groups of two and more with the same key; those without a key have none."""
    found: dict[str, list[str]] = defaultdict(list)
    for node in processes:
        group = key(node)
        if group:
            found[group].append(node.id)
    return {node: group for group, nodes in found.items() if len(nodes) > 1 for node in nodes}


def _open_groups(
    into: dict[str, str], processes: list[Node], opened: frozenset[str]
) -> tuple[dict[str, str], int]:
    """Take the first members of opened groups out of them."""
    if not opened:
        return into, 0
    shown: Counter[str] = Counter()
    kept: dict[str, str] = {}
    for node in processes:
        group = into.get(node.id, "")
        if not group:
            continue
        if group in opened and shown[group] < OPENED and shown.total() < LIMIT // 2:
            shown[group] += 1
        else:
            kept[node.id] = group
    return kept, shown.total()


def _group_rest(
    into: dict[str, str], processes: list[Node], opened: frozenset[str], room: int
) -> None:
    """Keep those with a role in the scenario, and then the oldest, half as many as there is room
    for; the others, and the groups of others, become one.
    """
    keep = max(4, min(LIMIT, room) // 2 + (OPENED // 2 if REST in opened else 0))
    shown: dict[str, None] = {}
    for node in sorted(processes, key=lambda node: not _has_role(node)):
        shown.setdefault(into.get(node.id, node.id))
    if len(shown) <= keep:
        return
    stay = set(list(shown)[: keep - 1])
    for node in processes:
        if into.get(node.id, node.id) not in stay:
            into[node.id] = REST


# -- and what lies between them


def _fold_objects(
    scene: Scene, into: dict[str, str], opened: frozenset[str], level: int
) -> list[Node]:
    """Fold what has the same connections with the groups; what lies within one goes into it, and is
    returned.
    """
    groups = set(into.values())
    near: dict[str, set[tuple[str, bool, str]]] = defaultdict(set)
    for edge in scene.edges:
        if edge.kind == "child":
            continue
        near[edge.source].add((into.get(edge.target, edge.target), False, edge.kind))
        near[edge.target].add((into.get(edge.source, edge.source), True, edge.kind))
    same: dict[tuple[str, tuple[tuple[str, bool, str], ...]], list[Node]] = defaultdict(list)
    within: list[Node] = []
    for node in scene.nodes:
        if node.kind == "process":
            continue
        others = {other for other, _, _ in near[node.id]}
        if (
            len(others) == 1
            and others <= groups
            and len({inward for _, inward, _ in near[node.id]}) == 2
        ):
            into[node.id] = next(iter(others))
            within.append(node)
        elif others & groups or level >= _LAST or node.kind in TUBES | ENDS:
            same[node.kind, tuple(sorted(near[node.id]))].append(node)
    for (kind, around), nodes in same.items():
        group = "e:" + ":".join((kind, *sorted({other for other, _, _ in around})))
        enough = 2 if level >= _LAST or any(other in groups for other, _, _ in around) else LEAST
        if len(nodes) >= enough and around and group not in opened:
            into.update(dict.fromkeys((n.id for n in nodes), group))
    return within


def _rest_of_things(scene: Scene, into: dict[str, str], opened: frozenset[str], room: int) -> None:
    """Keep so many things as there is room for; the others become one, without lines."""
    people = {into.get(n.id, n.id) for n in scene.nodes if n.kind == "process"}
    things: dict[str, bool] = {}
    for node in scene.nodes:
        if node.kind != "process" and into.get(node.id) not in people:
            name = into.get(node.id, node.id)
            things[name] = things.get(name, False) or any(g.full for g in node.gauges)
    space = min(LIMIT, room + (OPENED if THINGS in opened else 0)) - len(people)
    if len(things) <= space:
        return
    # the full ones first, then the oldest
    stay = set(sorted(things, key=lambda name: not things[name])[: max(0, space - 1)])
    for node in scene.nodes:
        if node.kind == "process" or into.get(node.id) in people:
            continue
        if into.get(node.id, node.id) not in stay:
            into[node.id] = THINGS


# -- how a group looks


def _describe_kinds(nodes: Iterable[Node]) -> str:
    """`16 pipes, 2 files`."""
    plural = {"memory": "memory", "terminal": "terminals", "process": "processes"}
    counts = Counter(n.kind for n in nodes)
    return ", ".join(
        f"{n} {kind if n == 1 else plural.get(kind, kind + 's')}"
        for kind, n in counts.most_common()
    )


def _group_node(group: str, members: list[Node], inside: list[Node], into: dict[str, str]) -> Node:
    people = [m for m in members if m.kind == "process"]
    return (
        _build_group_node(group, people, inside, into) if people else _alike_things(group, members)
    )


def _alike_things(group: str, members: list[Node]) -> Node:
    first = members[0]
    full = sum(g.full for m in members for g in m.gauges)
    more = (NodeLine(f"{full} full", "strong"),) if full else ()
    if group == THINGS:
        title, words = f"+{len(members)} more", _describe_kinds(members)
    else:
        title = f"{'not watched' if first.kind == 'outsider' else first.kind} x{len(members)}"
        words = (
            f"{first.title}…{members[-1].title}"
            if first.title != members[-1].title
            else first.title
        )
    near = next((part for part in group.split(":g:")[1:2]), "")
    return Node(
        id=group,
        kind="group",
        title=title,
        # With a letter it stands where processes stand.
        letter="?" if first.kind == "outsider" else "",
        chip="gone" if first.kind == "outsider" else "",
        lines=(NodeLine(words, "dim"), *more),
        order=first.order,
        lit=any(m.lit for m in members),
        found=any(m.found for m in members),
        faded=all(m.faded for m in members),
        select=("group", f"g:{near}" if near else group),
    )


def _describe_blocked(blocked: list[Node]) -> NodeLine:
    """The first of a group's members that are blocked, and on what."""
    one = blocked[0]
    name = one.label or one.title
    more = f", +{len(blocked) - 1}" if len(blocked) > 1 else ""
    return NodeLine(f"{name}: {one.lines[0].text}{more}", "strong", short=f"{name} blocked{more}")


def _name_group(alike: list[Node]) -> str:
    """What a group of processes of one program is called: `cat x2`; by their role in a scenario, if
    they have one: `worker x2`.
    """
    first = alike[0]
    return f"{first.label if _has_role(first) else first.title} x{len(alike)}"


def _build_group_node(
    group: str, members: list[Node], inside: list[Node], into: dict[str, str]
) -> Node:
    first = members[0]
    tops = [m for m in members if m.title == first.title] if group != REST else []
    counts = Counter(m.letter for m in members)
    common = min(counts, key=lambda letter: (-counts[letter], _ORDER.find(letter)))
    chip = next(m.chip for m in members if m.letter == common)
    said = ", ".join(f"{counts[c]} {_WORDS.get(c, c)}" for c in sorted(counts, key=_ORDER.find))
    lines = [NodeLine(said, "text")]
    others = Counter(m.title for m in members if group == REST or m.title != first.title)
    blocked = [m for m in members if m.letter == "B" and m.lines]
    if blocked and 2 * len(blocked) < len(members):
        # Who waits for another one while most do not is told by name.
        lines.append(_describe_blocked(blocked))
    elif others:
        names = ", ".join(f"{n} {name}" for name, n in others.most_common(3))
        lines.append(NodeLine(f"and {names}" if tops else names, "dim"))
    else:
        lines.append(
            NodeLine(
                Counter(m.lines[0].text for m in members if m.lines).most_common(1)[0][0], "dim"
            )
        )
    if inside:
        lines.append(NodeLine(f"{_describe_kinds(inside)} within", "dim"))
    parents = {into.get(m.parent, m.parent) for m in members} - {group}
    return Node(
        id=group,
        kind="group",
        title=_name_group(tops) if tops else f"+{len(members)} more",
        letter=common,
        chip=chip,
        lines=tuple(lines),
        order=first.order,
        parent=parents.pop() if len(parents) == 1 else "",
        tree=all(m.tree for m in members),
        lit=any(m.lit for m in members),
        found=any(m.found for m in [*members, *inside]),
        faded=all(m.faded for m in members),
        select=("group", group),
    )
