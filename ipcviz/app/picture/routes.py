"""Lines between boxes: right-angled ways through the free cells. Pure and deterministic."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import pairwise

import msgspec

from ipcviz.app.picture.scene import Edge

Point = tuple[int, int]
Route = tuple[Point, ...]
"""Cells from the source to the target, both outside the boxes and next to them."""

_TURN, _CROSS, _ALONG, _LIMIT = 4, 3, 25, 2500
WORK = 4000
"""Steps that all searches of one layout may take together; after that lines go the plainest way, or
are left out.
"""
WORK_KEPT = 1500
"""The same for a layout that keeps the old places: those are made more often, and have few new
lines to find.
"""
_GAP = 8
"""Cells between two boxes up to which they count as neighbours."""
_STEPS = ((1, 0), (-1, 0), (0, 1), (0, -1))


class Rect(msgspec.Struct, frozen=True):
    """A box in cells: left, top, width and height."""

    x: int
    y: int
    w: int
    h: int

    @property
    def right(self) -> int:
        """The first column after it."""
        return self.x + self.w

    @property
    def bottom(self) -> int:
        """The first row after it."""
        return self.y + self.h

    @property
    def middle(self) -> int:
        """The row at which lines come and go."""
        return self.y + (self.h - 1) // 2

    def overlaps(self, other: Rect) -> bool:
        """Whether they share a cell."""
        return (
            self.x < other.right
            and other.x < self.right
            and self.y < other.bottom
            and other.y < self.bottom
        )


def _plain_routes(edge: Edge, a: Rect, b: Rect) -> Iterator[Route]:
    """The ways that most lines take: straight, one step in the gap before the target, or down from
    above.

    They are tried before the search, which takes a hundred times as long.
    """
    back = a.right > b.x and edge.kind != "child"
    if back and edge.kind in ("flow", "hold"):
        yield from _routes_around(edge, a, b)
    elif a.right < b.x:
        yield from _routes_forward(edge, a, b)
    elif edge.kind == "child" and a.x == b.x and a.bottom <= b.y:
        if a.bottom < b.y:
            yield _route_through((a.x + 2, a.bottom), (a.x + 2, b.y - 1))
        yield _route_through((a.x - 1, a.middle), (a.x - 1, b.middle))


def _routes_around(edge: Edge, a: Rect, b: Rect) -> Iterator[Route]:
    """Ways out of a box at its lower or upper side, and into another at the same side of that."""
    first = a.x + a.w // 2 if edge.source.startswith("p:") else a.right - 2
    last = b.x + b.w // 2 if edge.target.startswith("p:") else b.x + 1
    low, high = max(a.bottom, b.bottom), min(a.y, b.y) - 1
    if edge.kind == "flow" and a.bottom < b.y:  # on in the next row
        yield _route_through((first, a.bottom), (first, b.y - 1), (last, b.y - 1))
    for away in range(3):
        yield _route_through(
            (first, a.bottom), (first, low + away), (last, low + away), (last, b.bottom)
        )
        yield _route_through(
            (first, a.y - 1), (first, high - away), (last, high - away), (last, b.y - 1)
        )
    if a.bottom < b.y:
        yield _route_through((first, a.bottom), (first, b.y - 1), (last, b.y - 1))
        yield _route_through((first, a.bottom), (last, a.bottom), (last, b.y - 1))


def _routes_forward(edge: Edge, a: Rect, b: Rect) -> Iterator[Route]:
    """Ways to a box that lies further right."""
    gap = b.x - a.right
    if edge.kind == "child" and gap > _GAP:
        if a.bottom <= b.y - 1:
            yield _route_through((a.right, a.middle), (b.x + 2, a.middle), (b.x + 2, b.y - 1))
        if a.bottom <= b.middle:
            yield _route_through((a.x + 2, a.bottom), (a.x + 2, b.middle), (b.x - 1, b.middle))
    if a.middle == b.middle:
        yield _route_through((a.right, a.middle), (b.x - 1, a.middle))
    elif gap <= _GAP:
        for bend in range(b.x - 1 - (gap > 2), a.right - 1, -1):
            yield _route_through(
                (a.right, a.middle), (bend, a.middle), (bend, b.middle), (b.x - 1, b.middle)
            )


def _route_through(*corners: Point) -> Route:
    """All cells of a way with these corners."""
    route = [corners[0]]
    for x, y in corners[1:]:
        while route[-1] != (x, y):
            px, py = route[-1]
            route.append((px + (x > px) - (x < px), py if x != px else py + (y > py) - (y < py)))
    return tuple(route)


Arrival = tuple[Point, Point]
"""A cell, and the direction in which a way comes to it."""


def _walk_back(last: Arrival | None, came: dict[Arrival, Arrival | None]) -> Route:
    """The way that ends at `last`, by where each of its cells was come to from."""
    route: list[Point] = []
    while last is not None:
        route.append(last[0])
        last = came[last]
    return tuple(reversed(route))


class Router:
    """Finds ways; remembers which cells earlier ways took, and how many steps it has searched
    (`work`).
    """

    def __init__(
        self,
        rects: dict[str, Rect],
        width: int,
        height: int,
        tubes: frozenset[str] = frozenset(),
        *,
        work: int = WORK,
    ) -> None:
        self.width, self.height = width, height
        self.blocked: set[Point] = set()
        self.taken: dict[Point, set[tuple[str, str]]] = {}
        self.rects = rects
        self.tubes = tubes
        self.work = 0
        self.most = work
        for rect in rects.values():
            self.blocked.update(
                (x, y) for x in range(rect.x, rect.right) for y in range(rect.y, rect.bottom)
            )

    def is_free(self, route: Route) -> bool:
        """Whether a way from an earlier layout can stay."""
        return not any(
            p in self.blocked or not (0 <= p[0] < self.width and 0 <= p[1] < self.height)
            for p in route
        )

    def occupy_cells(self, edge: Edge, route: Route) -> None:
        """Remember which cells a way takes."""
        for before, point in zip((route[0], *route), route, strict=False):
            flat = "h" if before[1] == point[1] else "v"
            self.taken.setdefault(point, set()).update(((edge.source, flat), (edge.target, flat)))

    def route_edge(self, edge: Edge) -> Route:
        """The way of an edge; empty if there is none."""
        if edge.kind == "hold" and self.rects[edge.source].x > self.rects[edge.target].x:
            # It has no direction: from the left to the right it is the shorter way.
            return self.route_edge(Edge(edge.target, edge.source, edge.kind))[::-1]
        a, b = self.rects[edge.source], self.rects[edge.target]
        crossing: Route = ()
        plainest: Route = ()
        for route in _plain_routes(edge, a, b):
            if self.is_free(route):
                prices = list(self._price_route(route, edge))
                if not any(prices):
                    return route
                if not crossing and max(prices) < _ALONG:
                    crossing = route
                plainest = plainest or route
        return (
            crossing
            or (self._search_route(edge, a, b) if self.work < self.most else ())
            or plainest
        )

    def _price_route(self, route: Route, edge: Edge) -> Iterator[int]:
        """What each cell of a way costs beyond its length: nothing where no other line is."""
        for before, here in pairwise((route[0], *route)):
            yield self._price_cell(here, (here[0] - before[0], here[1] - before[1]), edge)

    def _list_ports(
        self, rect: Rect, edge: Edge, leaving: bool, forward: bool
    ) -> list[tuple[Point, Point, int]]:
        """Cells beside a box, the direction out of it, and a price."""
        found: list[tuple[Point, Point, int]] = []
        rows = range(rect.y + 1, rect.bottom - 1) if rect.h > 2 else range(rect.y, rect.bottom)
        if (edge.source if leaving else edge.target) in self.tubes:
            rows = range(rect.middle, rect.middle + 1)
        side = rect.right if leaving == forward else rect.x - 1
        out = (1, 0) if leaving == forward else (-1, 0)
        found.extend(((side, y), out, 3 * abs(y - rect.middle)) for y in rows)
        if edge.kind == "child" and leaving:
            found = [
                ((rect.x + 2, rect.bottom), (0, 1), 6 * forward),
                ((rect.right, rect.middle), (1, 0), 6 - 6 * forward),
            ]
        elif edge.kind == "child":
            found = [
                ((rect.x - 1, rect.middle), (-1, 0), 4 - 4 * forward),
                ((rect.x + 2, rect.y - 1), (0, -1), 0),
            ]
        elif not forward:
            xs = (rect.x + rect.w // 3, rect.x + 2 * rect.w // 3)
            found += [((x, rect.bottom), (0, 1), 2) for x in xs] + [
                ((x, rect.y - 1), (0, -1), 4) for x in xs
            ]
        return found

    def _search_route(self, edge: Edge, a: Rect, b: Rect) -> Route:
        """A* over the free cells: short, few turns, not along the lines of others."""
        forward = a.right <= b.x
        goals: dict[Point, list[tuple[Point, int]]] = {}
        for point, (dx, dy), price in self._list_ports(b, edge, False, forward):
            goals.setdefault(point, []).append(((-dx, -dy), price))
        heap: list[tuple[int, int, int, Point, Point]] = []
        best: dict[Arrival, int] = {}
        came: dict[Arrival, Arrival | None] = {}
        tick, most = 0, min(_LIMIT, self.most - self.work) - len(_STEPS)

        def near(point: Point) -> int:
            # Twice the distance: lines a little longer than they must be, for a tenth of the steps.
            x, y = point
            return 2 * (max(b.x - 1 - x, 0, x - b.right) + max(b.y - 1 - y, 0, y - b.bottom))

        for point, way, price in self._list_ports(a, edge, True, forward):
            if self._is_inside(point) and tick < most:
                key = (point, way)
                cost = price + self._price_cell(point, way, edge)
                if cost < best.get(key, 1 << 30):
                    best[key], came[key] = cost, None
                    heappush(heap, (cost + near(point), tick, cost, point, way))
                    tick += 1
        final: Arrival | None = None
        bound = 1 << 30
        while heap and tick < most:
            guess, _, cost, point, way = heappop(heap)
            if guess >= bound:
                break
            key = (point, way)
            if cost > best[key]:
                continue
            for into, price in goals.get(point, ()):
                total = cost + price + (0 if into == way else _TURN)
                if total < bound:
                    bound, final = total, key
            for step in _STEPS:
                after = (point[0] + step[0], point[1] + step[1])
                if step == (-way[0], -way[1]) or not self._is_inside(after):
                    continue
                price = (
                    cost + 1 + (_TURN if step != way else 0) + self._price_cell(after, step, edge)
                )
                if price < best.get((after, step), 1 << 30):
                    best[after, step], came[after, step] = price, key
                    tick += 1
                    heappush(heap, (price + near(after), tick, price, after, step))
        self.work += tick
        return _walk_back(final, came)

    def _is_inside(self, point: Point) -> bool:
        return (
            0 <= point[0] < self.width and 0 <= point[1] < self.height and point not in self.blocked
        )

    def _price_cell(self, point: Point, way: Point, edge: Edge) -> int:
        there = self.taken.get(point)
        if not there:
            return 0
        if any(owner in (edge.source, edge.target) for owner, _ in there):
            return 0  # lines that share an end may run together
        flat = "h" if way[1] == 0 else "v"
        return _ALONG if any(f == flat for _, f in there) else _CROSS
