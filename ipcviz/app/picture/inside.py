"""Files and terminals that one process alone uses, told inside its box. Pure."""

from __future__ import annotations

from collections import defaultdict

from msgspec.structs import replace

from ipcviz.app.picture.found import FOUND, MARK
from ipcviz.app.picture.scene import ENDS, Edge, Node, NodeLine, Scene


def tell_ends_inside(scene: Scene) -> Scene:
    """The scene without the boxes of files and terminals that one process alone uses: they stand in
    the box of that one. The scene itself if there is none.
    """
    nodes = {node.id: node for node in scene.nodes}
    edges: dict[str, list[Edge]] = defaultdict(list)
    for edge in scene.edges:
        for end in (edge.source, edge.target):
            if nodes[end].kind in ENDS:
                edges[end].append(edge)
    told: dict[str, list[NodeLine]] = defaultdict(list)
    gone: set[str] = set()
    for node in scene.nodes:
        joined = edges.get(node.id, [])
        if not node.id.startswith("t:") or len(joined) != 1:
            continue
        process = joined[0].source if joined[0].target == node.id else joined[0].target
        if nodes[process].kind == "process":
            told[process].append(_describe_end(node, joined[0]))
            gone.add(node.id)
    if not gone:
        return scene
    kept = (replace(n, ends=tuple(told[n.id])) if n.id in told else n for n in scene.nodes)
    return replace(
        scene,
        nodes=tuple(node for node in kept if node.id not in gone),
        edges=tuple(e for e in scene.edges if not gone & {e.source, e.target}),
        inside=True,
    )


def _describe_end(node: Node, edge: Edge) -> NodeLine:
    """A file or terminal as words: `3←FILE 128K`, `1→out`."""
    arrow = "\N{RIGHTWARDS ARROW}" if edge.target == node.id else "\N{LEFTWARDS ARROW}"
    mark = MARK if node.found and MARK not in edge.fds else ""
    short = f"{mark}{edge.fds}{arrow}{node.title}"
    moved = f" {node.lines[0].text}" if node.lines else ""
    style = FOUND if node.found else "text"
    return NodeLine(short + moved, style, lit=node.lit or edge.lit, short=short)
