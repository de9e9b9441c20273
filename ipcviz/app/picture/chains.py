"""Pipelines that are too long for one row: they go on in the next one, as a long command line does. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from ipcviz.app.picture.scene import ENDS, TUBES, Node, Scene

Chain = tuple[str, ...]
"""Ids from the left to the right: stages and the tubes between them, perhaps a file or terminal at either end."""


def chains(scene: Scene) -> tuple[Chain, ...]:
    """The pipelines of three stages and more that nothing else hangs on, each from its first node to its last."""
    nodes = {n.id: n for n in scene.nodes}
    after: dict[str, list[str]] = defaultdict(list)
    before: dict[str, list[str]] = defaultdict(list)
    crossed: set[str] = set()
    for edge in scene.edges:
        if edge.kind in ("flow", "past") and not edge.both:
            after[edge.source].append(edge.target)
            before[edge.target].append(edge.source)
        elif edge.kind != "child":
            crossed.update((edge.source, edge.target))
    found: list[Chain] = []
    for start in scene.nodes:
        if before[start.id] or not after[start.id]:
            continue
        line = [start.id]
        while len(after[line[-1]]) == 1 and after[line[-1]][0] not in line:
            line.append(after[line[-1]][0])
        stages = [i for i in line if nodes[i].kind == "process"]
        plain = all(
            len(before[i]) < 2 and len(after[i]) < 2 and _belongs(nodes[i], i in (line[0], line[-1])) for i in line
        )
        if plain and not crossed.intersection(line) and len(stages) > 2:
            found.append(tuple(line))
    return tuple(found)


def _belongs(node: Node, outermost: bool) -> bool:
    return node.kind == "process" or node.kind in TUBES or (outermost and node.kind in ENDS)


def wrapped(scene: Scene, chain: Chain, rows: int) -> dict[str, tuple[int, int]]:
    """Columns and rows of a chain's nodes if it takes so many rows: the same number of stages in each but the last."""
    nodes = {n.id: n for n in scene.nodes}
    stages = sum(nodes[i].kind == "process" for i in chain)
    each = -(-stages // rows)
    cells: dict[str, tuple[int, int]] = {}
    stage = -1
    for node in chain:
        stage += nodes[node].kind == "process"
        if nodes[node].kind == "process":
            cells[node] = (2 * (stage % each) + 1, stage // each)
        else:  # what stands before the first stage is left of it
            cells[node] = (2 * (stage % each) + 2, stage // each) if stage >= 0 else (0, 0)
    return cells


def untold(scene: Scene, cells: Mapping[str, tuple[int, int]]) -> frozenset[tuple[str, str, str]]:
    """Keys of the lines from parents to the stages of a pipeline's later rows: those of its first row say it."""
    lower: set[str] = set()
    for chain in chains(scene):
        top = min(cells[i][1] for i in chain)
        lower.update(i for i in chain if cells[i][1] > top)
    return frozenset(e.key for e in scene.edges if e.kind == "child" and e.target in lower)
