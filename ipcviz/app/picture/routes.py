"""Lines between boxes: right-angled ways through the free cells. Pure and deterministic."""

from __future__ import annotations

from heapq import heappop, heappush

import msgspec

from ipcviz.app.picture.scene import Edge

Point = tuple[int, int]
Route = tuple[Point, ...]
"""Cells from the source to the target, both outside the boxes and next to them."""

_TURN, _CROSS, _ALONG, _LIMIT = 4, 3, 25, 6000
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
        return self.x < other.right and other.x < self.right and self.y < other.bottom and other.y < self.bottom


class Router:
    """Finds ways; remembers which cells earlier ways took."""

    def __init__(self, rects: dict[str, Rect], width: int, height: int, tubes: frozenset[str] = frozenset()) -> None:
        self.width, self.height = width, height
        self.blocked: set[Point] = set()
        self.taken: dict[Point, set[tuple[str, str]]] = {}
        self.rects = rects
        self.tubes = tubes
        for rect in rects.values():
            self.blocked.update((x, y) for x in range(rect.x, rect.right) for y in range(rect.y, rect.bottom))

    def free(self, route: Route) -> bool:
        """Whether a way from an earlier layout can stay."""
        return not any(p in self.blocked or not (0 <= p[0] < self.width and 0 <= p[1] < self.height) for p in route)

    def take(self, edge: Edge, route: Route) -> None:
        """Remember a way."""
        for before, point in zip((route[0], *route), route, strict=False):
            flat = "h" if before[1] == point[1] else "v"
            self.taken.setdefault(point, set()).update(((edge.source, flat), (edge.target, flat)))

    def route(self, edge: Edge) -> Route:
        """The way of an edge; empty if there is none."""
        a, b = self.rects[edge.source], self.rects[edge.target]
        if edge.kind in ("flow", "signal") and a.right < b.x and a.middle == b.middle:
            straight = tuple((x, a.middle) for x in range(a.right, b.x))
            if self.free(straight):
                return straight
        return self._search(edge, a, b)

    def _ports(self, rect: Rect, edge: Edge, leaving: bool, forward: bool) -> list[tuple[Point, Point, int]]:
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
            found = [((rect.x - 1, rect.middle), (-1, 0), 4 - 4 * forward), ((rect.x + 2, rect.y - 1), (0, -1), 0)]
        elif edge.kind == "hold":
            # an unused end: from below or above, to the side of the tube where its end is
            process = edge.source.startswith("p:") == leaving
            x = rect.x + rect.w // 2 if process else rect.right - 2 if leaving else rect.x + 1
            found = [((x, rect.bottom), (0, 1), 0), ((x, rect.y - 1), (0, -1), 2)]
        elif not forward:
            xs = (rect.x + rect.w // 3, rect.x + 2 * rect.w // 3)
            found += [((x, rect.bottom), (0, 1), 2) for x in xs] + [((x, rect.y - 1), (0, -1), 4) for x in xs]
        return found

    def _search(self, edge: Edge, a: Rect, b: Rect) -> Route:
        """A* over the free cells: short, few turns, not along the lines of others."""
        forward = a.right <= b.x
        goals: dict[Point, list[tuple[Point, int]]] = {}
        for point, (dx, dy), price in self._ports(b, edge, False, forward):
            goals.setdefault(point, []).append(((-dx, -dy), price))
        heap: list[tuple[int, int, int, Point, Point]] = []
        best: dict[tuple[Point, Point], int] = {}
        came: dict[tuple[Point, Point], tuple[Point, Point] | None] = {}
        tick = 0

        def near(point: Point) -> int:
            x, y = point
            return max(b.x - 1 - x, 0, x - b.right) + max(b.y - 1 - y, 0, y - b.bottom)

        for point, way, price in self._ports(a, edge, True, forward):
            if self._inside(point):
                key = (point, way)
                cost = price + self._price(point, way, edge)
                if cost < best.get(key, 1 << 30):
                    best[key], came[key] = cost, None
                    heappush(heap, (cost + near(point), tick, cost, point, way))
                    tick += 1
        final: tuple[Point, Point] | None = None
        bound = 1 << 30
        while heap and tick < _LIMIT:
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
                if step == (-way[0], -way[1]):
                    continue
                after = (point[0] + step[0], point[1] + step[1])
                if not self._inside(after):
                    continue
                price = cost + 1 + (_TURN if step != way else 0) + self._price(after, step, edge)
                if price < best.get((after, step), 1 << 30):
                    best[after, step], came[after, step] = price, key
                    tick += 1
                    heappush(heap, (price + near(after), tick, price, after, step))
        route: list[Point] = []
        while final is not None:
            route.append(final[0])
            final = came[final]
        return tuple(reversed(route))

    def _inside(self, point: Point) -> bool:
        return 0 <= point[0] < self.width and 0 <= point[1] < self.height and point not in self.blocked

    def _price(self, point: Point, way: Point, edge: Edge) -> int:
        there = self.taken.get(point)
        if not there:
            return 0
        if any(owner in (edge.source, edge.target) for owner, _ in there):
            return 0  # lines that share an end may run together
        flat = "h" if way[1] == 0 else "v"
        return _ALONG if any(f == flat for _, f in there) else _CROSS
