"""Traced text in cells: control characters made visible, widths kept."""

from __future__ import annotations

import re
from typing import Final

from rich.cells import cell_len, set_cell_size

# Controls, and what turns the reading direction or shows nothing: they would let a name lie about itself.
_UNSEEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def _visible(found: re.Match[str]) -> str:
    code = ord(found.group())
    if code < 0x20 or code == 0x7F:
        return f"^{chr(code ^ 0x40)}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def displayable(text: str, width: int | None = None, *, right: bool = False) -> str:
    """Text as it can be shown.

    Args:
        text: Anything; it is data, never markup.
        width: Make it exactly so many cells wide; what does not fit is cut, and a `~` put in its place.
        right: Put the padding in front.

    Returns:
        The text without control characters.
    """
    if not text.isprintable():
        text = _UNSEEN.sub(_visible, text)
    if width is None:
        return text
    if width <= 0:
        return ""
    length = len(text) if text.isascii() else cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "~"
    padding = " " * (width - length)
    return padding + text if right else text + padding


def wrap(text: str, width: int) -> list[str]:
    """Displayable text in lines of at most `width` cells, broken at spaces where that is possible."""
    width = max(1, width)
    lines: list[str] = []
    line = ""
    for word in displayable(text).split(" "):
        while cell_len(word) > width:
            if line:
                lines.append(line)
                line = ""
            cut = width
            while cell_len(word[:cut]) > width:
                cut -= 1
            lines.append(word[: max(cut, 1)])
            word = word[max(cut, 1) :]
        if not line:
            line = word
        elif cell_len(line) + 1 + cell_len(word) <= width:
            line = f"{line} {word}"
        else:
            lines.append(line)
            line = word
    lines.append(line)
    return lines


_LEVELS: Final = " ▁▂▃▄▅▆▇█"


def spark(values: list[int | None], top: int) -> str:
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


def gauge(value: int, top: int, width: int) -> tuple[str, str]:
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
