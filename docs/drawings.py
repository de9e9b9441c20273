"""The drawings of docs/architecture.md: the floors, the way of one event, the three tables.

`python -m docs.make_pictures floors one-event tables` writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Final

_FONT: Final = "system-ui, 'DejaVu Sans', sans-serif"
_MONO: Final = "ui-monospace, 'DejaVu Sans Mono', monospace"
_COLOURS: Final = ("#DCEBF7", "#E3F2E1", "#FFF3D6", "#F7E1E8")
_INK: Final = "#1C232B"
_LINE: Final = "#4A5866"

FLOORS: Final = (
    (("cli", "the command line"),),
    (("app", "the Textual screens and panels"),),
    (("narrate", "event to sentence"), ("export", "casts")),
    (("session", "live or kept, one interface"), ("scenario", "folders to scenarios")),
    (("tracer", "launch, trace, sample; a process of its own"), ("trace", "the SQLite file")),
    (("model", "state, reduce, queries; pure"), ("kernel", "what Linux says")),
    (("events", "the types of the stream"),),
)
"""From the top: the packages of each floor, and what they are."""
WAY: Final = (
    ("kernel", "write(2)", "the thread stops at the entry and at the return"),
    ("tracer", "stops", "entry + return become a Call"),
    ("tracer", "emitter", "numbered, framed as MessagePack, batched"),
    ("session", "live", "a thread unframes it into a deque"),
    ("model", "reduce", "state + Call become a new state"),
    ("narrate", "narrate", "“cat wrote 4,096 bytes to P1”"),
    ("app", "panels", "draw the rows that changed"),
)
"""What happens to one event: on which floor, where, and what it becomes there."""


def draw_floors() -> str:
    """The floors, one above the other, with the way that imports go."""
    height, width, left = 56, 720, 90
    parts = []
    for n, floor in enumerate(FLOORS):
        share = (width - left - 10 * (len(floor) - 1)) / len(floor)
        for i, (name, what) in enumerate(floor):
            x, y = left + i * (share + 10), 20 + n * height
            parts.append(_box(x, y, share, height - 12, _COLOURS[n % len(_COLOURS)]))
            parts.append(_text(x + 14, y + 19, name, bold=True, mono=True))
            parts.append(_text(x + 14, y + 36, what, size=12))
    bottom = 20 + len(FLOORS) * height - 12
    parts.append(_arrow(40, 20, 40, bottom))
    parts.append(_text(18, bottom + 24, "Imports go down only. No Textual or Rich below app."))
    return _whole(width + 20, bottom + 40, "The floors: imports go down only", parts)


def draw_way() -> str:
    """One event from the kernel to the screen."""
    step, left = 58, 150
    parts = []
    for n, (floor, where, what) in enumerate(WAY):
        y = 20 + n * step
        parts.append(_text(16, y + 26, floor, bold=True, mono=True))
        parts.append(_box(left, y, 540, 42, _COLOURS[n % len(_COLOURS)]))
        parts.append(_text(left + 14, y + 26, where, bold=True, mono=True, size=13))
        parts.append(_text(left + 120, y + 26, what, size=13))
        if n + 1 < len(WAY):
            parts.append(_arrow(left + 270, y + 42, left + 270, y + step - 2))
    border = 20 + 3 * step - 8
    parts.append(
        f'<path d="M10 {border}H{left + 285}M{left + 470} {border}H{left + 540}"'
        f' stroke="{_LINE}" stroke-dasharray="6 4"/>'
    )
    parts.append(_text(left + 290, border + 4, "socketpair: another process", size=11))
    return _whole(
        left + 560, 20 + len(WAY) * step + 4, "The way of one event, from the kernel up", parts
    )


def draw_tables() -> str:
    """The kernel's three tables after a fork and a dup2: who shares what."""
    parts = []
    for x, title in ((20, "descriptor tables"), (270, "open file descriptions"), (520, "objects")):
        parts.append(_text(x, 30, title, bold=True))
    tables = (
        ("shell", 50, ("0", "1", "3")),
        ("child: fork, then dup2(3, 1)", 180, ("0", "1", "3")),
    )
    for name, y, numbers in tables:
        parts.append(_text(20, y + 12, name, size=12))
        for n, number in enumerate(numbers):
            parts.append(_box(20, y + 20 + n * 28, 120, 24, _COLOURS[0]))
            parts.append(_text(32, y + 37 + n * 28, f"descriptor {number}", size=12, mono=True))
    middles = (("#1 rw", 86), ("#2 w", 186))
    for name, y in middles:
        parts.append(_box(290, y, 120, 28, _COLOURS[1]))
        parts.append(_text(302, y + 19, name, size=13, mono=True))
    for name, y in (("terminal", 86), ("pipe P1", 186)):
        parts.append(_box(530, y, 120, 28, _COLOURS[2]))
        parts.append(_text(542, y + 19, name, size=13, mono=True))
        parts.append(_arrow(410, y + 14, 528, y + 14))
    ends = ((82, 96), (110, 102), (138, 196), (212, 108), (240, 202), (268, 208))
    parts.extend(_arrow(140, y, 288, end) for y, end in ends)
    parts.append(
        _text(20, 318, "Both processes share #1 and #2: one offset, one set of flags.", size=13)
    )
    return _whole(680, 336, "The kernel's three tables after fork and dup2", parts)


DRAWINGS: Final[dict[str, Callable[[], str]]] = {
    "floors": draw_floors,
    "one-event": draw_way,
    "tables": draw_tables,
}


def _box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="4" fill="{colour}"'
        f' stroke="{_LINE}"/>'
    )


def _text(
    x: float, y: float, text: str, *, bold: bool = False, mono: bool = False, size: int = 14
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    family = _MONO if mono else _FONT
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-family="{family}" fill="{_INK}"'
        f"{weight}>{escape(text, quote=False)}</text>"
    )


def _arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    return (
        f'<path d="M{x:g} {y:g}L{to_x:g} {to_y:g}" stroke="{_LINE}" fill="none"'
        ' marker-end="url(#tip)"/>'
    )


def _whole(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    """The file around a drawing: it has a background, so that it can be read on dark pages."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}"'
        f' width="{width:g}" height="{height:g}" role="img"><title>{escape(title)}</title>'
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{_LINE}"/></marker></defs>'
        f'<rect width="{width:g}" height="{height:g}" rx="6" fill="#FFFFFF"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )
