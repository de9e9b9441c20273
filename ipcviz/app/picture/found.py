"""What a finding speaks of, marked in a scene. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from ipcviz.app.picture.scene import Edge, Node, Scene

if TYPE_CHECKING:
    from ipcviz.diagnose import Finding
    from ipcviz.model.state import State

FOUND: Final = "found"
"""The style of what the finding speaks of that is selected."""
MARK: Final = "!"
"""Stands before what the finding speaks of: it is told by more than a colour."""


def mark_finding(scene: Scene, state: State, finding: Finding) -> Scene:
    """The scene with the boxes marked that a finding speaks of, the lines between them, and its
    descriptors at these lines.

    Args:
        scene: With nothing folded.
        state: The moment.
        finding: What was found, then or earlier.
    """
    keys = _list_keys(state, finding)
    pids = {party.pid for party in finding.processes} | {pid for pid, _ in finding.descriptors}
    nodes = tuple(
        replace(node, found=True) if _is_meant(node, pids, keys) else node for node in scene.nodes
    )
    found = {node.id for node in nodes if node.found}
    edges = tuple(
        _mark_edge(edge, finding) if {edge.source, edge.target} <= found else edge
        for edge in scene.edges
    )
    return Scene(nodes, edges, scene.level)


def _list_keys(state: State, finding: Finding) -> frozenset[str]:
    """Keys of the objects that it is about: also of those behind its descriptors, and of the other
    ends of connections.
    """
    keys = {key for key in finding.objects if key}
    for pid, fd in finding.descriptors:
        description = state.find_description(pid, fd)
        if description is not None and not finding.objects:
            keys.add(description.object)
    peers = {state.objects[key].info.peer for key in keys if key in state.objects}
    return frozenset(keys | peers - {""})


def _is_meant(node: Node, pids: set[int], keys: frozenset[str]) -> bool:
    kind, what = node.select
    if kind == "process" and node.kind != "signal":
        return what in pids
    return what in keys or any(node.id in (f"o:{key}", f"v:{key}", f"m:{key}") for key in keys)


def _mark_edge(edge: Edge, finding: Finding) -> Edge:
    """A line between two things that are marked, with those of its descriptors that are meant."""
    pid = next((int(end[2:]) for end in (edge.source, edge.target) if end.startswith("p:")), 0)
    meant = {str(fd) for owner, fd in finding.descriptors if owner == pid}
    fds = re.sub(r"\d+", lambda m: MARK + m[0] if m[0] in meant else m[0], edge.fds)
    return replace(edge, found=True, fds=fds)
