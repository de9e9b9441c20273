"""Processes that are not watched and have an end of something that is drawn: boxes of their own
sort. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ipcviz.app.picture.scene import Node, NodeLine
from ipcviz.app.text import make_visible
from ipcviz.events.kinds import PIPES
from ipcviz.model.ends import open_modes
from ipcviz.model.parts import ObjectPart
from ipcviz.model.waits.outsiders import outsiders_of

if TYPE_CHECKING:
    from ipcviz.app.picture.draft import SceneDraft
    from ipcviz.events import Outsider
    from ipcviz.model.state import Object

MOST: Final = 12
"""Boxes of outsiders at most: the panels name the others."""


def add_outsiders(d: SceneDraft) -> None:
    """Those that a look through /proc has found, joined to what they have."""
    drawn: set[int] = set()
    for key in sorted(d.state.outsiders):
        thing = d.state.objects.get(key)
        if thing is None or f"o:{key}" not in d.nodes:
            continue
        for one in outsiders_of(d.state, key):
            if one.pid not in drawn and len(drawn) >= MOST:
                continue
            if one.pid not in drawn:
                drawn.add(one.pid)
                d.add_node(_build_box(one, lit=ObjectPart(key) in d.lit))
            _join_outsider(d, thing, one)


def _build_box(one: Outsider, *, lit: bool) -> Node:
    """A box that says so little as is known."""
    return Node(
        id=f"u:{one.pid}",
        kind="outsider",
        title=make_visible(one.name) or "?",
        corner=str(one.pid),
        lines=(NodeLine("not watched", "dim"),),
        # Before all that are watched: mostly what flows comes from there.
        order=(-1.0, one.pid),
        lit=lit,
        select=("outsider", one.pid),
    )


def _join_outsider(d: SceneDraft, thing: Object, one: Outsider) -> None:
    key, box = f"o:{thing.info.key}", f"u:{one.pid}"
    if thing.info.kind not in PIPES:
        d.join_nodes(box, key, "flow", thing, one.pid, both=True)
        return
    reads = one.mode == "r" or (
        one.mode == "rw" and "r" not in open_modes(d.state.ends, thing.info.key)
    )
    d.join_nodes(*((key, box) if reads else (box, key)), "flow", thing, one.pid)
