"""Traced bytes, paths and arguments as text for the screen.

What an observed program wrote or was given is data: it may hold escape sequences, markup, bytes of
no encoding, characters of two cells or of none. Everything that shows such data shows it through
here. The results are plain text without control characters; they are never markup, so give them to
`rich.text.Text`, `Segment` or `Content`, not to anything that parses tags.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal

from rich.cells import cell_len, set_cell_size

from ipcviz.events.undecoded import byte_of
from ipcviz.narrate.words import (
    bytes_text as bytes_text,
)  # the panels find all that makes text here
from ipcviz.narrate.words import count_text as count_text

ELLIPSIS: Final = "…"

_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0", "\\": "\\\\"}


@lru_cache(maxsize=4096)
def _escape_character(character: str) -> str:
    """One character as it may stand on the screen."""
    if character in _SHORT:
        return _SHORT[character]
    number = ord(character)
    byte = byte_of(character)
    if byte >= 0:  # it was not UTF-8
        return f"\\x{byte:02x}"
    if character.isprintable():
        return character
    # Controls, formats (bidi), surrogates, unassigned, blanks other than a space.
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


class Shown(str):
    """Text that may stand on the screen as it is: what `make_visible` has made, or would leave
    alone.
    """

    __slots__ = ()


def make_visible(data: bytes | str, *, newline: str = "\\n") -> str:
    r"""The data with everything unprintable made visible, as C writes it: `\n`, `\x1b`, `\\`.

    Args:
        data: Bytes as they were traced (UTF-8 where they are), or text.
        newline: What stands for a line feed; give "\n" to keep the lines.

    Returns:
        That, as `Shown`; what is so already is given back, so that nothing is escaped twice.
    """
    if isinstance(data, Shown):
        return data
    text = data.decode("utf-8", "surrogateescape") if isinstance(data, bytes) else data
    if text.isascii() and text.isprintable() and "\\" not in text:
        return Shown(text)
    return Shown("".join(newline if c == "\n" else _escape_character(c) for c in text))


def measure_width(text: str) -> int:
    """Cells that the text takes on the screen."""
    return len(text) if text.isascii() else cell_len(text)


def clip_text(text: str, cells: int, *, where: Literal["end", "start", "middle"] = "end") -> str:
    """The text cut to at most so many cells, with `…` where something is missing.

    Args:
        text: Displayable text.
        cells: Room for it; 0 or less gives an empty text.
        where: What is cut away: the end; the start, for paths; the middle.
    """
    if measure_width(text) <= cells:
        return text
    if cells <= 1:
        return ELLIPSIS if cells == 1 else ""
    if where == "end":
        return set_cell_size(text, cells - 1).rstrip(" ") + ELLIPSIS
    if where == "start":
        return ELLIPSIS + _find_tail(text, cells - 1)
    left = cells // 2
    return set_cell_size(text, left).rstrip(" ") + ELLIPSIS + _find_tail(text, cells - 1 - left)


def _find_tail(text: str, cells: int) -> str:
    """The longest end of the text that fits into so many cells."""
    begin = len(text)
    room = cells
    while begin and room >= measure_width(text[begin - 1]):
        begin -= 1
        room -= measure_width(text[begin])
    return text[begin:]


def fit_text(text: str, cells: int, align: Literal["left", "right", "center"] = "left") -> str:
    """The text clipped or padded with blanks to exactly so many cells."""
    text = clip_text(text, cells)
    room = max(0, cells - measure_width(text))
    if align == "right":
        return " " * room + text
    if align == "center":
        return " " * (room // 2) + text + " " * (room - room // 2)
    return text + " " * room


def argv_text(argv: Sequence[str], cells: int = 0) -> str:
    """An argument vector as one would type it, quoted for sh(1) where needed, clipped to `cells`
    (0: no limit).
    """
    text = " ".join(make_visible(shlex.quote(word)) for word in argv)
    return clip_text(text, cells) if cells else text


def moved_text(number: int, exact: bool) -> str:
    """An amount of bytes that was counted: `64K`; `>=64K` if it is a lower bound, and `?` if none
    was counted then.
    """
    if exact:
        return bytes_text(number)
    return f">={bytes_text(number)}" if number else "?"
