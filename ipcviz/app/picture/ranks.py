"""Which column and row of the picture's grid each node goes into. Pure and deterministic.

Processes stand in odd columns, what lies between them in even ones, so a pipeline reads like its
command line: file 0, cat 1, pipe 2, gzip 3, file 4. Networkx could rank, but its import takes
longer than everything here.
"""

from __future__ import annotations

from collections import defaultdict

from ipcviz.app.picture.bands import LEAST_STAGES, in_bands
from ipcviz.app.picture.scene import ENDS, Node, Scene

Cell = tuple[int, int]
"""Column and row of the grid."""


def is_process(node: Node) -> bool:
    """Whether it stands in a process column."""
    return node.kind in ("process", "outsider") or (node.kind == "group" and bool(node.letter))


def rank_nodes(scene: Scene, rows: int = 1) -> tuple[dict[str, Cell], frozenset[str]]:
    """A cell for every node; no two share one.

    Long flows take so many bands; what is in later ones is told, too.
    """
    nodes = {n.id: n for n in scene.nodes}
    levels = _assign_levels(scene, nodes)
    columns = _assign_columns(scene, nodes, levels)
    rows_of_tree = _place_tree(scene, columns)
    below = max((row for _, row in rows_of_tree.values()), default=-1) + 1
    cells = dict(rows_of_tree)
    apart = {n.id for n in scene.nodes if is_process(n) and n.tree}
    later: frozenset[str] = frozenset()
    for part in _list_components(scene, nodes, apart):
        placed = _assign_rows(scene, nodes, columns, part)
        stages = frozenset(columns[i] for i in part if is_process(nodes[i]))
        if rows > 1 and len(stages) >= LEAST_STAGES:
            places, more = in_bands({i: (columns[i], placed[i]) for i in part}, stages, rows)
            later |= more
            columns.update({node: column for node, (column, _) in places.items()})
            placed = {node: row for node, (_, row) in places.items()}
        top = min(placed.values())
        for node, row in placed.items():
            cells[node] = (columns[node], row - top + below)
        below += max(placed.values()) - top + 1
    _place_guests(scene, nodes, cells)
    left = min((c for c, _ in cells.values()), default=1)
    if left > 1:
        cells = {node: (c - (left - 1), r) for node, (c, r) in cells.items()}
    return cells, later


