"""From a scene to places in character cells: columns and rows of one size, so that what stays can
stay. Pure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final

import msgspec
from msgspec.structs import replace

from ipcviz.app.picture.bands import LEAST_STAGES
from ipcviz.app.picture.inside import tell_ends_inside
from ipcviz.app.picture.places import find_shift, keep_places
from ipcviz.app.picture.ranks import Cell, is_process, rank_nodes
from ipcviz.app.picture.routes import WORK, WORK_KEPT, Rect, Route, Router
from ipcviz.app.picture.scene import BLOCKS, ENDS, TUBES, Node, Scene
from ipcviz.app.picture.signals import is_on_its_way

EdgeKey = tuple[str, str, str]

# widths: process, channel, end, gutter, and up to which one a process has more for a whole name;
# the first that fits is taken
_WIDTHS: Final = (
    (30, 26, 16, 5, 30),
    (26, 22, 14, 5, 26),
    (24, 18, 14, 4, 24),
    (22, 16, 12, 4, 22),
    (20, 15, 11, 3, 20),
    (17, 13, 9, 3, 20),
    (15, 10, 8, 3, 20),
    (14, 8, 7, 2, 18),
    (14, 8, 7, 2, 0),
    (14, 9, 7, 1, 0),
    (11, 6, 6, 1, 0),
)
# heights: process, gap, process that stands above others and takes part in no flow; the same
_HEIGHTS: Final[tuple[tuple[int, int, int], ...]] = (
    (5, 2, 5),
    (5, 1, 5),
    (5, 1, 1),
    (4, 1, 1),
    (3, 1, 1),
    (3, 0, 1),
    (1, 0, 1),
)
_SMALL: Final = (6, 5)
_CRAMPED: Final = 2
"""From these widths and heights on, so many steps below what there is room for are too many for
nothing to move.
"""
_SMALLER: Final = 0.8
"""A layout that has to be scrolled is made anew when this share of its width or height is enough.
"""
_AMPLE: Final = (5, 2)
"""Up to these widths and heights there is room for files and terminals of one process."""
_READABLE: Final = (7, 3)
"""From these widths and heights on, boxes can be read."""
_BLOCK_CELLS: Final = 14
"""Cells of words in a block, unless it wants others."""
_LINE_WIDTH: Final = 30
"""A process drawn as a single line wants this many cells."""
_AROUND_NAME: Final = 4
"""Cells of a box's border beside a name: its corners, and a letter that has no room in the box."""
_LINE_EDGES: Final = 14
"""Cells of such a line besides its name and PID: its frame, its letter, "waits"."""
_PLAIN: Final = 9
"""Pipelines whose boxes would need smaller widths than these go on in the next row."""


class Layout(msgspec.Struct, frozen=True):
    """Where everything is.

    Attributes:
        size: The space that it was made for, in cells.
        extent: The space that it takes: at least `size`; more if it has to be scrolled.
        rects: Places of nodes by id.
        routes: Ways of edges by key; an edge without a way is not drawn.
        scale: Index of the widths and of the heights.
        shape: The scene's shape that it was made for.
        work: Steps that were taken to find the ways; at most `routes.WORK`.
        untold: Keys of edges that say nothing new, and are not drawn.
        later: What is in another row of a long flow than the first.
        without_way: Keys of edges that should be drawn, and for which there is no way.
    """

    size: tuple[int, int]
    extent: tuple[int, int]
    rects: dict[str, Rect]
    routes: dict[EdgeKey, Route]
    scale: tuple[int, int]
    shape: tuple[object, ...]
    work: int = 0
    untold: frozenset[EdgeKey] = frozenset()
    later: frozenset[str] = frozenset()
    without_way: frozenset[EdgeKey] = frozenset()


def arrange_scene(scene: Scene, size: tuple[int, int], previous: Layout | None = None) -> Layout:
    """Places for a scene.

    Args:
        scene: What is to be placed.
        size: Columns and rows at hand; the result may be larger, and is then scrolled.
        previous: The layout before; what has not changed keeps its place if everything still fits.

    Returns:
        A layout without overlaps, every box inside `extent`.
    """
    kept = keep_layout(scene, size, previous)
    if kept is not None:
        return kept
    cells, later = _assign_cells(scene, size)
    scale = _choose_scale(scene, cells, size)
    return _place_scene(scene, cells, scale, size, scene.compute_shape(), previous, later)


