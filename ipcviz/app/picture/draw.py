"""From a layout to rows of styled text: each thing drawn as what it is. Pure.

Only glyphs that every terminal font has: ASCII, single and double box, full, half and shade blocks,
arrows. Nothing is said by colour alone: a state has its letter, a full tube the word, a selection
its double frame, a change its `*`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ipcviz.app.picture.canvas import Canvas, Run
from ipcviz.app.picture.found import FOUND, MARK
from ipcviz.app.picture.scene import BLOCKS, TUBES, Edge, Gauge, Node, NodeLine, Scene
from ipcviz.app.text import bytes_text, clip_text, count_text, fit_text, measure_width

if TYPE_CHECKING:
    from ipcviz.app.picture.layout import Layout
    from ipcviz.app.picture.routes import Rect

_E, _W, _S, _N = 1, 2, 4, 8
_JOINTS: Final = {
    _E: "─", _W: "─", _E | _W: "─", _S: "│", _N: "│", _S | _N: "│",
    _E | _S: "┌", _W | _S: "┐", _E | _N: "└", _W | _N: "┘",
    _E | _S | _N: "├", _W | _S | _N: "┤", _E | _W | _S: "┬", _E | _W | _N: "┴",
    _E | _W | _S | _N: "┼",
}  # fmt: skip
_SINGLE: Final = "┌─┐│└┘"
_DOUBLE: Final = "╔═╗║╚╝"
_DOTTED: Final = "+-+:++"
"""The frame of a process that is not watched."""
_NARROW: Final = 15
"""A process's box of fewer cells has its letter in the upper border."""
_WORDS_ROOM: Final = 8
"""Cells that a process's words have in a single line before its PID gets any."""
_FRAMES: Final = {"group": "group", "outsider": "end"}
_STYLES: Final = {"text": "text", "dim": "dim", "strong": "strong", "pending": "strong"}


def paint_scene(scene: Scene, layout: Layout, selected: str = "") -> list[tuple[Run, ...]]:
    """The picture, row by row.

    Args:
        scene: What to draw.
        layout: Where; made for a scene of the same shape.
        selected: Id of the selected node.

    Returns:
        As many rows as the layout's extent has, each as wide as it, as runs of text and style name.
    """
    canvas = Canvas(*layout.extent)
    lines = _draw_edges(canvas, scene, layout)
    for node in scene.nodes:
        rect = layout.rects[node.id]
        chosen = node.id == selected
        if node.kind in TUBES:
            _draw_tube(canvas, node, rect, chosen)
        elif node.kind in BLOCKS or node.kind == "list":
            _draw_block(canvas, node, rect, chosen)
        elif node.kind in ("process", "outsider", "group"):
            _draw_process(canvas, node, rect, chosen)
        else:
            _draw_end(canvas, node, rect, chosen)
    lines.draw_descriptors(canvas)
    _draw_unused(canvas, scene, layout, lines.labelled)
    return canvas.build_rows()


# -- lines


Point = tuple[int, int]


