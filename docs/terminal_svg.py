"""A terminal's screen as an SVG: cells to paths and text, with numbered marks, or with frames.

Box drawings, blocks and shades are drawn as shapes and not as text: so lines join in every font.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from itertools import groupby
from typing import Final, NamedTuple, TypeVar

import pyte
from pyte.screens import Char

WIDTH: Final = 8.4
HEIGHT: Final = 17
SIZE: Final = 14
EDGE: Final = 10
"""Pixels: of a cell, of the font, and of the margin around the screen."""
FONTS: Final = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
MARK: Final = "#E5007D"
"""The colour of outlines and numbers: none of the two themes has it."""
_NAMED: Final = {
    "black": "#000000",
    "red": "#E8793A",
    "green": "#29B98A",
    "brown": "#E69F00",
    "blue": "#56B4E9",
    "magenta": "#CC79A7",
    "cyan": "#7CC7F2",
    "white": "#E4E4E4",
}
_ARMS: Final = {
    "LEFT": (-1, 0),
    "RIGHT": (1, 0),
    "UP": (0, -1),
    "DOWN": (0, 1),
}
_SHADES: Final = {"░": 0.25, "▒": 0.5, "▓": 0.75}
_EIGHTHS: Final = "▁▂▃▄▅▆▇█"
_COLUMNS: Final = "▏▎▍▌▋▊▉█"

_Key = TypeVar("_Key")
Row = tuple[Char, ...]
Grid = tuple[Row, ...]
"""A screen's cells, row by row."""


class Place(NamedTuple):
    """A run of cells in one row."""

    row: int
    column: int
    length: int


class Colours(NamedTuple):
    """What stands for a terminal's default colours."""

    text: str
    back: str


DARK: Final = Colours("#E4E4E4", "#101418")
LIGHT: Final = Colours("#101418", "#FFFFFF")


def grid_of(screen: pyte.Screen) -> Grid:
    """The cells of a screen as they are now."""
    return tuple(
        tuple(screen.buffer[y][x] for x in range(screen.columns)) for y in range(screen.lines)
    )


def texts_of(grid: Grid) -> list[str]:
    """The rows of a screen as text, one character a cell."""
    return ["".join(cell.data[:1] or " " for cell in row) for row in grid]


def find_place(grid: Grid, pattern: str) -> Place:
    """Where a pattern matches for the first time: its group `at`, or all of it.

    Raises:
        LookupError: It matches nowhere.
    """
    for y, text in enumerate(texts_of(grid)):
        found = re.search(pattern, text)
        if found:
            start, end = found.span("at" if "at" in found.re.groupindex else 0)
            return Place(y, start, end - start)
    raise LookupError(pattern)


def draw_picture(grid: Grid, title: str, colours: Colours, marks: Sequence[Place] = ()) -> str:
    """One screen, with an outline and a number at each of the places."""
    paint = _Paint(colours)
    body = [paint.draw_row(row, y) for y, row in enumerate(grid)]
    numbers = [_draw_mark(grid, place, n) for n, place in enumerate(marks, 1)]
    return _whole(grid, title, paint, [*body, *numbers])


def draw_frames(
    frames: Sequence[Grid], seconds: float, title: str, colours: Colours, still: int
) -> str:
    """Screens one after the other, for ever; a row is drawn once for all frames that share it.

    Args:
        frames: The screens, all of one size.
        seconds: How long each is shown.
        title: What it shows.
        colours: The defaults.
        still: The frame that is shown where nothing moves.
    """
    paint = _Paint(colours)
    body = []
    for y in range(len(frames[0])):
        shown: dict[Row, list[bool]] = {}
        for n, frame in enumerate(frames):
            shown.setdefault(frame[y], [False] * len(frames))[n] = True
        for row, when in shown.items():
            drawn = paint.draw_row(row, y)
            if all(when):
                body.append(drawn)
            else:
                body.append(_animated(drawn, when, seconds, when[still]))
    return _whole(frames[0], title, paint, body)


def _animated(drawn: str, when: Sequence[bool], seconds: float, now: bool) -> str:
    """A row that is there in some frames only."""
    changes = [n for n in range(len(when)) if n == 0 or when[n] != when[n - 1]]
    values = ";".join("inline" if when[n] else "none" for n in changes)
    times = ";".join(f"{n / len(when):.4g}" for n in changes)
    return (
        f'<g display="{"inline" if now else "none"}"><animate attributeName="display"'
        f' values="{values}" keyTimes="{times}" dur="{seconds * len(when):g}s"'
        f' calcMode="discrete" repeatCount="indefinite"/>{drawn}</g>'
    )


