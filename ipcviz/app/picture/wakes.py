"""Who has just woken whom at a semaphore or a futex: an arrow through the object that both use.
Pure.

    waker ──→ semaphore ──→ woken

Nothing is drawn where more than one could have been the waker (`model.mechanisms.wakes`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from ipcviz.app.picture.scene import Edge
from ipcviz.app.picture.words import find_fresh_wake

if TYPE_CHECKING:
    from ipcviz.app.picture.draft import SceneDraft


def add_wakes(d: SceneDraft) -> None:
    """The arrows of all wakes of this moment; the boxes of what they go through are there."""
    for process in d.processes.values():
        wake = find_fresh_wake(d.state, process)
        node = _find_node(d, wake.key) if wake is not None else ""
        if wake is None or not node or wake.pid not in d.processes:
            continue
        _add_arrow(d, f"p:{wake.pid}", node)
        _add_arrow(d, node, f"p:{process.pid}")


def _find_node(d: SceneDraft, key: str) -> str:
    """The box that has a semaphore or a futex in it; empty if there is none."""
    key = key.removesuffix(" is 0")
    semaphore = d.state.semaphores.get(key)
    thing = semaphore.info.object if semaphore is not None else key
    # The key of a futex is that of its object with the offset in that.
    thing = thing.removeprefix("futex:").rpartition(":")[0] if key.startswith("futex:") else thing
    return next((node for node in (f"m:{key}", f"o:{thing}") if node in d.nodes), "")


def _add_arrow(d: SceneDraft, source: str, target: str) -> None:
    """An arrow from one box to another: along the line that there is, else by one of its own."""
    for ends in ((source, target), (target, source)):
        edge = d.edges.get((*ends, "flow"))
        if edge is not None:
            d.edges[edge.key] = replace(edge, wakes=target)
            return
    edge = Edge(source, target, "signal", wakes=target)
    d.edges.setdefault(edge.key, edge)