class _Lines:
    """The lines between boxes, cell by cell: first all are laid, then drawn.

    Args:
        layout: Where boxes and lines are.

    Attributes:
        labelled: Keys of the lines at which their descriptors stand.
    """

    def __init__(self, layout: Layout) -> None:
        self._rects = layout.rects
        self._masks: dict[Point, int] = {}
        self._styles: dict[Point, tuple[int, str]] = {}
        """How important the line through a cell is, and its style."""
        self._heads: dict[Point, tuple[str, str]] = {}
        self._uses: Counter[Point] = Counter()
        """How many lines go through a cell."""
        self._labels: list[tuple[Point, str, str]] = []
        self.labelled: set[tuple[str, str, str]] = set()

    def lay_line(self, edge: Edge, route: tuple[Point, ...]) -> None:
        """Lay a line, with what joins it in each of its cells."""
        self._uses.update(route)
        importance, style = _edge_importance(edge), _edge_style(edge)
        for here, mask in self._list_joints(edge, route):
            self._masks[here] = self._masks.get(here, 0) | mask
            if importance >= self._styles.get(here, (0, ""))[0]:
                self._styles[here] = (importance, style)

    def lay_heads(self, edge: Edge, route: tuple[Point, ...]) -> None:
        """Lay the arrow at a line's end, or at both."""
        style = _edge_style(edge)
        ends = [(route[-1], edge.target), (route[0], edge.source)]
        if edge.wakes:
            ends = [end for end in ends if end[1] == edge.wakes]
        elif not edge.both:
            ends = ends[:1]
        for cell, box in ends:
            touched = _touched_cell(self._rects[box], cell)
            arrow = (_door_glyph if edge.at_door else _arrow_glyph)(cell, touched)
            if len(ends) == 2 and len(route) == 1:
                arrow = _BOTH_WAYS.get(arrow, arrow)
            self._heads[cell] = (arrow, style)

    def lay_descriptors(self, edge: Edge, route: tuple[Point, ...]) -> None:
        """Lay a line's descriptors where it is alone, as near to the process as can be; an arrow
        that points at the process makes room for them. All lines and arrows are laid by now.
        """
        process = edge.source if edge.source.startswith("p:") else edge.target
        way = route if process == edge.source else route[::-1]
        style = _choose_fds_style(edge, "text")
        for text in _shorten_fds(edge.fds):
            for begin, end in self._list_free_runs(way):
                first = way[begin]
                points_here = begin == 0 and first in self._heads
                at_end = end == len(way) and (not points_here or way[-1] in self._heads)
                if end - begin < len(text) + points_here + at_end:
                    continue
                if points_here:
                    self._heads[way[len(text)]] = self._heads.pop(first)
                left = min(way[begin : begin + len(text)])
                self._labels.append((left, text, style))
                self.labelled.add(edge.key)
                return
        wall = _touched_cell(self._rects[process], way[0])
        if len(edge.fds) == 1 and self._uses[way[0]] == 1 and wall[1] == way[0][1]:
            self._labels.append((wall, edge.fds, style))
            self.labelled.add(edge.key)

    def _list_free_runs(self, way: tuple[Point, ...]) -> Iterator[tuple[int, int]]:
        """Where a way goes sideways and no other line does, from the process on: index of the
        first cell, and of the one after the last.
        """
        begin = 0
        for place, cell in enumerate((*way, (-1, -1))):
            alone = place < len(way) and self._uses[cell] == 1
            if place > begin and not (alone and cell[1] == way[begin][1]):
                yield begin, place
                begin = place
            if not alone:
                begin = place + 1

    def draw_lines(self, canvas: Canvas) -> None:
        """Draw what was laid: the lines, and over them the arrows."""
        for (x, y), mask in self._masks.items():
            canvas.write(x, y, _JOINTS[mask], self._styles[x, y][1])
        for (x, y), (glyph, style) in self._heads.items():
            canvas.write(x, y, glyph, style)

    def draw_descriptors(self, canvas: Canvas) -> None:
        """Draw the descriptors' numbers: over lines, and over walls of boxes where need be."""
        for (x, y), text, style in self._labels:
            canvas.write(x, y, text, style)

    def _list_joints(self, edge: Edge, route: tuple[Point, ...]) -> Iterator[tuple[Point, int]]:
        """Each cell of a line, and to which of its sides the line goes on."""
        whole = (
            _touched_cell(self._rects[edge.source], route[0]),
            *route,
            _touched_cell(self._rects[edge.target], route[-1]),
        )
        for before, here, after in zip(whole, whole[1:], whole[2:], strict=False):
            yield here, _side_toward(here, before) | _side_toward(here, after)


_FEW: Final = 2
"""More descriptors than this, one after the other, are told by the first and the last."""


def _shorten_fds(fds: str) -> Iterator[str]:
    """Descriptors at the end of a line, in fewer and fewer cells."""
    yield fds
    if " " in fds:
        yield fds.replace(" ", "")
    first, comma, _ = fds.partition(",")
    numbers = [int(fd) for fd in fds.split(",") if fd.isdecimal()]
    if len(numbers) > _FEW and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        yield f"{numbers[0]}-{numbers[-1]}"
    if comma:
        yield f"{first}…"


def _draw_edges(canvas: Canvas, scene: Scene, layout: Layout) -> _Lines:
    # The two directions of a socket have their arrows inside.
    sockets = {n.id for n in scene.nodes if n.kind == "socket" and len(n.gauges) == 2}
    lines = _Lines(layout)
    drawn = [(edge, route) for edge in scene.edges if (route := layout.routes.get(edge.key))]
    for edge, route in drawn:
        lines.lay_line(edge, route)
        if edge.kind not in ("child", "hold") and not (
            edge.both and sockets & {edge.source, edge.target}
        ):
            lines.lay_heads(edge, route)
    for edge, route in drawn:
        if edge.fds:
            lines.lay_descriptors(edge, route)
    lines.draw_lines(canvas)
    return lines


_UNUSED: Final = ("also has ", "also ", "")
"""What stands before what a process has open without using it."""


