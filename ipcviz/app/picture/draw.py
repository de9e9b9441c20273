"""From a layout to rows of styled text: each thing drawn as what it is. Pure.

Only glyphs that every terminal font has: ASCII, single and double box, full, half and shade blocks,
arrows. Nothing is said by colour alone: a state has its letter, a full tube the word, a selection
its double frame, a change its `*`.
"""

from __future__ import annotations

from typing import Final

from ipcviz.app.picture.canvas import Canvas, Run
from ipcviz.app.picture.layout import Layout
from ipcviz.app.picture.routes import Rect
from ipcviz.app.picture.scene import BLOCKS, TUBES, Edge, Gauge, Line, Node, Scene
from ipcviz.app.text import bytes_text, clip, count_text, fit, width

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
"""The frame of a process that is not watched, as the line of a descriptor that is not used is
dotted.
"""
_NARROW: Final = 15
"""A process's box of fewer cells has its letter in the upper border."""
_SAID: Final = 8
"""Cells that a process's words have in a single line before its PID gets any."""
_FRAMES: Final = {"group": "group", "outsider": "end"}
_STYLES: Final = {"text": "text", "dim": "dim", "strong": "strong", "pending": "strong"}


def paint(scene: Scene, layout: Layout, selected: str = "") -> list[tuple[Run, ...]]:
    """The picture, row by row.

    Args:
        scene: What to draw.
        layout: Where; made for a scene of the same shape.
        selected: Id of the selected node.

    Returns:
        As many rows as the layout's extent has, each as wide as it, as runs of text and style name.
    """
    canvas = Canvas(*layout.extent)
    _edges(canvas, scene, layout)
    for node in scene.nodes:
        rect = layout.rects[node.id]
        chosen = node.id == selected
        if node.kind in TUBES:
            _tube(canvas, node, rect, chosen)
        elif node.kind in BLOCKS:
            _block(canvas, node, rect, chosen)
        elif node.kind in ("process", "outsider", "group"):
            _process(canvas, node, rect, chosen)
        else:
            _end(canvas, node, rect, chosen)
    return canvas.rows()


# -- lines


def _edges(canvas: Canvas, scene: Scene, layout: Layout) -> None:
    masks: dict[tuple[int, int], int] = {}
    looks: dict[tuple[int, int], tuple[int, str]] = {}
    heads: list[tuple[int, int, str, str]] = []
    weak: list[tuple[Edge, tuple[tuple[int, int], ...]]] = []
    sockets = {
        n.id for n in scene.nodes if n.kind == "socket" and len(n.gauges) == 2
    }  # these have arrows inside
    for edge in scene.edges:
        route = layout.routes.get(edge.key)
        if not route:
            continue
        style = (
            "lit"
            if edge.lit
            else "child"
            if edge.kind == "child"
            else "signal"
            if edge.kind == "signal"
            else "edge"
        )
        if edge.kind == "hold":
            weak.append((edge, route))
        else:
            level = 3 if edge.lit else 1 if edge.kind == "child" else 2
            whole = (
                _outside(layout.rects[edge.source], route[0]),
                *route,
                _outside(layout.rects[edge.target], route[-1]),
            )
            for before, here, after in zip(whole, whole[1:], whole[2:], strict=False):
                masks[here] = masks.get(here, 0) | _toward(here, before) | _toward(here, after)
                if level >= looks.get(here, (0, ""))[0]:
                    looks[here] = (level, style)
        if edge.kind != "child" and not (edge.both and sockets & {edge.source, edge.target}):
            heads.append(
                (
                    *route[-1],
                    _arrow(route[-1], _outside(layout.rects[edge.target], route[-1])),
                    style,
                )
            )
            if edge.both:
                heads.append(
                    (
                        *route[0],
                        _arrow(route[0], _outside(layout.rects[edge.source], route[0])),
                        style,
                    )
                )
    for edge, route in weak:
        ends = (
            _outside(layout.rects[edge.source], route[0]),
            _outside(layout.rects[edge.target], route[-1]),
        )
        whole = (ends[0], *route, ends[1])
        for before, here, after in zip(whole, whole[1:], whole[2:], strict=False):
            mask = _toward(here, before) | _toward(here, after)
            if here not in masks:
                glyph = (
                    "-" if mask in (_E, _W, _E | _W) else ":" if mask in (_S, _N, _S | _N) else "+"
                )
                canvas.put(*here, glyph, "lit" if edge.lit else "hold")
    for (x, y), mask in masks.items():
        canvas.put(x, y, _JOINTS[mask], looks[x, y][1])
    for x, y, glyph, style in heads:
        canvas.put(x, y, glyph, "hold" if (x, y) not in masks else style)


