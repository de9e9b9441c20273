"""Places that stay: something comes or goes in the picture, and the rest does not move. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from ipcviz.app.picture.ranks import Cell, is_process
from ipcviz.app.picture.routes import Rect

if TYPE_CHECKING:
    from ipcviz.app.picture.scene import Scene

Size = tuple[int, int]

_FAR: Final = 1_000
"""What a place costs at which a flow would go back."""
_TRIED: Final = 400
"""So many places are looked at for one box."""
_NEAR: Final = 12
"""Boxes beside which a place is looked for, if nothing that stays is connected to the new one."""


class _Friend(NamedTuple):
    """A box that a new one is connected to.

    Attributes:
        rect: Where it is.
        column: In how many columns right of it the new one would be, if all were placed anew.
        row: In how many rows below it.
        flows: 1 if bytes flow from it to the new one, -1 if they flow back, 0 if neither.
    """

    rect: Rect
    column: int
    row: int
    flows: int = 0


def keep_places(
    scene: Scene,
    cells: Mapping[str, Cell],
    before: Mapping[str, Rect],
    sizes: Mapping[str, Sequence[Size]],
    extent: Size,
    gap: Size,
) -> dict[str, Rect] | None:
    """Places of all boxes, unmoved where there was one; None if there is no room for the new ones.

    Args:
        scene: What is to be placed.
        cells: Columns and rows that all would have if they were placed anew.
        before: The places that there were, by the nodes' ids.
        sizes: The sizes that each may have, the best first.
        extent: The room for all, in cells.
        gap: Cells that are free between two boxes: beside each other, and one below the other.
    """
    places = {node.id: before[node.id] for node in scene.nodes if node.id in before}
    if not places:
        return None
    for node in scene.nodes:
        rect = places.get(node.id)
        if rect is not None and not _is_enough(rect, sizes[node.id]):
            larger = _grow_place(rect, sizes[node.id][-1], _others(places, node.id), extent)
            if larger is None:
                return None
            places[node.id] = larger
    flows = _list_flows(scene)
    new = sorted((n for n in scene.nodes if n.id not in places), key=lambda n: (cells[n.id], n.id))
    # Who is connected to what stays has the first choice: the others come to stand beside it.
    waiting = [node.id for node in new]
    kinds = {node.id: is_process(node) for node in scene.nodes}
    while waiting:
        one = next((i for i in waiting if any(f in places for f in flows[i])), waiting[0])
        waiting.remove(one)
        friends = [
            _Friend(
                places[other],
                cells[one][0] - cells[other][0],
                cells[one][1] - cells[other][1],
                flow,
            )
            for other, flow in flows[one].items()
            if other in places
        ]
        if not friends:
            friends = _list_nearest(one, cells, places)
        alike = [places[other] for other in places if kinds[other] == kinds[one]]
        place = _find_place(friends, alike, list(places.values()), sizes[one], extent, gap)
        if place is None:
            return None
        places[one] = place
    return None if _is_backwards(scene, cells, places) else places


def _is_backwards(scene: Scene, cells: Mapping[str, Cell], places: Mapping[str, Rect]) -> bool:
    """Whether bytes would go to the left from one process to another, where they could go to the
    right. Where only one of both is there, it is not known yet which way they will go.
    """
    sources: dict[str, list[str]] = defaultdict(list)
    targets: dict[str, list[str]] = defaultdict(list)
    for edge in scene.edges:
        if edge.kind in ("flow", "signal") and not edge.both:
            sources[edge.target].append(edge.source)
            targets[edge.source].append(edge.target)
    for thing, writers in sources.items():
        middle = places[thing].x
        for writer in writers:
            for reader in targets[thing]:
                ahead = cells[writer][0] < cells[thing][0] < cells[reader][0]
                if ahead and not places[writer].x < middle < places[reader].x:
                    return True
    return False


def find_shift(
    rects: Mapping[str, Rect],
    before: Mapping[str, Rect],
    origin: Size,
    least: Size,
    room: Size,
) -> Size:
    """How far all is shifted so that as many boxes as can be are where they were.

    Args:
        rects: The places, by the nodes' ids.
        before: The places that there were.
        origin: The left upper corner of all.
        least: The cell that it may be shifted to at most, to the left and upwards.
        room: The room that there is.
    """
    right = max((rect.right for rect in rects.values()), default=0)
    bottom = max((rect.bottom for rect in rects.values()), default=0)
    shifts: Counter[Size] = Counter()
    for node, rect in rects.items():
        old = before.get(node)
        if old is not None:
            across, down = old.x - rect.x, old.middle - rect.middle
            fits = right + across <= room[0] and bottom + down <= room[1]
            if fits and origin[0] + across >= least[0] and origin[1] + down >= least[1]:
                shifts[across, down] += 1
    if not shifts:
        return 0, 0
    return min(shifts, key=lambda s: (-shifts[s], abs(s[0]) + abs(s[1]), s))


def _is_enough(rect: Rect, sizes: Sequence[Size]) -> bool:
    """Whether a box that is there already is large enough for what it is to hold now."""
    return any(rect.w >= width and rect.h >= height for width, height in sizes)


def _grow_place(rect: Rect, size: Size, others: Sequence[Rect], extent: Size) -> Rect | None:
    """A larger box at the same place; None if something is in the way."""
    width, height = max(rect.w, size[0]), max(rect.h, size[1])
    for x in (rect.x, rect.right - width):
        for y in (rect.y, rect.bottom - height):
            larger = Rect(x, y, width, height)
            if _is_free(larger, others, extent, (1, 0)):
                return larger
    return None


def _others(places: Mapping[str, Rect], one: str) -> list[Rect]:
    return [rect for node, rect in places.items() if node != one]


def _list_flows(scene: Scene) -> dict[str, dict[str, int]]:
    """What each box is connected to, and which way bytes flow from that to it: 1, -1, or 0."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for edge in scene.edges:
        flow = 0 if edge.both or edge.kind not in ("flow", "signal", "past") else 1
        for one, other, way in (
            (edge.target, edge.source, flow),
            (edge.source, edge.target, -flow),
        ):
            found[one][other] = found[one].get(other, 0) or way
    for node in scene.nodes:
        if node.parent:
            found[node.id].setdefault(node.parent, 0)
            found[node.parent].setdefault(node.id, 0)
    return found