def _draw_unused(
    canvas: Canvas, scene: Scene, layout: Layout, labelled: set[tuple[str, str, str]]
) -> None:
    """What a process has open without using it, in the lower border of its box: `also has 4 w P1`;
    where a line says it, it is not said again.
    """
    nodes = {n.id: n for n in scene.nodes}
    found: dict[str, list[Edge]] = {n.id: [] for n in scene.nodes if n.ends}
    for edge in scene.edges:
        if edge.kind == "hold" and edge.source.startswith("p:") and edge.key not in labelled:
            found.setdefault(edge.source, []).append(edge)
    for process, edges in found.items():
        rect = layout.rects[process]
        if rect.h < 3:
            continue
        edges.sort(key=lambda edge: MARK not in edge.fds)  # What is left out is not what is meant.
        texts = [f"{edge.fds} {nodes[edge.target].title}".strip() for edge in edges]
        ends = nodes[process].ends
        styles = {_choose_fds_style(edge, "dim") for edge in edges}
        styles |= {end.style for end in ends} | {"lit" if end.lit else "dim" for end in ends}
        style = next(name for name in (FOUND, "lit", "dim") if name in styles)
        words = _list_in(texts, rect.w - 6) if not ends else _list_ends(ends, texts, rect.w - 6)
        canvas.write(rect.x + 2, rect.bottom - 1, f" {words} ", style)


def _list_ends(ends: tuple[NodeLine, ...], unused: list[str], cells: int) -> str:
    """What one process alone reads from and writes to, and behind that what it does not use.

    Without room for all, that comes before what nobody has moved just now: an end of a pipe that is
    open and not used may be what somebody waits for.
    """
    also = [f"also {', '.join(unused)}"] if unused else []
    short = [end.short for end in ends]
    for texts in ([*(end.text for end in ends), *also], [*short, *also], [*short, *unused]):
        whole = ", ".join(texts)
        if measure_width(whole) <= cells:
            return whole
    moved = [end.short for end in ends if end.lit]
    others = [end.short for end in ends if not end.lit]
    return _fit_list([*moved, *unused, *others], cells)


def _list_in(texts: list[str], cells: int) -> str:
    """Texts one behind the other, with a word before them if there is room, and with the number of
    those for which there is none.
    """
    for word in _UNUSED:
        whole = word + ", ".join(texts)
        if measure_width(whole) <= cells:
            return whole
    return _fit_list(texts, cells)


def _fit_list(texts: list[str], cells: int) -> str:
    """As many texts as there is room for, and the number of the others."""
    for count in range(len(texts) - 1, 0, -1):
        part = f"{', '.join(texts[:count])} +{len(texts) - count}"
        if measure_width(part) <= cells:
            return part
    more = f" +{len(texts) - 1}" if len(texts) > 1 else ""
    return clip_text(texts[0], max(1, cells - len(more))) + more


def _choose_fds_style(edge: Edge, plain: str) -> str:
    """The style of the descriptors at a line's end, of which some may be marked."""
    if MARK in edge.fds:
        return FOUND
    return "lit" if edge.lit else plain


def _edge_style(edge: Edge) -> str:
    if edge.found:
        return FOUND
    if edge.wakes:
        return "signal"
    if edge.lit:
        return "lit"
    if edge.faded:
        return "gone"
    return edge.kind if edge.kind in ("child", "signal", "hold") else "edge"


def _edge_importance(edge: Edge) -> int:
    """Which of two lines through one cell gives it its style: the one with the greater number."""
    if edge.found:
        return 4
    if edge.lit or edge.wakes:
        return 3
    return 1 if edge.kind in ("child", "hold") else 2


def _touched_cell(rect: Rect, point: tuple[int, int]) -> tuple[int, int]:
    """The box's cell that a way's end touches."""
    x, y = point
    return (min(max(x, rect.x), rect.right - 1), min(max(y, rect.y), rect.bottom - 1))


def _side_toward(here: tuple[int, int], there: tuple[int, int]) -> int:
    if here == there:
        return 0
    if here[1] == there[1]:
        return _E if there[0] > here[0] else _W
    return _S if there[1] > here[1] else _N


_BOTH_WAYS: Final = {"→": "↔", "←": "↔", "↑": "↕", "↓": "↕"}
"""The arrow of a line that is one cell long and has one at both ends."""


def _arrow_glyph(here: tuple[int, int], there: tuple[int, int]) -> str:
    return {_E: "→", _W: "←", _S: "↓", _N: "↑"}.get(_side_toward(here, there), "→")


def _door_glyph(here: tuple[int, int], there: tuple[int, int]) -> str:
    """What stands at the end of a line if what goes there has not been let in."""
    return {_E: "▐", _W: "▌", _S: "▄", _N: "▀"}.get(_side_toward(here, there), "▐")


# -- boxes


def _choose_text(line: NodeLine, cells: int) -> str:
    """A line in so many cells: its short words where the others have no room."""
    return clip_text(
        line.short if line.short and measure_width(line.text) > cells else line.text, cells
    )