def _ends_of(
    scene: Scene, nodes: dict[str, Node]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Processes that put into, and that take out of, each thing between processes."""
    writers: dict[str, list[str]] = defaultdict(list)
    readers: dict[str, list[str]] = defaultdict(list)
    for edge in scene.edges:
        if edge.kind in ("child", "hold"):
            continue
        if is_process(nodes[edge.source]) and not is_process(nodes[edge.target]):
            writers[edge.target].append(edge.source)
        elif is_process(nodes[edge.target]) and not is_process(nodes[edge.source]):
            readers[edge.source].append(edge.target)
    return writers, readers


def _assign_levels(scene: Scene, nodes: dict[str, Node]) -> dict[str, int]:
    """Each flowing process's level: one more than the highest that feeds it, cycles cut at the
    oldest process.
    """
    writers, readers = _ends_of(scene, nodes)
    after: dict[str, set[str]] = defaultdict(set)
    flowing = sorted(
        (n for n in scene.nodes if is_process(n) and not n.tree), key=lambda n: (n.order, n.id)
    )
    ranked = {n.id for n in flowing}
    for thing, sources in writers.items():
        for source in sources:
            after[source].update(t for t in readers.get(thing, ()) if t != source and t in ranked)
    order: list[str] = []
    state: dict[str, int] = {}
    ahead: dict[str, list[str]] = defaultdict(list)

    def visit(start: str) -> None:
        stack = [(start, iter(sorted(after[start], key=lambda i: nodes[i].order)))]
        state[start] = 1
        while stack:
            node, rest = stack[-1]
            for target in rest:
                if state.get(target) == 1:
                    continue  # it would close a cycle
                ahead[node].append(target)
                if target not in state:
                    state[target] = 1
                    stack.append(
                        (target, iter(sorted(after[target], key=lambda i: nodes[i].order)))
                    )
                    break
            else:
                state[node] = 2
                order.append(node)
                stack.pop()

    fed = {t for targets in after.values() for t in targets}
    for node in sorted(flowing, key=lambda n: (n.id in fed, n.order, n.id)):
        if node.id not in state:
            visit(node.id)
    levels = dict.fromkeys((n.id for n in flowing), 0)
    for source in reversed(order):
        for target in ahead[source]:
            levels[target] = max(levels[target], levels[source] + 1)
    return levels


def _assign_columns(scene: Scene, nodes: dict[str, Node], levels: dict[str, int]) -> dict[str, int]:
    """Columns of everything that flows."""
    writers, readers = _ends_of(scene, nodes)
    columns = {node: 2 * level + 1 for node, level in levels.items()}
    for node in scene.nodes:
        if is_process(node):
            continue
        last = max((columns[w] for w in writers.get(node.id, ()) if w in columns), default=None)
        first = min((columns[r] for r in readers.get(node.id, ()) if r in columns), default=None)
        if first is not None and (last is None or last < first):
            columns[node.id] = first - 1
        elif last is not None:
            columns[node.id] = last + 1
        else:  # only held: beside its oldest holder
            columns[node.id] = 2
    return columns


def _place_tree(scene: Scene, columns: dict[str, int]) -> dict[str, Cell]:
    """Processes without a flow, as a tree from left to right, first children beside their
    parents.
    """
    members = {n.id: n for n in scene.nodes if is_process(n) and n.tree}
    children: dict[str, list[str]] = defaultdict(list)
    roots: list[str] = []
    for node in sorted(members.values(), key=lambda n: (n.order, n.id)):
        if node.parent in members:
            children[node.parent].append(node.id)
        elif node.parent not in columns:
            roots.append(node.id)
    cells: dict[str, Cell] = {}
    row = 0
    for root in roots:
        stack = [(root, 1)]
        while stack:
            one, column = stack.pop()
            if one in cells:
                continue
            later = one == root or children[members[one].parent][0] != one
            if later and cells:
                row += 1
            cells[one] = (column, row)
            stack.extend((child, column + 2) for child in reversed(children[one]))
    return cells


def _place_guests(scene: Scene, nodes: dict[str, Node], cells: dict[str, Cell]) -> None:
    """Place processes without a flow whose parents have one: to the right of the parent, where
    there is room.
    """
    for node in scene.nodes:
        if node.id in cells or not is_process(node):
            continue
        column, row = cells.get(node.parent, (-1, 0))
        column += 2
        taken = set(cells.values())
        while (column, row) in taken or (column - 1, row) in taken:
            row += 1
        cells[node.id] = (column, row)


def _list_components(scene: Scene, nodes: dict[str, Node], done: set[str]) -> list[list[str]]:
    """What hangs together, oldest process first."""
    near: dict[str, set[str]] = defaultdict(set)
    for edge in scene.edges:
        if edge.kind != "child" and edge.source not in done and edge.target not in done:
            near[edge.source].add(edge.target)
            near[edge.target].add(edge.source)
    seen = set(done)
    parts: list[list[str]] = []
    for node in scene.nodes:
        if node.id in seen:
            continue
        part, queue = [], [node.id]
        seen.add(node.id)
        while queue:
            one = queue.pop()
            part.append(one)
            fresh = sorted(near[one] - seen)
            seen.update(fresh)
            queue.extend(fresh)
        parts.append(part)
    return sorted(
        parts, key=lambda p: min((not is_process(nodes[i]), nodes[i].order, i) for i in p)
    )


def _assign_rows(
    scene: Scene, nodes: dict[str, Node], columns: dict[str, int], part: list[str]
) -> dict[str, int]:
    """Rows within a part: near the middle of what comes before, then of what comes after."""
    inside = set(part)
    near: dict[str, list[str]] = defaultdict(list)
    for edge in scene.edges:
        if edge.kind != "child" and edge.source in inside and edge.target in inside:
            near[edge.source].append(edge.target)
            near[edge.target].append(edge.source)
    by_column: dict[int, list[str]] = defaultdict(list)
    for node in part:
        by_column[columns[node]].append(node)
    # Begin at the column with the most nodes: the others arrange themselves around it.
    start = min(by_column, key=lambda c: (-len(by_column[c]), c))
    rows: dict[str, int] = {}
    for column in sorted(by_column, key=lambda c: (abs(c - start), c)):
        members = by_column[column]

        def middle(node: str) -> float:
            placed = sorted(rows[other] for other in near[node] if other in rows)
            if not placed:
                return float("inf")
            half = len(placed) // 2
            return placed[half] if len(placed) % 2 else (placed[half - 1] + placed[half]) / 2

        members.sort(key=lambda n: (middle(n), nodes[n].kind in ENDS, nodes[n].order, n))
        taken: set[int] = set()
        for node in members:
            wish = middle(node)
            goal = int(wish) if wish != float("inf") else max(taken, default=-1) + 1
            free = (
                r for r in range(goal - len(members), goal + len(members) + 1) if r not in taken
            )
            _, _, row = min((abs(r - goal), -r, r) for r in free)
            taken.add(row)
            rows[node] = row
        # keep the order of the wishes: crossing lines are worse than longer ones
        for node, row in zip(members, sorted(taken), strict=True):
            rows[node] = row
    return rows