def _list_nearest(one: str, cells: Mapping[str, Cell], places: Mapping[str, Rect]) -> list[_Friend]:
    """The boxes that would be next to a new one that is connected to none of them."""
    column, row = cells[one]
    near = sorted(
        (abs(cells[other][0] - column) + abs(cells[other][1] - row), other) for other in places
    )
    return [
        _Friend(places[other], column - cells[other][0], row - cells[other][1])
        for _, other in near[:2]
    ]


def _find_place(
    friends: Sequence[_Friend],
    alike: Sequence[Rect],
    taken: Sequence[Rect],
    sizes: Sequence[Size],
    extent: Size,
    gap: Size,
) -> Rect | None:
    """The best free place for a new box; None if there is none.

    Args:
        friends: What it is connected to.
        alike: Boxes of its sort: where it stands below or above one of them, it is in a column with
            that one.
        taken: All boxes that there are.
        sizes: The sizes that it may have, the best first.
        extent: The room for all.
        gap: Cells that are free between two boxes.
    """
    for size in sizes:
        priced = sorted(
            (_price_place(rect, friends, gap), rect.y, rect.x, rect)
            for rect in set(_list_places(size, friends, alike, extent, gap))
        )
        for price, _, _, rect in priced[:_TRIED]:
            if price >= _FAR:
                break
            if _is_free(rect, taken, extent, (max(2, min(gap[0], 3)), gap[1])):
                return rect
    return None


def _list_places(
    size: Size, friends: Sequence[_Friend], alike: Sequence[Rect], extent: Size, gap: Size
) -> Iterator[Rect]:
    """Places beside, above and below what a box is connected to, and in line with boxes of its
    sort.
    """
    width, height = size
    lefts = {rect.x for rect in alike[:_NEAR]}
    tops = {rect.middle - (height - 1) // 2 for rect in alike[:_NEAR]}
    below = max(gap[1], 1)
    for rect, *_ in friends:
        for away in (gap[0], max(2, gap[0] // 2), 2):
            lefts |= {rect.right + away, rect.x - away - width}
        lefts.add(rect.x)
        tops |= {
            rect.middle - (height - 1) // 2,
            rect.bottom + below,
            rect.y - below - height,
            rect.bottom + gap[1],
            rect.y - gap[1] - height,
        }
    for rect in alike[:_NEAR]:
        tops |= {rect.bottom + gap[1], rect.y - gap[1] - height}
    lefts |= {0, extent[0] - width}
    tops |= {0, extent[1] - height}
    for x in lefts:
        for y in tops:
            if 0 <= x <= extent[0] - width and 0 <= y <= extent[1] - height:
                yield Rect(x, y, width, height)


def _price_place(rect: Rect, friends: Sequence[_Friend], gap: Size) -> int:
    """How ill a place suits a box: nothing beside its friends, where it would be if all were placed
    anew.
    """
    price = 0
    for friend in friends:
        other = friend.rect
        ahead = other.right < rect.x
        behind = rect.right < other.x
        if (friend.flows > 0 and friend.column > 0 and not ahead) or (
            friend.flows < 0 and friend.column < 0 and not behind
        ):
            return _FAR
        if friend.column > 0:
            price += abs(rect.x - other.right - gap[0]) if ahead else 30 + abs(rect.x - other.x)
        elif friend.column < 0:
            price += abs(other.x - gap[0] - rect.right) if behind else 30 + abs(rect.x - other.x)
        else:
            price += 2 * abs(rect.x - other.x)
        off = abs(rect.middle - other.middle)
        price += 3 * off if friend.row == 0 else off
        if friend.row and (rect.middle > other.middle) != (friend.row > 0):
            price += 4
    return price


def _is_free(rect: Rect, taken: Sequence[Rect], extent: Size, gap: Size) -> bool:
    """Whether a box has its place, and the cells around it, to itself."""
    if rect.x < 0 or rect.y < 0 or rect.right > extent[0] or rect.bottom > extent[1]:
        return False
    around = Rect(rect.x - gap[0], rect.y - gap[1], rect.w + 2 * gap[0], rect.h + 2 * gap[1])
    return not any(around.overlaps(other) for other in taken)