def _frame_style(node: Node, chosen: bool, own: str) -> str:
    """The style of a node's frame: that it is selected, is in the finding, or has changed, goes
    before its own.
    """
    if chosen:
        return "selected"
    if node.found:
        return FOUND
    return "lit" if node.lit else own


def _title_style(node: Node) -> str:
    if node.found:
        return FOUND
    if node.faded:
        return "gone"
    return "lit" if node.lit else "title"


_WHOLE_NAME: Final = 18
"""Cells of a name for which a PID makes room."""


def _draw_frame(canvas: Canvas, node: Node, rect: Rect, chosen: bool, style: str) -> None:
    """A box with its title in the upper border and its corner fact at the right of it."""
    plain = _DOTTED if node.kind == "outsider" else _SINGLE
    glyphs = _DOUBLE if chosen else plain
    style = _frame_style(node, chosen, style)
    inner = rect.w - 2
    # In a narrow box it has no room beside the words.
    chip = f" {node.letter}" if node.letter and rect.w < _NARROW else ""
    name = min(measure_width(node.heading), _WHOLE_NAME)  # Rather no PID than half a name.
    taken = measure_width(chip) + measure_width(node.corner) + name
    close = taken + 5 > inner
    around = 3 if close else 5
    if chip:
        around = 2
    corner = node.corner if taken + around <= inner else ""
    room = inner - measure_width(chip) - (1 if chip else 2)
    if corner:
        room -= measure_width(corner) + (1 if close else 3)
    marked = node.lit or node.found
    mark, tight = _mark_of(node), inner - measure_width(chip) - (1 if marked else 0)
    if not corner and room < measure_width(node.heading) <= tight:
        # Rather no blanks around it than half a name.
        mark, room = mark.strip(), tight
    title = clip_text(node.heading, room, where="middle")
    canvas.write(rect.x, rect.y, glyphs[0] + glyphs[1] * inner + glyphs[2], style)
    canvas.write(rect.x + 1, rect.y, chip, f"chip-{node.chip}")
    after = " " if measure_width(chip) + measure_width(title) + 2 <= inner else ""
    canvas.write(
        rect.x + 1 + measure_width(chip),
        rect.y,
        f"{mark}{title}{after}",
        _title_style(node),
    )
    if corner and chip and close:
        canvas.write(rect.right - 1 - measure_width(corner), rect.y, corner, "pid")
    elif corner and close:
        canvas.write(rect.right - 2 - measure_width(corner), rect.y, f"{corner} ", "pid")
    elif corner:
        canvas.write(rect.right - 3 - measure_width(corner), rect.y, f" {corner} ", "pid")
    for y in range(rect.y + 1, rect.bottom - 1):
        canvas.write(rect.x, y, glyphs[3] + " " * inner + glyphs[3], style)
    if rect.h > 1:
        canvas.write(rect.x, rect.bottom - 1, glyphs[4] + glyphs[1] * inner + glyphs[5], style)


def _mark_of(node: Node) -> str:
    """What stands before a title: that a finding speaks of it, or a star if it changed in this
    step.
    """
    if node.found:
        return MARK
    return "*" if node.lit else " "


def _short_mark(node: Node) -> str:
    """What stands before a title in a single row."""
    return MARK if node.found else ""


def _draw_process(canvas: Canvas, node: Node, rect: Rect, chosen: bool) -> None:
    if rect.h < 3:
        _draw_process_line(canvas, node, rect, chosen)
        return
    _draw_frame(canvas, node, rect, chosen, "gone" if node.faded else _FRAMES.get(node.kind, "box"))
    rows, inner = rect.h - 2, rect.w - 3
    x, y = rect.x + 2, rect.y + 1
    if rect.w < _NARROW:
        x, inner = x - 1, inner + 1
    lead = 4 if node.letter and rect.w >= _NARROW else 0
    if lead:
        canvas.write(x, y, f" {node.letter} ", f"chip-{node.chip}")
    first, *rest = node.lines or (NodeLine(""),)
    words = _wrap_text(first.text, inner - lead, max(1, min(3, rows)))
    if first.short and any(text.endswith("…") for text in words):
        words = _wrap_text(first.short, inner - lead, max(1, min(3, rows)))
    for number, text in enumerate(words):
        if number < rows:
            canvas.write(x + lead, y + number, text, "gone" if node.faded else "text")
    y += len(words)
    for line in rest:
        if y >= rect.bottom - 1:
            break
        _draw_line(canvas, line, x, y, inner, faded=node.faded)
        y += 1