def _outside(rect: Rect, point: tuple[int, int]) -> tuple[int, int]:
    """The box's cell that a way's end touches."""
    x, y = point
    return (min(max(x, rect.x), rect.right - 1), min(max(y, rect.y), rect.bottom - 1))


def _toward(here: tuple[int, int], there: tuple[int, int]) -> int:
    if here[1] == there[1]:
        return _E if there[0] > here[0] else _W if there[0] < here[0] else 0
    return _S if there[1] > here[1] else _N


def _arrow(here: tuple[int, int], there: tuple[int, int]) -> str:
    return {_E: "→", _W: "←", _S: "↓", _N: "↑"}.get(_toward(here, there), "→")


# -- boxes


def _words(line: Line, cells: int) -> str:
    """A line in so many cells: its short words where the others have no room."""
    return clip(line.short if line.short and width(line.text) > cells else line.text, cells)


def _frame(canvas: Canvas, node: Node, rect: Rect, chosen: bool, style: str) -> None:
    """A box with its title in the upper border and its corner fact at the right of it."""
    plain = _DOTTED if node.kind == "outsider" else _SINGLE
    glyphs = _DOUBLE if chosen else plain
    style = "selected" if chosen else "lit" if node.lit else style
    inner = rect.w - 2
    chip = (
        f" {node.letter}" if node.letter and rect.w < _NARROW else ""
    )  # narrow: it has no room beside the words
    title_style = "gone" if node.faded else "lit" if node.lit else "title"
    name = min(width(node.title), 8)  # rather no PID than half a name
    close = width(chip) + width(node.corner) + name + 5 > inner
    corner = (
        node.corner
        if width(chip) + width(node.corner) + name + (2 if chip else 3 if close else 5) <= inner
        else ""
    )
    room = (
        inner
        - width(chip)
        - (1 if chip else 2)
        - (width(corner) + (1 if close else 3) if corner else 0)
    )
    title = clip(node.title, room, where="middle")
    canvas.put(rect.x, rect.y, glyphs[0] + glyphs[1] * inner + glyphs[2], style)
    canvas.put(rect.x + 1, rect.y, chip, f"chip-{node.chip}")
    after = " " if width(chip) + width(title) + 2 <= inner else ""
    canvas.put(rect.x + 1 + width(chip), rect.y, f"{_mark(node)}{title}{after}", title_style)
    if corner and chip and close:
        canvas.put(rect.right - 1 - width(corner), rect.y, corner, "pid")
    elif corner and close:
        canvas.put(rect.right - 2 - width(corner), rect.y, f"{corner} ", "pid")
    elif corner:
        canvas.put(rect.right - 3 - width(corner), rect.y, f" {corner} ", "pid")
    for y in range(rect.y + 1, rect.bottom - 1):
        canvas.put(rect.x, y, glyphs[3] + " " * inner + glyphs[3], style)
    if rect.h > 1:
        canvas.put(rect.x, rect.bottom - 1, glyphs[4] + glyphs[1] * inner + glyphs[5], style)


def _mark(node: Node) -> str:
    """What stands before a title: a star if it changed in this step."""
    return "*" if node.lit else " "