def _whole(grid: Grid, title: str, paint: _Paint, body: Iterable[str]) -> str:
    """The file around what was drawn."""
    width = round(len(grid[0]) * WIDTH + 2 * EDGE)
    height = len(grid) * HEIGHT + 2 * EDGE
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img"><title>{escape(title)}</title>'
        f"<style>text{{font:{SIZE}px {FONTS};white-space:pre}}.b{{font-weight:bold}}"
        f".n{{font:bold 12px {FONTS}}}{paint.styles()}</style>"
        f'<rect width="{width}" height="{height}" rx="6" fill="{paint.colours.back}"/>'
        f'<g transform="translate({EDGE} {EDGE})">\n' + "\n".join(body) + "\n</g></svg>\n"
    )


class _Paint:
    """Rows to SVG; each colour becomes a class."""

    def __init__(self, colours: Colours) -> None:
        self.colours = colours
        self._classes: dict[str, str] = {}

    def styles(self) -> str:
        """The rules of all colours that were used."""
        return "".join(
            f".{name}{{fill:{colour}}}.{name}s{{stroke:{colour};fill:none}}"
            for colour, name in self._classes.items()
        )

    def _class_of(self, colour: str) -> str:
        return self._classes.setdefault(colour, f"c{len(self._classes)}")

    def _colours_of(self, cell: Char) -> tuple[str, str]:
        """Of a cell: the colour of its text, and of what is behind it."""
        front = _colour(cell.fg, self.colours.text)
        back = _colour(cell.bg, self.colours.back)
        return (back, front) if cell.reverse else (front, back)

    def draw_row(self, row: Row, y: int) -> str:
        """What is behind, shapes, and text."""
        parts = []
        for back, cells in _runs(row, lambda cell: self._colours_of(cell)[1]):
            if back != self.colours.back:
                parts.append(
                    f'<path class="{self._class_of(back)}"'
                    f' d="{_box(cells[0], y, cells[-1] + 1, y + 1)}"/>'
                )
        for front, cells in _runs(row, lambda cell: self._colours_of(cell)[0]):
            parts.extend(self._draw_shapes(row, y, cells, self._class_of(front)))
        for style, cells in _runs(row, self._text_style):
            if style is not None:
                parts.append(self._draw_text(row, y, cells, *style))
        return "".join(parts)

    def _text_style(self, cell: Char) -> tuple[str, bool] | None:
        """The colour and weight of a cell's text; None if it is drawn as a shape."""
        if cell.data and cell.data[0] in _SHAPES:
            return None
        return self._colours_of(cell)[0], cell.bold

    def _draw_text(self, row: Row, y: int, cells: Sequence[int], colour: str, bold: bool) -> str:
        text = "".join(row[x].data[:1] or " " for x in cells)
        names = self._class_of(colour) + (" b" if bold else "")
        # Words that are further apart have places of their own: not every viewer keeps the spaces.
        return "".join(
            f'<text class="{names}" x="{(cells[0] + found.start()) * WIDTH:.1f}"'
            f' y="{y * HEIGHT + 13}" textLength="{len(found[0]) * WIDTH:.1f}">'
            f"{escape(found[0], quote=False)}</text>"
            for found in re.finditer(r"\S+(?: \S+)*", text)
        )

    def _draw_shapes(self, row: Row, y: int, cells: Sequence[int], name: str) -> list[str]:
        lines = "".join(_lines(row[x].data, x, y) for x in cells)
        blocks = "".join(_block(row[x].data, x, y) for x in cells)
        parts = []
        if lines:
            parts.append(f'<path class="{name}s" d="{lines}"/>')
        if blocks:
            parts.append(f'<path class="{name}" d="{blocks}"/>')
        for shade, opacity in _SHADES.items():
            found = "".join(_box(x, y, x + 1, y + 1) for x in cells if row[x].data == shade)
            if found:
                parts.append(f'<path class="{name}" opacity="{opacity}" d="{found}"/>')
        return parts


def _runs(row: Row, key: Callable[[Char], _Key]) -> Iterator[tuple[_Key, list[int]]]:
    """Cells that follow each other and have the same key, with that key."""
    for found, cells in groupby(range(len(row)), key=lambda x: key(row[x])):
        yield found, list(cells)


def _colour(name: str, default: str) -> str:
    if name == "default":
        return default
    full = re.fullmatch(r"[34]8;2;(\d+);(\d+);(\d+)", name)
    if full:
        return "#" + "".join(f"{int(part):02X}" for part in full.groups())
    name = name.removeprefix("bright")
    return _NAMED.get(name, f"#{name}").upper()