def _draw_line(
    canvas: Canvas, line: NodeLine, x: int, y: int, cells: int, *, faded: bool = False
) -> None:
    """A line of words, and the chips behind it as far as there is room for them."""
    text = _choose_text(line, cells)
    canvas.write(x, y, text, "gone" if faded else _STYLES.get(line.style, "text"))
    used = measure_width(text)
    chips = _shorten_chips(line, cells - used)
    for place, (word, style) in enumerate(chips):
        more = len(chips) - place
        gap = 1 if used and not text.endswith(" ") else 0
        left = cells - used - gap
        room = left if more == 1 else left - len(f" +{more - 1}")
        if measure_width(word) > room:
            rest = f"+{more}"
            shown = rest if place or more > 1 else clip_text(word, left)
            canvas.write(
                x + used + gap, y, clip_text(shown, max(0, left)), "gone" if faded else "text"
            )
            break
        canvas.write(x + used + gap, y, word, "gone" if faded else f"chip-{style}")
        used += gap + measure_width(word)
        text = ""


def _shorten_chips(line: NodeLine, cells: int) -> list[tuple[str, str]]:
    """A line's chips as they are written: in full if all have room, else without the `SIG` that all
    signals begin with, and without blanks around them if that is not enough.
    """
    full = [(f" {word} ", style) for word, style in line.chips]
    short = [(f" {word.replace('SIG', '', 1)} ", style) for word, style in line.chips]
    bare = [(word.strip(), style) for word, style in short]
    ways = (full, short, bare)
    needed = (sum(1 + measure_width(word) for word, _ in way) for way in ways)
    return next((way for way, need in zip(ways, needed, strict=True) if need <= cells), full)


def _draw_process_line(canvas: Canvas, node: Node, rect: Rect, chosen: bool) -> None:
    """A process in one row: letter, name, PID, what it does."""
    plain = (":", ":") if node.kind == "outsider" else ("[", "]")
    walls = ("▌", "▐") if node.lit else plain
    if node.found:
        walls = (MARK, MARK)
    left, right = ("║", "║") if chosen else walls
    style = _frame_style(node, chosen, "box")
    canvas.write(rect.x, rect.y, left + " " * (rect.w - 2) + right, style)
    if node.letter:
        canvas.write(rect.x + 1, rect.y, f" {node.letter} ", f"chip-{node.chip}")
    x, room = rect.x + (5 if node.letter else 2), rect.w - (6 if node.letter else 3)
    if measure_width(node.heading) == room + 1:
        # Rather no blank before it than half a name.
        x, room = x - 1, room + 1
    title = clip_text(node.heading, room, where="middle")
    own = "gone" if node.faded else "title"
    canvas.write(x, rect.y, title, FOUND if node.found else own)
    x, room = x + measure_width(title) + 1, room - measure_width(title) - 1
    if node.corner and room > measure_width(node.corner) + _WORDS_ROOM:
        canvas.write(x, rect.y, node.corner, "pid")
        x, room = x + measure_width(node.corner) + 1, room - measure_width(node.corner) - 1
    if node.lines and room > 2:
        words = _choose_text(node.lines[0], room)
        if room >= _WORDS_ROOM or not words.endswith("…"):  # rather nothing than two letters
            canvas.write(x, rect.y, words, "text")


def _wrap_text(text: str, cells: int, rows: int) -> list[str]:
    """Words in at most so many rows; the last is clipped."""
    found: list[str] = []
    line = ""
    words = text.split(" ")
    for place, word in enumerate(words):
        longer = f"{line} {word}" if line else word
        if measure_width(longer) <= cells or not line:
            line = longer
            continue
        if len(found) + 1 == rows:
            line = " ".join([line, *words[place:]])
            break
        found.append(clip_text(line, cells))
        line = word
    return [*found, clip_text(line, cells)]


def _draw_end(canvas: Canvas, node: Node, rect: Rect, chosen: bool) -> None:
    """A file, a terminal, a signal: small, at the end of its line."""
    is_signal = node.kind == "signal"
    frame = _frame_style(node, chosen, "signal" if is_signal else "end")
    if rect.h < 3:
        title = f"{_short_mark(node)}{node.title}"
        text = f"{title} {node.lines[0].text if node.lines else ''}"
        canvas.write(rect.x, rect.y, fit_text(text if is_signal else title, rect.w), frame)
        return
    glyphs = _DOUBLE if chosen else _SINGLE
    inner = rect.w - 2
    head = clip_text(node.corner, inner - 2)
    canvas.write(
        rect.x,
        rect.y,
        glyphs[0]
        + (f"{_mark_of(node)}{head} " if head else "").ljust(inner, glyphs[1])
        + glyphs[2],
        frame,
    )
    for y in range(rect.y + 1, rect.bottom - 1):
        canvas.write(rect.x, y, glyphs[3] + " " * inner + glyphs[3], frame)
    canvas.write(rect.x, rect.bottom - 1, glyphs[4] + glyphs[1] * inner + glyphs[5], frame)
    pad = 1 if measure_width(node.title) <= inner - 2 else 0
    canvas.write(
        rect.x + 1 + pad,
        rect.y + 1,
        clip_text(node.title, inner - pad),
        _end_title_style(node),
    )
    for y, line in zip(range(rect.y + 2, rect.bottom - 1), node.lines, strict=False):
        canvas.write(
            rect.x + 1 + pad, y, _choose_text(line, inner - pad), _STYLES.get(line.style, "text")
        )