def _process(canvas: Canvas, node: Node, rect: Rect, chosen: bool) -> None:
    if rect.h < 3:
        _process_line(canvas, node, rect, chosen)
        return
    _frame(canvas, node, rect, chosen, "gone" if node.faded else _FRAMES.get(node.kind, "box"))
    rows, inner = rect.h - 2, rect.w - 3
    x, y = rect.x + 2, rect.y + 1
    if rect.w < _NARROW:
        x, inner = x - 1, inner + 1
    lead = 4 if node.letter and rect.w >= _NARROW else 0
    if lead:
        canvas.put(x, y, f" {node.letter} ", f"chip-{node.chip}")
    first, *rest = node.lines or (Line(""),)
    words = _wrap(first.text, inner - lead, max(1, min(3, rows)))
    if first.short and any(text.endswith("…") for text in words):
        words = _wrap(first.short, inner - lead, max(1, min(3, rows)))
    for number, text in enumerate(words):
        if number < rows:
            canvas.put(x + lead, y + number, text, "gone" if node.faded else "text")
    y += len(words)
    for line in rest:
        if y >= rect.bottom - 1:
            break
        canvas.put(
            x, y, _words(line, inner), "gone" if node.faded else _STYLES.get(line.style, "text")
        )
        y += 1


def _process_line(canvas: Canvas, node: Node, rect: Rect, chosen: bool) -> None:
    """A process in one row: letter, name, PID, what it does."""
    plain = (":", ":") if node.kind == "outsider" else ("[", "]")
    left, right = ("║", "║") if chosen else ("▌", "▐") if node.lit else plain
    style = "selected" if chosen else "lit" if node.lit else "box"
    canvas.put(rect.x, rect.y, left + " " * (rect.w - 2) + right, style)
    if node.letter:
        canvas.put(rect.x + 1, rect.y, f" {node.letter} ", f"chip-{node.chip}")
    x, room = rect.x + (5 if node.letter else 2), rect.w - (6 if node.letter else 3)
    role = next((line.text for line in node.lines[1:2] if line.style == "strong"), "")
    title = role or node.title  # a role says more than the name of an interpreter
    title = clip(title, room, where="middle")
    canvas.put(x, rect.y, title, "gone" if node.faded else "title")
    x, room = x + width(title) + 1, room - width(title) - 1
    if node.corner and room > width(node.corner) + _SAID:
        canvas.put(x, rect.y, node.corner, "pid")
        x, room = x + width(node.corner) + 1, room - width(node.corner) - 1
    if node.lines and room > 2:
        said = _words(node.lines[0], room)
        if room >= _SAID or not said.endswith("…"):  # rather nothing than two letters
            canvas.put(x, rect.y, said, "text")


def _wrap(text: str, cells: int, rows: int) -> list[str]:
    """Words in at most so many rows; the last is clipped."""
    found: list[str] = []
    line = ""
    words = text.split(" ")
    for place, word in enumerate(words):
        longer = f"{line} {word}" if line else word
        if width(longer) <= cells or not line:
            line = longer
            continue
        if len(found) + 1 == rows:
            line = " ".join([line, *words[place:]])
            break
        found.append(clip(line, cells))
        line = word
    return [*found, clip(line, cells)]


def _end(canvas: Canvas, node: Node, rect: Rect, chosen: bool) -> None:
    """A file, a terminal, a signal: small, at the end of its line."""
    style = "signal" if node.kind == "signal" else "end"
    if rect.h < 3:
        text = (
            node.title
            if node.kind != "signal"
            else f"{node.title} {node.lines[0].text if node.lines else ''}"
        )
        canvas.put(
            rect.x,
            rect.y,
            fit(text, rect.w),
            "selected" if chosen else "lit" if node.lit else style,
        )
        return
    glyphs = _DOUBLE if chosen else _SINGLE
    frame = "selected" if chosen else "lit" if node.lit else style
    inner = rect.w - 2
    head = clip(node.corner, inner - 2)
    canvas.put(
        rect.x,
        rect.y,
        glyphs[0] + (f"{_mark(node)}{head} " if head else "").ljust(inner, glyphs[1]) + glyphs[2],
        frame,
    )
    for y in range(rect.y + 1, rect.bottom - 1):
        canvas.put(rect.x, y, glyphs[3] + " " * inner + glyphs[3], frame)
    canvas.put(rect.x, rect.bottom - 1, glyphs[4] + glyphs[1] * inner + glyphs[5], frame)
    pad = 1 if width(node.title) <= inner - 2 else 0
    canvas.put(
        rect.x + 1 + pad, rect.y + 1, clip(node.title, inner - pad), "lit" if node.lit else "title"
    )
    for y, line in zip(range(rect.y + 2, rect.bottom - 1), node.lines, strict=False):
        canvas.put(rect.x + 1 + pad, y, _words(line, inner - pad), _STYLES.get(line.style, "text"))


