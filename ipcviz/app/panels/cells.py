"""Sentences, levels and gauges in cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len

from ipcviz.app.text import Shown, make_visible, measure_width


def wrap_text(text: str, width: int) -> list[str]:
    """Displayable text in lines of at most `width` cells, broken at spaces where that is
    possible.
    """
    width = max(1, width)
    lines: list[str] = []
    line = ""
    for word in make_visible(text).split(" "):
        *pieces, word = chop_text(word, width) if cell_len(word) > width else [word]
        if pieces:
            lines.extend([line, *pieces] if line else pieces)
            line = ""
        if not line:
            line = word
        elif cell_len(line) + 1 + cell_len(word) <= width:
            line = f"{line} {word}"
        else:
            lines.append(line)
            line = word
    lines.append(line)
    return [Shown(line) for line in lines]


def chop_text(text: str, width: int) -> list[str]:
    """Text in pieces of at most `width` cells, wherever that cuts it."""
    if text.isascii():
        return [text[at : at + width] for at in range(0, len(text), width)] or [""]
    pieces, piece, used = [], "", 0
    for character in text:
        size = cell_len(character)
        if used + size > width and piece:
            pieces.append(piece)
            piece, used = "", 0
        piece += character
        used += size
    return [*pieces, piece]


def choose_widths(need: Sequence[int], least: Sequence[int], room: int) -> list[int]:
    """Widths of columns, in cells: what their content needs; if that is too much, the one that is
    widest above its least gives way first, and at last the last ones get nothing. What is over
    goes to the last column: it is the one that grows.

    Args:
        need: The cells that each column's content has.
        least: The cells that each column has at least, where there is room for them.
        room: The cells that all of them have, without what is between them.
    """
    sizes = list(need)
    while (over := sum(sizes) - room) > 0:
        widest = max(range(len(sizes)), key=lambda n: (sizes[n] - least[n], n))
        if sizes[widest] > least[widest]:
            sizes[widest] -= 1
            continue
        last = max((n for n, size in enumerate(sizes) if size), default=0)
        if not sizes[last]:
            break
        sizes[last] = max(0, sizes[last] - over)
    sizes[-1] += max(0, room - sum(sizes))
    return sizes


def measure_columns(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """The cells that the texts of each column take, displayable as they are, with its heading."""
    columns = zip(*(heads, *rows), strict=True)
    return [max(measure_width(make_visible(text)) for text in column) for column in columns]


_LEVELS: Final = " ▁▂▃▄▅▆▇█"


def format_sparkline(values: list[int | None], top: int) -> str:
    """A line of levels from 0 to `top`, a column each; `.` where nothing is known."""
    shown = []
    for value in values:
        if value is None:
            shown.append(".")
        elif value <= 0 or top <= 0:
            shown.append("▁" if value == 0 else " ")
        else:
            shown.append(_LEVELS[min(8, 1 + value * 7 // top)])
    return "".join(shown)


def format_gauge(value: int, top: int, width: int) -> tuple[str, str]:
    """The filled and the empty part of a gauge, together `width` cells.

    Never empty while a byte waits, never full while one more would fit.
    """
    if top <= 0:
        return "", "-" * width
    filled = min(width, value * width // top)
    if value > 0 and filled == 0:
        filled = 1
    if value < top and filled == width:
        filled = width - 1
    return "█" * filled, "░" * (width - filled)