def _draw_block(canvas: Canvas, node: Node, rect: Rect, chosen: bool) -> None:
    """Shared memory, a semaphore, a counter and the like: a solid block with what lies in it."""
    own = "memory" if node.kind == "memory" else "semaphore"
    style = _frame_style(node, chosen, "gone" if node.faded else own)
    if rect.h < 3:
        canvas.write(
            rect.x,
            rect.y,
            fit_text(
                f"▐{_short_mark(node)}{node.title} {node.lines[0].text if node.lines else ''}",
                rect.w,
            ),
            style,
        )
        return
    if node.kind == "list":
        _draw_frame(canvas, node, rect, chosen, "gone" if node.faded else "group")
    else:
        _draw_walls(canvas, node, rect, style)
    # A row of a list begins with the mark of what changed, or a blank.
    pad = 0 if node.kind == "list" else 1
    left, cells = rect.x + 1 + pad, rect.w - 2 - 2 * pad
    free = rect.h - 2 - len(node.lines)
    top = rect.y + 1 + max(0, free // 2 if node.kind not in ("memory", "list") else 0)
    for y, line in zip(range(top, rect.bottom - 1), node.lines, strict=False):
        look = "lit" if line.lit else _STYLES.get(line.style, "text")
        text = _choose_text(line, cells)
        canvas.write(left, y, text, look)
        for begin, end in line.marks:
            if text[:end] == line.text[:end]:
                canvas.write(left + measure_width(text[:begin]), y, text[begin:end], "lit")


def _draw_walls(canvas: Canvas, node: Node, rect: Rect, style: str) -> None:
    """A block's solid walls, with its title and its corner fact in the upper one."""
    inner = rect.w - 2
    fits = measure_width(node.corner) + 5 + min(8, measure_width(node.title)) <= inner
    # `the semaphore` need not be called a semaphore once more.
    corner = node.corner if fits and node.corner not in node.title else ""
    title = clip_text(node.title, inner - 2 - (measure_width(corner) + 2 if corner else 0))
    canvas.write(rect.x, rect.y, "█" + "▀" * inner + "█", style)
    canvas.write(rect.x + 2, rect.y, f"{_mark_of(node)}{title} ", _end_title_style(node))
    if corner:
        canvas.write(rect.right - 3 - measure_width(corner), rect.y, f" {corner} ", "pid")
    for y in range(rect.y + 1, rect.bottom - 1):
        canvas.write(rect.x, y, "█" + " " * inner + "█", style)
    canvas.write(rect.x, rect.bottom - 1, "█" + "▄" * inner + "█", style)


# -- tubes


_NOT_READ: Final = ("not seen yet", "unseen", "-")
"""For an amount that is not known; the last is the mark for what was not read yet."""


def amount_text(gauge: Gauge, cells: int) -> str:
    """How much waits, exactly if there is room for it."""
    if gauge.unit != "B":
        exact = (
            f"{gauge.queued} of {gauge.capacity}" if gauge.capacity else f"{gauge.queued} messages"
        )
        return exact if gauge.known else _NOT_READ[0]
    if not gauge.known:
        return next((text for text in _NOT_READ if measure_width(text) <= cells), "")
    if not gauge.capacity:
        return clip_text(f"{count_text(gauge.queued)} B", cells)
    exact = f"{count_text(gauge.queued)}/{count_text(gauge.capacity)} B"
    for text in (exact, exact[:-2], f"{bytes_text(gauge.queued)}/{bytes_text(gauge.capacity)}"):
        if measure_width(text) <= cells:
            return text
    amount = bytes_text(gauge.queued)
    if measure_width(amount) > cells and amount[-1] in "KMGT":
        amount = f"{round(float(amount[:-1]))}{amount[-1]}"
    return clip_text(amount, cells)


def _draw_fill(canvas: Canvas, gauge: Gauge, x: int, y: int, cells: int) -> None:
    """The inside of a tube: what waits heaps up at the end where it is taken out."""
    if gauge.unit != "B" and 0 < gauge.capacity <= cells // 2:
        slots = ["■ " if i < gauge.queued else "□ " for i in range(gauge.capacity)]
        text = "".join(slots).ljust(cells)
        canvas.write(
            x, y, text if gauge.backwards else text[::-1], "full" if gauge.full else "fill"
        )
        return
    share = (
        min(1.0, gauge.queued / gauge.capacity) if gauge.capacity else float(gauge.queued > 0) / 4
    )
    some = round(share * cells)
    some = min(cells, max(some, 1 if gauge.queued else 0))
    if gauge.full and gauge.known and some == cells - 1:
        some = cells
    filled, empty = "█" * some, "░" * (cells - some)
    begin = x if gauge.backwards else x + cells - some
    canvas.write(x, y, empty + filled if not gauge.backwards else filled + empty, "tube")
    if len({share.name for share in gauge.shares}) > 1:
        _draw_shares(canvas, gauge, begin, y, some)
    else:
        canvas.write(begin, y, filled, "full" if gauge.full else "fill")


def _draw_shares(canvas: Canvas, gauge: Gauge, x: int, y: int, cells: int) -> None:
    """What waits, each cell with the letter of who wrote most of it; what is taken next stands at
    the end where it is taken out.
    """
    total = sum(share.length for share in gauge.shares)
    place, passed = 0, 0
    for share in gauge.shares:
        passed += share.length
        last = max(place, min(cells, round(passed * cells / total)))
        if share is gauge.shares[-1]:
            last = cells
        width = last - place
        left = x + place if gauge.backwards else x + cells - last
        plain = "full" if gauge.full else "fill"
        style = f"share-{share.look}" if share.look else plain
        canvas.write(left, y, share.letter * width, style)
        place = last


def _draw_messages(canvas: Canvas, node: Node, rect: Rect, room: int, wall: str) -> None:
    """A queue with its messages, a row each between its walls, the next to be taken first."""
    gauge = node.gauges[0]
    word = _fill_word(gauge)
    if word and measure_width(word) <= room:
        style = "chip-blocked" if gauge.full else "dim"
        canvas.write(rect.right - 3 - measure_width(word), rect.y, f" {word} ", style)
    canvas.write(rect.x, rect.bottom - 1, "═" * rect.w, wall)
    canvas.write(rect.x + 1, rect.bottom - 1, f" {amount_text(gauge, rect.w - 4)} ", "text")
    rows = rect.h - 2
    count = gauge.queued if gauge.unit == "messages" else len(node.messages)
    shown = node.messages[:rows]
    brief = any(measure_width(line.text) > rect.w - 2 for line in shown)
    for place, line in enumerate(shown):
        more = count - rows if place == rows - 1 else 0
        if place == len(node.messages) - 1:
            more = max(more, count - len(node.messages))
        rest = f" +{more}" if more > 0 else ""
        text = clip_text((brief and line.short) or line.text, rect.w - 2 - len(rest)) + rest
        canvas.write(rect.x + 1, rect.y + 1 + place, text, "lit" if line.lit else "text")


def _fill_word(gauge: Gauge) -> str:
    if gauge.full:
        return "full"
    return "empty" if gauge.known and not gauge.queued else ""


def _find_strong(node: Node, room: int) -> str:
    """The first strong words that there is room for."""
    words = (
        text for line in node.lines if line.style == "strong" for text in (line.text, line.short)
    )
    return next((text for text in words if text and measure_width(text) <= room), "")


def _draw_tube(canvas: Canvas, node: Node, rect: Rect, chosen: bool) -> None:
    """A pipe, FIFO, socket or queue: walls above and below, open ends, what waits inside."""
    if rect.h < 3:
        _draw_tube_line(canvas, node, rect)
        return
    wall = _frame_style(node, chosen, "gone" if node.faded else "tube")
    listed = _lists_messages(node)
    top = rect.y if listed else rect.middle - 1
    told = node.kind != "fifo" or "fifo" in node.title.lower()
    title = node.title if told else f"{node.title} (fifo)"
    head = clip_text(title, rect.w - (3 if rect.w < 8 else 4))
    canvas.write(rect.x, top, "═" * rect.w, wall)
    canvas.write(rect.x + 1, top, f"{_mark_of(node)}{head} ", _tube_title_style(node))
    room = rect.w - measure_width(head) - 6
    if listed:
        _draw_messages(canvas, node, rect, room, wall)
    elif len(node.gauges) > 1:
        _draw_two_way_tube(canvas, node, rect, room, wall)
    else:
        _draw_one_way_tube(canvas, node, rect, room, wall)


def _lists_messages(node: Node) -> bool:
    """Whether it is known which messages wait in it; or of a queue that none do."""
    if node.messages:
        return not node.faded
    if node.kind != "queue" or not node.gauges or node.faded:
        return False
    return node.gauges[0].known and not node.gauges[0].queued


def _end_title_style(node: Node) -> str:
    """The style of a title that is not fainter once all have ended."""
    if node.found:
        return FOUND
    return "lit" if node.lit else "title"


def _tube_title_style(node: Node) -> str:
    if node.found:
        return FOUND
    if node.lit:
        return "lit"
    return "gone" if node.faded else "title"


def _draw_tube_line(canvas: Canvas, node: Node, rect: Rect) -> None:
    """A tube in one row: its name, and what waits in it; of a connection both directions."""
    gauges = node.gauges or (Gauge(),)
    strong = _find_strong(node, rect.w // 3 - measure_width(node.title))
    title = f"{_short_mark(node)}{node.title}"
    name = f"{title} {strong}" if strong else title
    if measure_width(name) > rect.w // 2:
        # Of two ends of a connection rather one whole name than both cut.
        one_end = node.title.partition("-")[0] if node.kind == "socket" else node.title
        name = clip_text(one_end, rect.w // 2)
    canvas.write(rect.x, rect.y, name + " ", _tube_title_style(node))
    x, room = rect.x + measure_width(name) + 1, rect.w - measure_width(name) - 1
    if len(gauges) == 1 or room < 2 * len(gauges):
        _draw_fill(canvas, gauges[0], x, rect.y, max(1, room))
        return
    for gauge, cells in zip(gauges, (room - room // 2, room // 2), strict=False):
        canvas.write(x, rect.y, "←" if gauge.backwards else "→", "edge")
        _draw_fill(canvas, gauge, x + 1, rect.y, cells - 1)
        x += cells


def _draw_one_way_tube(canvas: Canvas, node: Node, rect: Rect, room: int, wall: str) -> None:
    """What is below a tube's upper wall, and the word in it, which has `room` cells."""
    gauge = node.gauges[0] if node.gauges else Gauge()
    top, middle, under = rect.middle - 1, rect.middle, rect.middle + 1
    word = _fill_word(gauge)
    strong = _find_strong(node, room) if word != "full" else ""
    if strong:
        canvas.write(rect.right - 3 - measure_width(strong), top, f" {strong} ", "strong")
    elif word and measure_width(word) <= room:
        style = "chip-blocked" if word == "full" else "dim"
        canvas.write(rect.right - 3 - measure_width(word), top, f" {word} ", style)
    _draw_fill(canvas, gauge, rect.x, middle, rect.w)
    canvas.write(rect.x, under, "═" * rect.w, wall)
    amount = amount_text(gauge, rect.w - (4 if rect.w > 11 else 2))
    lines = list(node.lines)
    if node.faded:
        # What went through is its amount now; there is none where it is gone for a moment only.
        total = node.ended and lines and _choose_text(lines.pop(0), rect.w - 4)
        canvas.write(rect.x + 1, under, f" {total or 'closed'} ", "gone")
    else:
        canvas.write(rect.x + 1, under, f" {amount} ", "text")
    if word == "full" and measure_width(word) > room:
        lines.insert(0, NodeLine("full", "strong"))
    for y, line in zip(range(under + 1, rect.bottom), lines, strict=False):
        canvas.write(rect.x + 1, y, _choose_text(line, rect.w - 1), _STYLES.get(line.style, "text"))


def _draw_two_way_tube(canvas: Canvas, node: Node, rect: Rect, room: int, wall: str) -> None:
    """A connection's two directions, one below the other; with a wall below each where there are
    rows for it.
    """
    top, middle = rect.middle - 1, rect.middle
    strong = _find_strong(node, room)
    if strong:
        canvas.write(rect.right - 3 - measure_width(strong), top, f" {strong} ", "strong")
    half = rect.h >= 5
    for place, gauge in enumerate(node.gauges[:2]):
        y = middle + (2 * place if half else place)
        arrow = "←" if gauge.backwards else "→"
        canvas.write(rect.x, y, arrow if gauge.backwards else " ", "edge")
        _draw_fill(canvas, gauge, rect.x + 1, y, rect.w - 2)
        canvas.write(rect.right - 1, y, " " if gauge.backwards else arrow, "edge")
        if half:
            canvas.write(rect.x, y + 1, "═" * rect.w, wall)
            word = _fill_word(gauge) or amount_text(gauge, rect.w - 4)
            canvas.write(rect.x + 1, y + 1, f" {word} ", "chip-blocked" if gauge.full else "text")
    if not half and rect.h >= 4:
        canvas.write(rect.x, middle + 2, "═" * rect.w, wall)
        there, back = (bytes_text(g.queued) for g in node.gauges[:2])
        canvas.write(rect.x + 1, middle + 2, clip_text(f" →{there} ←{back} ", rect.w - 2), "text")