def _block(canvas: Canvas, node: Node, rect: Rect, chosen: bool) -> None:
    """Shared memory, a semaphore, an eventfd and the like: a solid block with what lies in it."""
    own = "gone" if node.faded else "memory" if node.kind == "memory" else "semaphore"
    style = "selected" if chosen else "lit" if node.lit else own
    if rect.h < 3:
        canvas.put(
            rect.x,
            rect.y,
            fit(f"▐{node.title} {node.lines[0].text if node.lines else ''}", rect.w),
            style,
        )
        return
    inner = rect.w - 2
    corner = node.corner if width(node.corner) + 5 + min(8, width(node.title)) <= inner else ""
    title = clip(node.title, inner - 2 - (width(corner) + 2 if corner else 0))
    canvas.put(rect.x, rect.y, "█" + "▀" * inner + "█", style)
    canvas.put(rect.x + 2, rect.y, f"{_mark(node)}{title} ", "lit" if node.lit else "title")
    if corner:
        canvas.put(rect.right - 3 - width(corner), rect.y, f" {corner} ", "pid")
    for y in range(rect.y + 1, rect.bottom - 1):
        canvas.put(rect.x, y, "█" + " " * inner + "█", style)
    canvas.put(rect.x, rect.bottom - 1, "█" + "▄" * inner + "█", style)
    free = rect.h - 2 - len(node.lines)
    top = rect.y + 1 + max(0, free // 2 if node.kind != "memory" else 0)
    for y, line in zip(range(top, rect.bottom - 1), node.lines, strict=False):
        look = "lit" if line.lit else _STYLES.get(line.style, "text")
        canvas.put(rect.x + 2, y, _words(line, inner - 2), look)


# -- tubes


def _amount(gauge: Gauge, cells: int) -> str:
    """How much waits, exactly if there is room for it."""
    if gauge.unit != "B":
        exact = (
            f"{gauge.queued} of {gauge.capacity}" if gauge.capacity else f"{gauge.queued} messages"
        )
        return exact if gauge.known else "not read"
    if not gauge.known:
        return clip("not read", cells)
    if not gauge.capacity:
        return clip(f"{count_text(gauge.queued)} B", cells)
    exact = f"{count_text(gauge.queued)}/{count_text(gauge.capacity)} B"
    for text in (exact, exact[:-2], f"{bytes_text(gauge.queued)}/{bytes_text(gauge.capacity)}"):
        if width(text) <= cells:
            return text
    amount = bytes_text(gauge.queued)
    if width(amount) > cells and amount[-1] in "KMGT":
        amount = f"{round(float(amount[:-1]))}{amount[-1]}"
    return clip(amount, cells)


def _fill(canvas: Canvas, gauge: Gauge, x: int, y: int, cells: int) -> None:
    """The inside of a tube: what waits heaps up at the end where it is taken out."""
    if gauge.unit != "B" and 0 < gauge.capacity <= cells // 2:
        slots = ["■ " if i < gauge.queued else "□ " for i in range(gauge.capacity)]
        text = "".join(slots).ljust(cells)
        canvas.put(x, y, text if gauge.backwards else text[::-1], "full" if gauge.full else "fill")
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
    canvas.put(x, y, empty + filled if not gauge.backwards else filled + empty, "tube")
    canvas.put(begin, y, filled, "full" if gauge.full else "fill")


def _word(gauge: Gauge) -> str:
    if gauge.full:
        return "full"
    return "empty" if gauge.known and not gauge.queued else ""


def _said(node: Node, room: int) -> str:
    """The first strong words that there is room for."""
    words = (
        text for line in node.lines if line.style == "strong" for text in (line.text, line.short)
    )
    return next((text for text in words if text and width(text) <= room), "")


def _tube(canvas: Canvas, node: Node, rect: Rect, chosen: bool) -> None:
    """A pipe, FIFO, socket or queue: walls above and below, open ends, what waits inside."""
    wall = "selected" if chosen else "lit" if node.lit else "gone" if node.faded else "tube"
    gauges = node.gauges or (Gauge(),)
    title_style = "lit" if node.lit else "gone" if node.faded else "title"
    if rect.h < 3:
        said = _said(node, rect.w // 3 - width(node.title))
        name = f"{node.title} {said}" if said else node.title
        if (
            width(name) > rect.w // 2
        ):  # of two ends of a connection rather one whole name than both cut
            name = clip(
                node.title.partition("-")[0] if node.kind == "socket" else node.title, rect.w // 2
            )
        canvas.put(rect.x, rect.y, name + " ", title_style)
        x, room = rect.x + width(name) + 1, rect.w - width(name) - 1
        if len(gauges) == 1 or room < 2 * len(gauges):
            _fill(canvas, gauges[0], x, rect.y, max(1, room))
            return
        for gauge, cells in zip(gauges, (room - room // 2, room // 2), strict=False):
            canvas.put(x, rect.y, "←" if gauge.backwards else "→", "edge")
            _fill(canvas, gauge, x + 1, rect.y, cells - 1)
            x += cells
        return
    line = "═" * rect.w
    middle = rect.middle
    top = middle - 1
    head = clip(
        node.title if node.kind != "fifo" else f"{node.title} (fifo)",
        rect.w - (3 if rect.w < 8 else 4),
    )
    canvas.put(rect.x, top, line, wall)
    canvas.put(rect.x + 1, top, f"{_mark(node)}{head} ", title_style)
    room = rect.w - width(head) - 6
    if len(gauges) == 1:
        word = _word(gauges[0])
        said = _said(node, room) if word != "full" else ""
        if said:
            canvas.put(rect.right - 3 - width(said), top, f" {said} ", "strong")
        elif word and width(word) <= room:
            canvas.put(
                rect.right - 3 - width(word),
                top,
                f" {word} ",
                "chip-blocked" if word == "full" else "dim",
            )
        _fill(canvas, gauges[0], rect.x, middle, rect.w)
        canvas.put(rect.x, middle + 1, line, wall)
        amount = (
            "closed"
            if node.faded
            else _amount(gauges[0], rect.w - 4 if rect.w > 11 else rect.w - 2)
        )
        canvas.put(rect.x + 1, middle + 1, f" {amount} ", "gone" if node.faded else "text")
        y = middle + 2
        lines = list(node.lines)
        if word == "full" and width(word) > room:
            lines.insert(0, Line("full", "strong"))
        for text in lines:
            if y < rect.bottom:
                canvas.put(rect.x + 1, y, _words(text, rect.w - 1), _STYLES.get(text.style, "text"))
                y += 1
        return
    said = _said(node, room)
    if said:
        canvas.put(rect.right - 3 - width(said), top, f" {said} ", "strong")
    half = rect.h >= 5
    for place, gauge in enumerate(gauges[:2]):
        y = middle + (2 * place if half else place)
        arrow = "←" if gauge.backwards else "→"
        canvas.put(rect.x, y, arrow if gauge.backwards else " ", "edge")
        _fill(canvas, gauge, rect.x + 1, y, rect.w - 2)
        canvas.put(rect.right - 1, y, " " if gauge.backwards else arrow, "edge")
        under = middle + 1 if place == 0 else middle + 3
        if half:
            canvas.put(rect.x, under, line, wall)
            word = _word(gauge) or _amount(gauge, rect.w - 4)
            canvas.put(rect.x + 1, under, f" {word} ", "chip-blocked" if gauge.full else "text")
    if not half and rect.h >= 4:
        canvas.put(rect.x, middle + 2, line, wall)
        there, back = (bytes_text(g.queued) for g in gauges[:2])
        canvas.put(rect.x + 1, middle + 2, clip(f" →{there} ←{back} ", rect.w - 2), "text")
