"""From a state to a scene: which processes and objects matter, and how they hang together. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from ipcviz.app.picture import (
    channels,
    ends,
    folding,
    notifiers,
    outsiders,
    processes,
    shared,
    signals,
    sockets,
    wakes,
)
from ipcviz.app.picture.draft import KEPT, Changes, Joins, SceneDraft, make_process_age_key
from ipcviz.app.picture.found import mark_finding
from ipcviz.app.picture.scene import BLOCKS, ENDS, TUBES, Scene
from ipcviz.events.kinds import MEMORY, NOTIFIERS, PIPES, SOCKETS

if TYPE_CHECKING:
    from ipcviz.diagnose import Finding
    from ipcviz.model import query
    from ipcviz.model.state import Object, State

__all__ = ["KEPT", "build_scene"]

_BLOCK_ROWS: Final = 6
"""Rows of the screen that a block takes, with what is between it and the next."""
_CELLS: Final = 60
_ROOM: Final = (14, 60)
"""A node for each so many cells of the screen, between these bounds: what is more is folded."""


def build_scene(
    state: State,
    *,
    opened: frozenset[str] = frozenset(),
    slots: Mapping[int, int] | None = None,
    lit: Changes | None = None,
    most: int = 14,
    size: tuple[int, int] = (80, 24),
    level: int = 0,
    joins: Joins | None = None,
    about: frozenset[str] = frozenset(),
    finding: Finding | None = None,
    without_gone: bool = False,
) -> Scene:
    """The scene of a moment.

    Args:
        state: The moment.
        opened: Ids of groups that are shown with all their members.
        slots: The digits that choose processes, by pid; none are shown if it is None.
        lit: What to show as changed; `state.changed` if None.
        most: Above so many processes, alike ones are folded into groups.
        size: Columns and rows at hand: how much must be folded.
        level: How much was folded in the scene before.
        joins: What was found of who is connected to what, for the scene before; anything else is
            found anew.
        about: Names of the panels that the story points at: what is to be seen of processes.
        finding: What it speaks of is marked; nothing is if it is None.
        without_gone: Those that have ended have no boxes, as long as others live.

    Returns:
        A scene whose size is bounded, whatever the state is.
    """
    draft = SceneDraft(
        state,
        frozenset(state.changed) if lit is None else lit,
        joins or Joins(),
        without_gone=without_gone,
    )
    draft.slots = slots or {}
    draft.about = about
    draft.rows = size[1]
    room = max(_ROOM[0], min(_ROOM[1], size[0] * size[1] // _CELLS))
    whole = _without_private(draft, _build_whole_scene(draft), size[1])
    if finding is not None:
        whole = mark_finding(whole, state, finding)
    scene = folding.fold_scene(
        _fade_scene(whole) if draft.ended else whole,
        opened,
        most,
        room,
        level,
        size[1],
    )
    nodes = tuple(
        processes.complete_box(draft, n) if n.kind == "process" else n for n in scene.nodes
    )
    return Scene(nodes, scene.edges, scene.level, recent=draft.recent)


def _fade_scene(scene: Scene) -> Scene:
    """The scene of a system of which nothing runs any more: as it last was, and faded."""
    nodes = tuple(replace(n, faded=True, ended=True, lit=False) for n in scene.nodes)
    return Scene(nodes, tuple(replace(e, faded=True, lit=False) for e in scene.edges), scene.level)


def _without_private(d: SceneDraft, scene: Scene, rows: int) -> Scene:
    """The scene with only so much of the memory that one process alone has as there is room for
    below all else.
    """
    alone = set(d.alone)
    others = sum(n.kind in TUBES | BLOCKS and n.id not in alone for n in scene.nodes)
    left_out = set(d.alone[max(0, rows // _BLOCK_ROWS - others) :])
    if not left_out:
        return scene
    nodes = tuple(n for n in scene.nodes if n.id not in left_out)
    return Scene(nodes, tuple(e for e in scene.edges if not left_out & {e.source, e.target}))


def _build_whole_scene(d: SceneDraft) -> Scene:
    """All of it."""
    by_object = d.joins.links
    things = [t for t in (d.state.objects.get(key) for key in by_object) if t is not None]
    # what leads out of the system comes last, when it is known what flows inside
    for thing in sorted(things, key=lambda t: (d.is_all_outside(t.info.key), t.info.kind in ENDS)):
        links = [x for x in by_object[thing.info.key] if not ends.idle_from_outside(d, x)]
        if links:
            _add_object(d, thing, links, by_object)
    for thing in d.state.objects.values():
        if thing.info.key not in by_object and thing.info.kind in PIPES:
            channels.add_closed_channel(d, thing)
        elif thing.info.key not in by_object and shared.is_left(d.state, thing):
            shared.add_memory(d, thing, [])
    channels.add_open_waiters(d)
    sockets.add_connect_waiters(d)
    shared.add_semaphores(d)
    shared.add_variables(d)
    signals.add_signals(d)
    outsiders.add_outsiders(d)
    wakes.add_wakes(d)
    for process in sorted(d.processes.values(), key=make_process_age_key):
        processes.add_process(d, process)
    nodes = {n.id: n for n in sorted(d.nodes.values(), key=lambda n: (n.order, n.id))}
    edges = tuple(e for _, e in sorted(d.edges.items()) if e.source in nodes and e.target in nodes)
    return Scene(tuple(nodes.values()), edges)


def _add_object(
    d: SceneDraft, thing: Object, links: list[query.Link], by_object: Mapping[str, list[query.Link]]
) -> None:
    kind = thing.info.kind
    if kind in SOCKETS:
        sockets.add_socket(d, thing, links, by_object)
    elif kind in channels.CHANNELS:
        channels.add_channel(d, thing, links)
    elif kind in MEMORY or (kind == "file" and any(x.mapped and x.writes for x in links)):
        shared.add_memory(d, thing, links)
    elif kind in NOTIFIERS:
        notifiers.add_notifier(d, thing, links)
    elif kind == "file" or kind == "terminal":
        ends.add_end(d, thing, links)