def keep_layout(scene: Scene, size: tuple[int, int], previous: Layout | None) -> Layout | None:
    """The layout before with what is new in it; None if some of what stays would have to move, or
    could be far larger than it is.
    """
    if previous is None or previous.size != size:
        return None
    shape = scene.compute_shape()
    if previous.shape == shape:
        return previous
    cells, later = _assign_cells(scene, size)
    if _is_cramped(scene, cells, previous):
        return None
    return _keep_places(scene, cells, previous, shape, later)


def measure_need(scene: Scene, room: tuple[int, int]) -> tuple[int, int]:
    """The columns and rows at which the boxes of a scene can be read: with their whole names, and
    two rows of words.

    Args:
        scene: What is to be placed.
        room: Columns and rows that there are at most.
    """
    cells, _ = _assign_cells(scene, room)
    widths = _column_widths(scene, cells, _READABLE)
    columns = _total_width(widths, _WIDTHS[_READABLE[0]][3]) + _room_beside(scene, cells)
    return columns, _find_bottom(scene, cells, _READABLE[1])[0]


def shows_all(scene: Scene, layout: Layout) -> bool:
    """Whether each process can be seen for itself, in a box and not as a single line, and nothing
    has to be scrolled to.
    """
    seen = layout.extent[0] <= layout.size[0] and layout.extent[1] <= layout.size[1]
    return seen and not scene.level and _HEIGHTS[layout.scale[1]][0] > 1


def choose_boxes(
    scene: Scene, size: tuple[int, int], previous: Layout | None, *, inside: bool
) -> Scene:
    """The scene with those boxes of which others tell, too, that have their place: of files and
    terminals (`choose_ends`), and of signals on their way.

    A signal is there for a step or two, and in the box of its process it is told anyway. So nothing
    through which bytes flow moves for it; where nothing flows, signals are what the picture shows.

    Args:
        scene: With all of them.
        size: Columns and rows at hand.
        previous: The layout before; None if there is none.
        inside: Whether files and terminals were told inside before.
    """
    chosen = choose_ends(scene, size, previous, inside=inside)
    flows = any(n.kind in TUBES and not n.ended for n in scene.nodes)
    if previous is None or not flows:
        return chosen
    fresh = {n.id for n in scene.nodes if is_on_its_way(n) and n.id not in previous.rects}
    if not fresh or keep_layout(chosen, previous.size, previous) is not None:
        return chosen
    rest = replace(
        scene,
        nodes=tuple(n for n in scene.nodes if n.id not in fresh),
        edges=tuple(e for e in scene.edges if not fresh & {e.source, e.target}),
    )
    told = choose_ends(rest, size, previous, inside=inside)
    # With another size all is placed anew: what has room then gets it at the next moment.
    resized = not _is_as_large(previous, size)
    kept = resized or keep_layout(told, previous.size, previous) is not None
    return told if kept else chosen


def choose_ends(
    scene: Scene, size: tuple[int, int], previous: Layout | None, *, inside: bool
) -> Scene:
    """The scene with its files and terminals as boxes, or with those told inside the boxes that one
    process alone uses: where room is short, and where else something would have to move.

    Args:
        scene: With all of them as boxes.
        size: Columns and rows at hand.
        previous: The layout before; None if there is none.
        inside: Whether they were told inside before.
    """
    told = tell_ends_inside(scene)
    if told is scene:
        return replace(scene, inside=inside)
    if previous is not None and _is_as_large(previous, size):
        before = previous.size
        if keep_layout(told if inside else scene, before, previous) is not None:
            return told if inside else scene
        if not inside and keep_layout(told, before, previous) is not None:
            return told
    cells, _ = _assign_cells(scene, size)
    wide, tall = _choose_scale(scene, cells, size)
    return scene if wide <= _AMPLE[0] and tall <= _AMPLE[1] else told