def _box(left: float, top: float, right: float, bottom: float) -> str:
    """A filled rectangle; places are in cells."""
    return (
        f"M{left * WIDTH:.1f} {top * HEIGHT:.1f}H{right * WIDTH:.1f}"
        f"V{bottom * HEIGHT:.1f}H{left * WIDTH:.1f}z"
    )


def _block(c: str, x: int, y: int) -> str:
    """A block element, as a path."""
    if c == "▀":
        return _box(x, y, x + 1, y + 0.5)
    if c == "▐":
        return _box(x + 0.5, y, x + 1, y + 1)
    if c and c in _EIGHTHS:
        return _box(x, y + 1 - (_EIGHTHS.index(c) + 1) / 8, x + 1, y + 1)
    if c and c in _COLUMNS:
        return _box(x, y, x + (_COLUMNS.index(c) + 1) / 8, y + 1)
    return ""


def _arms(c: str) -> dict[str, bool] | None:
    """The arms of a box drawing, and whether each is double; None of anything else."""
    words = unicodedata.name(c, "").split() if len(c) == 1 else []
    if words[:2] != ["BOX", "DRAWINGS"] or not {"LIGHT", "DOUBLE"} & set(words[2:3]):
        return None
    double = words[2] == "DOUBLE"
    arms: dict[str, bool] = {}
    for word in words[3:]:
        if word == "HORIZONTAL":
            arms |= {"LEFT": double, "RIGHT": double}
        elif word == "VERTICAL":
            arms |= {"UP": double, "DOWN": double}
        elif word in _ARMS:
            arms[word] = double
        elif word != "AND":
            return None
    if double and len(arms) > 2:
        return None
    return arms


_SHAPES: Final = frozenset(
    c
    for c in (chr(code) for code in range(0x2500, 0x25A0))
    if _arms(c) is not None or c in _SHADES or _block(c, 0, 0)
)


def _lines(c: str, x: int, y: int) -> str:
    """A box drawing, as a path; nothing of another character."""
    arms = _arms(c) if c in _SHAPES else None
    if arms is None:
        return ""
    middle, centre = (x + 0.5) * WIDTH, (y + 0.5) * HEIGHT
    ends = {arm: (_ARMS[arm][0] * WIDTH / 2, _ARMS[arm][1] * HEIGHT / 2) for arm in arms}
    if not any(arms.values()):
        return "".join(f"M{middle:.1f} {centre:.1f}l{dx:.1f} {dy:.1f}" for dx, dy in ends.values())
    path = ""
    for side in (-1.5, 1.5):
        # A double corner is two bends, one within the other; a double line two lines side by side.
        (ax, ay), (bx, by) = ends.values()
        shift_x = side if ay or by else 0.0
        shift_y = side if ax or bx else 0.0
        if shift_x and shift_y and (ax + bx) * (ay + by) < 0:
            shift_y = -shift_y
        points = (
            (ax + (shift_x if ay else 0), ay + (shift_y if ax else 0)),
            (shift_x, shift_y),
            (bx + (shift_x if by else 0), by + (shift_y if bx else 0)),
        )
        path += "M" + "L".join(f"{middle + x:.1f} {centre + y:.1f}" for x, y in points)
    return path


def _draw_mark(grid: Grid, place: Place, number: int) -> str:
    """An outline around a place, and its number where it covers least."""
    left, top = place.column * WIDTH - 2, place.row * HEIGHT + 0.5
    width = place.length * WIDTH + 4
    row, column = _free_spot(grid, place)
    x, y = (column + 0.5) * WIDTH + WIDTH / 2, (row + 0.5) * HEIGHT
    return (
        f'<g class="callout"><rect x="{left:.1f}" y="{top}" width="{width:.1f}"'
        f' height="{HEIGHT}" rx="3" fill="none" stroke="{MARK}" stroke-width="1.5"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8.5" fill="{MARK}"/>'
        f'<text class="n" x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" fill="#FFFFFF">'
        f"{number}</text></g>"
    )


def _free_spot(grid: Grid, place: Place) -> tuple[int, int]:
    """A pair of cells beside the place, empty if there is one."""
    texts = texts_of(grid)
    end = place.column + place.length
    beside = [(place.row, end), (place.row, place.column - 2)]
    along = [
        (row, x) for row in (place.row + 1, place.row - 1) for x in range(place.column, end + 1)
    ]
    spots = [*beside, *along]
    inside = [(y, x) for y, x in spots if 0 <= y < len(texts) and -1 <= x <= len(texts[0]) - 1]
    for y, x in inside:
        if not texts[y][max(x, 0) : x + 2].strip():
            return y, x
    return inside[0]
