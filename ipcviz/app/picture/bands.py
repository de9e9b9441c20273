"""Flows that are too long for one row: they go on in the next one, as a long command line does.

Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from ipcviz.app.picture.scene import ENDS, TUBES, Scene

Chain = tuple[str, ...]
"""Ids of stages and of the tubes between them, from the left to the right."""

LEAST_STAGES = 3
"""What has fewer stages stays in one row."""


def find_pipelines(scene: Scene) -> tuple[Chain, ...]:
    """The pipelines of three stages and more that no other process hangs on; files and terminals
    may.
    """
    kinds = {n.id: n.kind for n in scene.nodes}
    after: dict[str, list[str]] = defaultdict(list)
    before: dict[str, list[str]] = defaultdict(list)
    crossed: set[str] = set()
    for edge in scene.edges:
        if edge.kind == "child" or kinds[edge.source] in ENDS or kinds[edge.target] in ENDS:
            continue
        if edge.kind in ("flow", "past") and not edge.both:
            after[edge.source].append(edge.target)
            before[edge.target].append(edge.source)
        else:
            crossed.update((edge.source, edge.target))
    found: list[Chain] = []
    for start in scene.nodes:
        if before[start.id] or not after[start.id]:
            continue
        line = [start.id]
        while len(after[line[-1]]) == 1 and after[line[-1]][0] not in line:
            line.append(after[line[-1]][0])
        plain = all(
            len(before[i]) < 2
            and len(after[i]) < 2
            and (kinds[i] == "process" or kinds[i] in TUBES)
            for i in line
        )
        stages = sum(kinds[i] == "process" for i in line)
        if plain and not crossed.intersection(line) and stages >= LEAST_STAGES:
            found.append(tuple(line))
    return tuple(found)


def in_bands(
    places: Mapping[str, tuple[int, int]], stages: frozenset[int], rows: int
) -> tuple[dict[str, tuple[int, int]], frozenset[str]]:
    """Places of a flow that is cut into bands, each below the one before.

    Args:
        places: Columns and rows in one band.
        stages: Columns of processes.
        rows: How many bands; each but the last has the same number of stages.

    Returns:
        The new columns and rows, and what is in another band than the first.
    """
    order = sorted(stages)
    each = -(-len(order) // rows)
    starts = order[::each]
    bands = {
        node: max(sum(column >= start for start in starts) - 1, 0)
        for node, (column, _) in places.items()
    }
    cells: dict[str, tuple[int, int]] = {}
    below = 0
    for band, start in enumerate(starts):
        own = {node: places[node] for node, number in bands.items() if number == band}
        top = min(row for _, row in own.values())
        cells.update(
            {
                node: (column - start + order[0], row - top + below)
                for node, (column, row) in own.items()
            }
        )
        below += max(row for _, row in own.values()) - top + 1
    return cells, frozenset(node for node, band in bands.items() if band)