def _is_as_large(layout: Layout, size: tuple[int, int]) -> bool:
    """Whether a layout was made for this room; one column of it can be that of a scroll bar."""
    return layout.size[1] == size[1] and 0 <= size[0] - layout.size[0] <= 1


def _assign_cells(scene: Scene, size: tuple[int, int]) -> tuple[dict[str, Cell], frozenset[str]]:
    """Places in the grid: long flows take as many bands as they must for boxes that can be read."""
    best: (
        tuple[tuple[bool, bool, bool, int, int], tuple[dict[str, Cell], frozenset[str]]] | None
    ) = None
    longest = rows = 1
    while rows <= longest:
        cells, later = rank_nodes(scene, rows)
        wide, tall = _choose_scale(scene, cells, size)
        outside = (
            _total_width(_column_widths(scene, cells, (wide, tall)), _WIDTHS[wide][3]) > size[0]
        )
        below = _find_bottom(scene, cells, tall)[0] > size[1]
        found = (outside, below, _HEIGHTS[tall][0] == 1, max(0, wide - _PLAIN), rows)
        if best is None or found < best[0]:
            best = found, (cells, later)
        if not outside and wide <= _PLAIN:
            break  # with more rows it would only be taller
        if rows == 1:
            flowing = {cells[n.id][0] for n in scene.nodes if is_process(n) and not n.tree}
            longest = len(flowing) if len(flowing) >= LEAST_STAGES else 1
        rows += 1
    assert best is not None, "one row is always tried"
    return best[1]


def _is_cramped(scene: Scene, cells: dict[str, Cell], previous: Layout) -> bool:
    """Whether the old places were made for so much more that the boxes could be far larger, or all
    be seen, now.
    """
    wide, tall = _choose_scale(scene, cells, previous.size)
    need = (
        _total_width(_column_widths(scene, cells, (wide, tall)), _WIDTHS[wide][3]),
        _find_bottom(scene, cells, tall)[0],
    )
    for have, now, room in zip(previous.extent, need, previous.size, strict=True):
        if have > room and now < have * _SMALLER:
            return True
    return any(
        before >= small and before - now >= _CRAMPED
        for before, now, small in zip(previous.scale, (wide, tall), _SMALL, strict=True)
    )


def _keep_places(
    scene: Scene,
    fresh: dict[str, Cell],
    previous: Layout,
    shape: tuple[object, ...],
    later: frozenset[str],
) -> Layout | None:
    """The layout with the old places kept and the new boxes put into free ones; None if there is no
    room for them, or for their lines.
    """
    width, height = _WIDTHS[previous.scale[0]], _HEIGHTS[previous.scale[1]]
    above = _list_mere_parents(scene)
    sizes = {
        node.id: tuple(
            dict.fromkeys(
                (
                    _box_width(node, scale, above if _HEIGHTS[scale[1]][2] == 1 else frozenset()),
                    _box_height(node, scale[1], above),
                )
                for scale in _list_scales(previous.scale)
            )
        )
        for node in scene.nodes
    }
    rects = keep_places(
        scene, fresh, previous.rects, sizes, previous.extent, (width[3], min(height[1], 1))
    )
    if rects is None:
        return None
    silent = _find_silent(scene, later & previous.later)
    router = _make_router(scene, rects, previous.extent, WORK_KEPT)
    routes = _find_routes(scene, router, silent, previous)
    drawn = _list_drawn(scene, silent)
    if (drawn - previous.without_way) - routes.keys():
        return None
    return replace(
        previous,
        rects=rects,
        routes=routes,
        shape=shape,
        work=router.work,
        untold=silent,
        later=later & previous.later,
        without_way=drawn - routes.keys(),
    )


def _list_scales(scale: tuple[int, int]) -> list[tuple[int, int]]:
    """A scale, and some smaller ones at which a new box is still one that can be read."""
    wide, tall = scale
    widths = [wide, *range(wide + 1, max(wide, _PLAIN - 2) + 1)]
    heights = [tall, *range(max(tall + 1, 3), max(tall, 4) + 1)]
    return [(w, h) for h in heights for w in widths]


def _make_router(
    scene: Scene, rects: dict[str, Rect], extent: tuple[int, int], work: int
) -> Router:
    tubes = frozenset(n.id for n in scene.nodes if n.kind in TUBES)
    return Router(rects, *extent, tubes, work=work)


def _list_mere_parents(scene: Scene) -> frozenset[str]:
    """Processes that have children and nothing else: they tell the least, and fold to a line
    first.
    """
    parents = {n.parent for n in scene.nodes}
    holding = {i for e in scene.edges if e.kind != "child" for i in (e.source, e.target)}
    return frozenset(
        n.id for n in scene.nodes if n.id in parents and n.id not in holding and is_process(n)
    )


def _box_height(node: Node, scale: int, above: frozenset[str]) -> int:
    """Rows that a node wants."""
    height = _HEIGHTS[scale][2 if node.id in above else 0]
    if node.kind in BLOCKS or node.kind == "list":
        return max(height, node.rows + 2)
    if node.kind == "signal" and height >= 4:
        return max(4, node.rows + 2)
    if node.kind in ENDS:
        return min(height, 4)
    if height >= 4:
        return max(height, node.rows + 2)
    return height


def _box_width(node: Node, scale: tuple[int, int], above: frozenset[str]) -> int:
    """Cells that a node wants."""
    process, channel, end, _, named = _WIDTHS[scale[0]]
    if _HEIGHTS[scale[1]][0] == 1:
        process = max(process, min(_LINE_WIDTH, process + 10))
    if node.id in above:
        return min(process, len(node.heading) + len(node.corner) + _LINE_EDGES)
    if is_process(node):
        return max(process, min(named, len(node.heading) + _AROUND_NAME))
    if node.kind in ENDS:
        return max(end, min(channel, len(node.title) + 4))
    if node.kind == "list":
        return max(channel, node.cells + 2)
    if node.kind in BLOCKS:
        return max(channel, (node.cells or _BLOCK_CELLS) + 4)
    if node.kind == "signal":
        return max(channel, node.cells + 4)
    if node.kind == "group":
        return max(channel, min(16, len(node.title) + 4))
    return channel


def _column_widths(scene: Scene, cells: dict[str, Cell], scale: tuple[int, int]) -> dict[int, int]:
    """How wide each column of the grid must be; gutters not counted."""
    above = _list_mere_parents(scene) if _HEIGHTS[scale[1]][2] == 1 else frozenset()
    found: dict[int, int] = {}
    for node in scene.nodes:
        column = cells[node.id][0]
        found[column] = max(found.get(column, 0), _box_width(node, scale, above))
    return found


def _choose_scale(scene: Scene, cells: dict[str, Cell], size: tuple[int, int]) -> tuple[int, int]:
    """The largest scale that fits, or the smallest."""
    tall = len(_HEIGHTS) - 1
    for tall in range(len(_HEIGHTS)):
        if _find_bottom(scene, cells, tall)[0] <= size[1]:
            break
    wide = len(_WIDTHS) - 1
    for wide in range(len(_WIDTHS)):
        widths = _column_widths(scene, cells, (wide, tall))
        if _total_width(widths, _WIDTHS[wide][3]) + _room_beside(scene, cells) <= size[0]:
            break
    return wide, tall


def _room_beside(scene: Scene, cells: dict[str, Cell]) -> int:
    """Cells at the left for the lines to children that stand one below the other in their parent's
    column.
    """
    below = Counter(
        e.source
        for e in scene.edges
        if e.kind == "child" and cells[e.source][0] == cells[e.target][0]
    )
    return 1 if max(below.values(), default=0) > 1 else 0


def _total_width(widths: dict[int, int], gutter: int) -> int:
    """Cells from the left of the first column to the right of the last."""
    return sum(widths.values()) + gutter * max(0, len(widths) - 1)


def _row_middles(scene: Scene, cells: dict[str, Cell], tall: int) -> dict[int, int]:
    """For each row of the grid, how far below its top the middles of its nodes lie."""
    found: dict[int, int] = {}
    above = _list_mere_parents(scene)
    for node in scene.nodes:
        row = cells[node.id][1]
        found[row] = max(found.get(row, 0), (_box_height(node, tall, above) - 1) // 2)
    return found


def _find_bottom(scene: Scene, cells: dict[str, Cell], tall: int) -> tuple[int, dict[int, int]]:
    """Rows needed, and where each row of the grid begins."""
    height, gap, _ = _HEIGHTS[tall]
    gap = max(gap, _flow_wraps(scene, cells))  # a line back to the left needs a row of its own
    need: dict[int, int] = {}
    middles, above = _row_middles(scene, cells, tall), _list_mere_parents(scene)
    for node in scene.nodes:
        row, own = cells[node.id][1], _box_height(node, tall, above)
        need[row] = max(need.get(row, 0), middles[row] - (own - 1) // 2 + own)
    last = max(need, default=-1)
    tops, y = {}, 0
    for row in range(min(need, default=0), last + 1):
        tops[row] = y
        y += need.get(row, height) + gap
    back = any(
        e.kind not in ("child", "past", "hold")
        and cells[e.source][0] > cells[e.target][0]
        and cells[e.source][1] >= cells[e.target][1]
        for e in scene.edges
    )
    return max(0, y - gap) + (1 if back else 0), tops


def _flow_wraps(scene: Scene, cells: dict[str, Cell]) -> bool:
    """Whether a flow goes on in a later row, further left."""
    ends = (
        (cells[e.source], cells[e.target]) for e in scene.edges if e.kind == "flow" and not e.both
    )
    return any(a[0] > b[0] and a[1] < b[1] for a, b in ends)


def _place_scene(
    scene: Scene,
    cells: dict[str, Cell],
    scale: tuple[int, int],
    size: tuple[int, int],
    shape: tuple[object, ...],
    previous: Layout | None,
    later: frozenset[str],
) -> Layout:
    """Cells of the grid to cells of the screen, and the ways of the edges; as much as can be stays
    where it was before.
    """
    widths = _column_widths(scene, cells, scale)
    room = size[0] - _total_width(widths, _WIDTHS[scale[0]][3]) - 2
    widths = _stretch_columns(widths, scene, cells, room)
    need, tops = _find_bottom(scene, cells, scale[1])
    total = _total_width(widths, _WIDTHS[scale[0]][3])
    side = min(_room_beside(scene, cells), max(0, size[0] - total))
    # What comes next stands at the right of what there is, mostly.
    share = 3 if len(scene.nodes) == 1 else 2
    origin = (max(side, (size[0] - total) // share), max(0, (size[1] - need) // 2))
    rects = _place_boxes(scene, cells, scale, widths, origin, tops)
    if previous is not None and previous.size == size:
        across, down = find_shift(rects, previous.rects, origin, (side, 0), size)
        origin = (origin[0] + across, origin[1] + down)
        rects = _place_boxes(scene, cells, scale, widths, origin, tops)
    if not _flow_wraps(scene, cells):
        rects = _grow_boxes(scene, cells, rects, size[1], _HEIGHTS[scale[1]][0])
    right = max((r.right for r in rects.values()), default=0)
    bottom = max((r.bottom for r in rects.values()), default=0)
    extent = (max(size[0], right), max(size[1], bottom, origin[1] + need))
    silent = _find_silent(scene, later)
    router = _make_router(scene, rects, extent, WORK)
    routes = _find_routes(scene, router, silent, None)
    return Layout(
        size,
        extent,
        rects,
        routes,
        scale,
        shape,
        router.work,
        silent,
        later,
        _list_drawn(scene, silent) - routes.keys(),
    )


def _list_drawn(scene: Scene, silent: frozenset[EdgeKey]) -> frozenset[EdgeKey]:
    """Keys of the edges that tell most: each of them should have a way."""
    return frozenset(
        e.key for e in scene.edges if e.kind in ("flow", "signal", "child") and e.key not in silent
    )


def _place_boxes(
    scene: Scene,
    cells: dict[str, Cell],
    scale: tuple[int, int],
    widths: dict[int, int],
    origin: tuple[int, int],
    tops: dict[int, int],
) -> dict[str, Rect]:
    """Where each node's box is, by its id."""
    lefts, x = {}, origin[0]
    for column in sorted(widths):
        lefts[column] = x
        x += widths[column] + _WIDTHS[scale[0]][3]
    rects: dict[str, Rect] = {}
    middles, above = _row_middles(scene, cells, scale[1]), _list_mere_parents(scene)
    for node in scene.nodes:
        column, row = cells[node.id]
        tall = _box_height(node, scale[1], above)
        down = middles[row] - (tall - 1) // 2  # all of a row are lined up by their middles
        rects[node.id] = Rect(lefts[column], origin[1] + tops[row] + down, widths[column], tall)
    return rects


def _find_silent(scene: Scene, later: frozenset[str]) -> frozenset[EdgeKey]:
    """The edges that are not drawn: whose children the stages in later rows of a flow are is said
    by the first row; what a process has open without using it is said in its box, where others use
    it.
    """
    used = {i for e in scene.edges if e.kind == "flow" for i in (e.source, e.target)}
    unused = {e.key for e in scene.edges if e.kind == "hold" and e.target in used}
    first = {e.source for e in scene.edges if e.kind == "child" and e.target not in later}
    return frozenset(
        unused
        | {
            e.key
            for e in scene.edges
            if e.kind == "child" and e.target in later and e.source in first
        }
    )


def _find_routes(
    scene: Scene, router: Router, silent: frozenset[EdgeKey], previous: Layout | None
) -> dict[EdgeKey, Route]:
    """The ways of the edges; those of the layout before stay where their boxes did."""
    routes: dict[EdgeKey, Route] = {}
    drawn = [e for e in scene.edges if e.kind != "past" and e.key not in silent]
    order = {"flow": 0, "signal": 1, "child": 2, "hold": 3}
    for edge in sorted(drawn, key=lambda e: (order[e.kind], e.key)):
        old = previous.routes.get(edge.key) if previous else None
        same = previous is not None and all(
            previous.rects.get(i) == router.rects[i] for i in (edge.source, edge.target)
        )
        route = old if old and same and router.is_free(old) else router.route_edge(edge)
        if route:
            routes[edge.key] = route
            router.occupy_cells(edge, route)
    return routes


def _grow_boxes(
    scene: Scene, cells: dict[str, Cell], rects: dict[str, Rect], rows: int, height: int
) -> dict[str, Rect]:
    """Let nodes of a low scale take the free rows above and below them: one reader of many writers
    has room.
    """
    if height > 3:
        return rects
    found, lines = dict(rects), _list_mere_parents(scene)
    columns: dict[int, list[str]] = defaultdict(list)
    for node in scene.nodes:
        columns[cells[node.id][0]].append(node.id)
    for members in columns.values():
        members.sort(key=lambda i: rects[i].y)
        for place, one in enumerate(members):
            rect = rects[one]
            above = rect.y - (found[members[place - 1]].bottom if place else 0)
            below = (
                rects[members[place + 1]].y if place + 1 < len(members) else rows
            ) - rect.bottom
            more = min(above - (place > 0), below - (place + 1 < len(members)), (5 - rect.h) // 2)
            if one in lines:
                continue
            if more > 0:
                found[one] = Rect(rect.x, rect.y - more, rect.w, rect.h + 2 * more)
    return found


def _stretch_columns(
    widths: dict[int, int], scene: Scene, cells: dict[str, Cell], room: int
) -> dict[int, int]:
    """Give room to spare to the channels, which show more the longer they are, and then to
    processes.
    """
    still = ENDS | {"list"}  # What has rows of words shows no more in more room.
    tubes = sorted(
        {cells[n.id][0] for n in scene.nodes if not is_process(n) and n.kind not in still}
    )
    people = sorted({cells[n.id][0] for n in scene.nodes if is_process(n)})
    widths = dict(widths)
    for node in scene.nodes:
        column = cells[node.id][0]
        if node.kind in ENDS and column not in tubes and column not in people:
            more = max(0, min(room, len(node.title) + 4 - widths[column], 14 - widths[column]))
            widths[column] += more
            room -= more
    for columns, most in ((tubes, 30), (people, 34)):
        if not columns or room <= 0:
            continue
        share = room // len(columns)
        for column in columns:
            more = max(0, min(share, most - widths[column], widths[column] // 3))
            widths[column] += more
            room -= more
    return widths
