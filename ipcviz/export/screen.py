"""A terminal's screen as plain data: what a cast's output makes of it. Pure.

The cells, the cursor's moves and the tab stops are pyte's. Where it lacks something that
full-screen programs need, or does it otherwise than xterm, that is done here: the other screen,
erasing in the background's colour, margins, saved cursors, characters of two columns, line drawing,
repeated characters, colours as they were asked for.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import lru_cache, partial
from itertools import groupby
from typing import Any, Final, NamedTuple

import pyte
from pyte import modes as mo
from pyte.charsets import VT100_MAP
from pyte.screens import Char, Cursor, Margins, StaticDefaultDict, wcwidth

from ipcviz.export.control import DROPPED, Parser, numbers_of

_Line = StaticDefaultDict[int, Char]

PLAIN_CELL: Final = Char(" ")
_LINE_DRAWING: Final = {code: VT100_MAP[code] for code in range(0x5F, 0x7F)}
"""DEC special graphics."""
_CHARSETS: Final[dict[str, dict[int, str]]] = {
    "0": _LINE_DRAWING,
    "A": {ord("#"): "\N{POUND SIGN}"},
}
_MOST_MARKS: Final = 8
"""Characters without a width that are kept with the one that they belong to."""
_SCREENS: Final = frozenset((47, 1047, 1049))
"""Private modes of the other screen."""


class _Saved(NamedTuple):
    """What DECSC keeps."""

    x: int
    y: int
    attrs: Char
    charsets: tuple[dict[int, str], dict[int, str]]
    shifted: int
    origin: bool


class _Rows(NamedTuple):
    """A screen's cells: of each line what an untouched cell is, and the others up to the last one
    touched.
    """

    rows: tuple[tuple[Char, tuple[Char, ...]], ...]


class ScreenState(NamedTuple):
    """All that a screen is at one moment; lines that are as they were in the state before are
    shared with it.
    """

    size: tuple[int, int]
    front: _Rows
    back: _Rows | None
    cursor: tuple[int, int, Char, bool]
    margins: Margins | None
    mode: frozenset[int]
    saved: tuple[_Saved | None, _Saved | None]
    charsets: tuple[dict[int, str], dict[int, str]]
    shifted: int
    tabstops: frozenset[int]
    last: str
    parser: tuple[str, str, str, bool]


class CastScreen(pyte.Screen):
    """The screen of a terminal.

    Args:
        columns: Its width.
        lines: Its height.
    """

    def __init__(self, columns: int, lines: int) -> None:
        self._back: dict[int, _Line] | None = None
        """The cells of the screen that is not shown; None while that is the other one."""
        self._saved: list[_Saved | None] = [None, None]
        self._charsets: tuple[dict[int, str], dict[int, str]] = ({}, {})
        self._last = ""
        self._cells: dict[Char, _Cells] = {}
        super().__init__(columns, lines)
        self._parser = Parser(self)
        self._handlers: dict[str, Callable[[str], None]] = {
            **{
                key: partial(_call_with_number, getattr(self, name))
                for key, name in WITH_NUMBER.items()
            },
            **{key: getattr(self, f"_{name}") for key, name in WITH_PARAMETERS.items()},
        }

    def feed(self, text: str) -> None:
        """Do what a text says."""
        self._parser.feed(text)

    # What the parser tells of.

    def do_control(self, data: str) -> None:
        """A control of one character."""
        self._last = ""
        if data in "\n\x0b\x0c":
            self.linefeed()
        elif data == "\r":
            self.carriage_return()
        elif data == "\b":
            self.cursor_back()
        elif data == "\t":
            self.tab()
        elif data in "\x0e\x0f":
            self.charset = int(data == "\x0e")

    def do_escape(self, kind: str, final: str) -> None:
        """An escape sequence."""
        self._last = ""
        if kind in ("(", ")"):
            found = _CHARSETS.get(final, {})
            self._charsets = (
                (found, self._charsets[1]) if kind == "(" else (self._charsets[0], found)
            )
        elif kind == "#" and final == "8":
            self.alignment_display()
        elif not kind:
            action = ESCAPES.get(final)
            if action:
                getattr(self, action)()

    def do_sequence(self, key: str, parameters: str) -> None:
        """A control sequence; one that is not known does nothing."""
        handler = self._handlers.get(key)
        if handler is not None:
            handler(parameters)
        self._last = ""

    def do_string(self, kind: str, head: str) -> None:
        """A control string: none shows anything here."""

    # Cells.

    @property
    def default_char(self) -> Char:
        """A cell that nothing was written to."""
        return PLAIN_CELL

    def _make_blank(self) -> Char:
        return _blank_of(self.cursor.attrs.bg)

    def _new_line(self) -> _Line:
        return StaticDefaultDict(self._make_blank())

    def draw(self, data: str) -> None:
        """Write text where the cursor is."""
        charset = self._charsets[self.charset]
        if charset:
            data = data.translate(charset)
        if data.isascii():
            self._write_plain(data)
            return
        for plain, part in groupby(data, str.isascii):
            if plain:
                self._write_plain("".join(part))
            else:
                for c in part:
                    self._write_character(c)

    def _write_plain(self, text: str) -> None:
        """Characters of one column each."""
        cursor, columns = self.cursor, self.columns
        while text:
            self._make_room(1)
            x = cursor.x
            part, text = text[: columns - x], text[columns - x :]
            if text and mo.DECAWM not in self.mode:
                # Each further character replaces the last one of the line.
                part, text = part[:-1] + text[-1], ""
            if mo.IRM in self.mode:
                self.insert_characters(len(part))
            line = self.buffer[cursor.y]
            end = x + len(part)
            _mend_wide_cells(line, x, end)
            cells = self._cells.get(cursor.attrs)
            if cells is None:
                cells = self._cells_of(cursor.attrs)
            line.update(zip(range(x, end), map(cells.__getitem__, part), strict=True))
            cursor.x = end
            self._last = part[-1]

    def _cells_of(self, attrs: Char) -> _Cells:
        if len(self._cells) > 1_000:
            self._cells.clear()
        cells = self._cells[attrs] = _Cells(attrs)
        return cells

    def _write_character(self, c: str) -> None:
        """A character of any width."""
        width = wcwidth(c)
        if width < 0 or c in DROPPED or "\ud800" <= c <= "\udfff":
            return
        if width == 0:
            self._add_mark(c)
            return
        if width == 1:
            self._write_plain(c)
            return
        if self.columns < 2:
            return
        self._make_room(2)
        cursor = self.cursor
        if mo.IRM in self.mode:
            self.insert_characters(2)
        line, x = self.buffer[cursor.y], cursor.x
        _mend_wide_cells(line, x, x + 2)
        line[x] = cursor.attrs._replace(data=c)
        line[x + 1] = cursor.attrs._replace(data="")
        cursor.x = x + 2
        self._last = c

    def _add_mark(self, c: str) -> None:
        """A character without a width belongs to the one before it."""
        x, line = self.cursor.x - 1, self.buffer[self.cursor.y]
        if x > 0 and line[x].data == "":
            x -= 1
        if x >= 0 and len(line[x].data) <= _MOST_MARKS:
            line[x] = line[x]._replace(data=unicodedata.normalize("NFC", line[x].data + c))

    def _make_room(self, width: int) -> None:
        """Make room for a character of so many columns: in the next line, if the cursor is at the
        end of one.
        """
        if self.cursor.x + width > self.columns:
            if mo.DECAWM in self.mode:
                self.cursor.x = 0
                self.index()
            else:
                self.cursor.x = self.columns - width

    def _repeat(self, parameters: str) -> None:
        if self._last:
            self.draw(
                self._last * min(max(1, numbers_of(parameters)[0]), self.columns * self.lines)
            )

    # Lines.

    def _get_region(self) -> Margins:
        return self.margins or Margins(0, self.lines - 1)

    def _scroll_lines(self, top: int, bottom: int, count: int) -> None:
        """Move the lines from `top` to `bottom` up, or down if `count` is negative."""
        height = bottom - top + 1
        count = max(-height, min(count, height))
        lines = [self.buffer[y] for y in range(top, bottom + 1)]
        new = [self._new_line() for _ in range(abs(count))]
        lines = [*lines[count:], *new] if count > 0 else [*new, *lines[: height + count]]
        self.buffer.update(zip(range(top, bottom + 1), lines, strict=True))

    def index(self) -> None:
        """The next line, scrolling at the bottom margin."""
        self._keep_in_line()
        top, bottom = self._get_region()
        if self.cursor.y == bottom:
            self._scroll_lines(top, bottom, 1)
        elif self.cursor.y < self.lines - 1:
            self.cursor.y += 1

    def linefeed(self) -> None:
        """The next line; its beginning with LNM."""
        self.index()
        if mo.LNM in self.mode:
            self.carriage_return()

    def next_line(self) -> None:
        """The beginning of the next line (NEL)."""
        self.index()
        self.carriage_return()

    def reverse_index(self) -> None:
        """The line before, scrolling at the top margin (RI)."""
        self._keep_in_line()
        top, bottom = self._get_region()
        if self.cursor.y == top:
            self._scroll_lines(top, bottom, -1)
        elif self.cursor.y > 0:
            self.cursor.y -= 1

    def insert_lines(self, count: int | None = None) -> None:
        """Move the lines from the cursor's on down (IL)."""
        top, bottom = self._get_region()
        if top <= self.cursor.y <= bottom:
            self._scroll_lines(self.cursor.y, bottom, -(count or 1))
            self.carriage_return()

    def delete_lines(self, count: int | None = None) -> None:
        """Move the lines below the cursor up (DL)."""
        top, bottom = self._get_region()
        if top <= self.cursor.y <= bottom:
            self._scroll_lines(self.cursor.y, bottom, count or 1)
            self.carriage_return()

    def insert_characters(self, count: int | None = None) -> None:
        """Move the rest of the line to the right (ICH)."""
        self._move_characters(count or 1)

    def delete_characters(self, count: int | None = None) -> None:
        """Move the rest of the line to the left (DCH)."""
        self._move_characters(-(count or 1))

    def _move_characters(self, by: int) -> None:
        self._keep_in_line()
        x, line = self.cursor.x, self.buffer[self.cursor.y]
        room = self.columns - x
        by = max(-room, min(by, room))
        _mend_wide_cells(line, x, x if by > 0 else x - by)
        cells = [line[at] for at in range(x, self.columns)]
        blanks = [self._make_blank()] * abs(by)
        cells = [*blanks, *cells[: room - by]] if by > 0 else [*cells[-by:], *blanks]
        if wcwidth(cells[-1].data[:1] or " ") == 2:
            cells[-1] = _blank_of(cells[-1].bg)  # half of it is gone
        line.update(zip(range(x, self.columns), cells, strict=True))

    # Erasing.

    def _erase_cells(self, y: int, begin: int, end: int) -> None:
        if begin <= 0 and end >= self.columns:
            self.buffer[y] = self._new_line()
            return
        line = self.buffer[y]
        _mend_wide_cells(line, begin, end)
        line.update(dict.fromkeys(range(begin, end), self._make_blank()))

    def erase_characters(self, count: int | None = None) -> None:
        """Erase so many from the cursor on (ECH)."""
        self._keep_in_line()
        self._erase_cells(
            self.cursor.y, self.cursor.x, min(self.cursor.x + (count or 1), self.columns)
        )

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        """Erase from the cursor on (0), up to it (1), or all (2) (EL)."""
        self._keep_in_line()
        spans = {0: (self.cursor.x, self.columns), 1: (0, self.cursor.x + 1), 2: (0, self.columns)}
        if how in spans:
            self._erase_cells(self.cursor.y, *spans[how])

    def erase_in_display(self, how: int = 0, *args: Any, **kwargs: Any) -> None:
        """Erase from the cursor on (0), up to it (1), or all (2) (ED); 3 would erase what was
        scrolled away.
        """
        y = self.cursor.y
        spans = {0: range(y + 1, self.lines), 1: range(y), 2: range(self.lines)}
        for row in spans.get(how, ()):
            self.buffer[row] = self._new_line()
        if how in (0, 1):
            self.erase_in_line(how)

    def alignment_display(self) -> None:
        """Fill the screen with E (DECALN)."""
        self.margins = None
        self.cursor_position()
        for y in range(self.lines):
            self.buffer[y] = StaticDefaultDict(Char("E"))

    # The cursor.

    def _keep_in_line(self) -> None:
        """After the last character of a line the cursor is beyond it, until something else than
        text comes.
        """
        if self.cursor.x >= self.columns:
            self.cursor.x = self.columns - 1

    def cursor_up(self, count: int | None = None) -> None:
        """Up, to the top margin at most if it is below it (CUU)."""
        self._keep_in_line()
        top = self._get_region().top
        self.cursor.y = max(self.cursor.y - (count or 1), top if self.cursor.y >= top else 0)

    def cursor_down(self, count: int | None = None) -> None:
        """Down, to the bottom margin at most if it is above it (CUD)."""
        self._keep_in_line()
        bottom = self._get_region().bottom
        self.cursor.y = min(
            self.cursor.y + (count or 1), bottom if self.cursor.y <= bottom else self.lines - 1
        )

    def cursor_forward(self, count: int | None = None) -> None:
        """To the right (CUF)."""
        self._keep_in_line()
        super().cursor_forward(count)

    def cursor_position(self, line: int | None = None, column: int | None = None) -> None:
        """To a place, from 1; with origin mode from the top margin, and within the margins
        (CUP).
        """
        self.cursor.x = min(max(1, column or 1), self.columns) - 1
        self.cursor_to_line(line)

    def cursor_to_line(self, line: int | None = None) -> None:
        """To a line, from 1 (VPA)."""
        self._keep_in_line()
        top, bottom = self._get_region() if mo.DECOM in self.mode else Margins(0, self.lines - 1)
        self.cursor.y = min(top + max(1, line or 1) - 1, bottom)

    def tab(self) -> None:
        """To the next tab stop, or to the end of the line."""
        if self.cursor.x < self.columns:
            super().tab()

    def _tabs(self, parameters: str) -> None:
        for _ in range(min(max(1, numbers_of(parameters)[0]), self.columns)):
            self.tab()

    def _tabs_back(self, parameters: str) -> None:
        self._keep_in_line()
        for _ in range(min(max(1, numbers_of(parameters)[0]), self.columns)):
            self.cursor.x = max((stop for stop in self.tabstops if stop < self.cursor.x), default=0)

    def save_cursor(self) -> None:
        """Keep the cursor of the screen that is shown (DECSC)."""
        cursor = self.cursor
        origin = mo.DECOM in self.mode
        self._saved[self._back is not None] = _Saved(
            cursor.x, cursor.y, cursor.attrs, self._charsets, self.charset, origin
        )

    def restore_cursor(self) -> None:
        """Back to the cursor that was kept; at the beginning, if none was (DECRC)."""
        saved = self._saved[self._back is not None] or _Saved(0, 0, PLAIN_CELL, ({}, {}), 0, False)
        self.cursor.x, self.cursor.y = min(saved.x, self.columns), min(saved.y, self.lines - 1)
        self.cursor.attrs, self._charsets, self.charset = saved.attrs, saved.charsets, saved.shifted
        self.mode.discard(mo.DECOM)
        if saved.origin:
            self.mode.add(mo.DECOM)

    # Modes.

    def set_margins(self, top: int | None = None, bottom: int | None = None) -> None:
        """Which lines scroll, from 1; all without parameters (DECSTBM)."""
        first, last = (top or 1) - 1, min(bottom or self.lines, self.lines) - 1
        if first < last:
            self.margins = None if (first, last) == (0, self.lines - 1) else Margins(first, last)
            self.cursor_position()

    def _switch_modes(self, parameters: str, *, on: bool) -> None:
        for number in numbers_of(parameters):
            if number in (mo.IRM, mo.LNM):
                (self.mode.add if on else self.mode.discard)(number)

    def _private_modes(self, parameters: str, *, on: bool) -> None:
        for number in numbers_of(parameters):
            if number in _SCREENS:
                self._show_screen(number, other=on)
            elif number == 1048:
                (self.save_cursor if on else self.restore_cursor)()
            else:
                (self.mode.add if on else self.mode.discard)(number << 5)
                if number == 25:
                    self.cursor.hidden = not on
                elif number == 6:
                    self.cursor_position()

    def _show_screen(self, number: int, *, other: bool) -> None:
        """Show the other screen, or the first one; 1049 keeps the cursor, and clears the other one
        before.
        """
        if other and number == 1049:
            self.save_cursor()
        if other == (self._back is None):
            if not other and number == 1047:
                self.erase_in_display(2)
            shown = dict(self.buffer)
            self.buffer.clear()
            if other:
                self._back = shown
            else:
                assert self._back is not None
                self.buffer.update(self._back)
                self._back = None
        if other and number == 1049:
            self.erase_in_display(2)
        if not other and number == 1049:
            self.restore_cursor()

    def reset(self) -> None:
        """As it was at the beginning (RIS)."""
        self._back, self._saved, self._charsets, self._last = None, [None, None], ({}, {}), ""
        super().reset()

    def _soft_reset(self, parameters: str) -> None:
        """Modes, margins and colours as at the beginning (DECSTR)."""
        self.mode.difference_update((mo.IRM, mo.DECOM))
        self.mode.update((mo.DECAWM, mo.DECTCEM))
        self.margins, self._charsets, self.charset = None, ({}, {}), 0
        self.cursor.attrs, self.cursor.hidden = PLAIN_CELL, False
        self._saved[self._back is not None] = None

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Give the terminal another size; lines below the cursor go first, then those at its
        top.
        """
        lines, columns = lines or self.lines, columns or self.columns
        cut = max(0, self.cursor.y - (lines - 1))
        for number, buffer in enumerate((self.buffer, self._back)):
            if buffer is None:
                continue
            up = cut if number == 0 else 0
            kept = {
                y - up: buffer[y] for y in range(up, min(up + lines, self.lines)) if y in buffer
            }
            for line in kept.values():
                for x in [x for x in line if x >= columns]:
                    del line[x]
                if line and wcwidth(line[columns - 1].data[:1] or " ") == 2:
                    line[columns - 1] = _blank_of(line[columns - 1].bg)
            buffer.clear()
            buffer.update(kept)
        self.tabstops |= {stop for stop in range(8, columns, 8) if stop >= self.columns}
        self.lines, self.columns, self.margins = lines, columns, None
        self.cursor.y -= cut
        self._keep_in_line()

    # Control sequences, by the names in `WITH_PARAMETERS`.

    def _set_modes(self, parameters: str) -> None:
        self._switch_modes(parameters, on=True)

    def _reset_modes(self, parameters: str) -> None:
        self._switch_modes(parameters, on=False)

    def _set_private_modes(self, parameters: str) -> None:
        self._private_modes(parameters, on=True)

    def _reset_private_modes(self, parameters: str) -> None:
        self._private_modes(parameters, on=False)

    def _colour(self, parameters: str) -> None:
        self.cursor.attrs = _with_rendition(self.cursor.attrs, parameters)

    def _set_region(self, parameters: str) -> None:
        self.set_margins(*numbers_of(parameters)[:2])

    def _place(self, parameters: str) -> None:
        self.cursor_position(*numbers_of(parameters)[:2])

    def _scroll_up(self, parameters: str) -> None:
        self._scroll_lines(*self._get_region(), max(1, numbers_of(parameters)[0]))

    def _scroll_down(self, parameters: str) -> None:
        # With five parameters it begins to follow the mouse (xterm).
        if parameters.count(";") < 4:
            self._scroll_lines(*self._get_region(), -max(1, numbers_of(parameters)[0]))

    def _save(self, parameters: str) -> None:
        if not parameters:
            self.save_cursor()

    def _restore(self, parameters: str) -> None:
        if not parameters:
            self.restore_cursor()

    # What it shows.

    def format_rows(self, first: int = 0, count: int = 0, columns: int = 0) -> list[str]:
        """Lines as text with colours (SGR), plain at its end; nothing else of a terminal's language
        is in it.

        After a character whose width terminals may disagree on, the column of the next one is given
        (CHA).

        Args:
            first: The first line, from 0.
            count: How many lines at most; 0 for all.
            columns: How many columns at most; 0 for all.
        """
        reverse = mo.DECSCNM in self.mode
        last = min(self.lines, first + (count or self.lines))
        width = min(self.columns, columns or self.columns)
        return [
            self._format_row(self.buffer[y], width, reverse=reverse) for y in range(first, last)
        ]

    def _format_row(self, line: _Line, width: int, *, reverse: bool) -> str:
        if not line and line.default == PLAIN_CELL and not reverse:
            return ""
        cells = [line[x] for x in range(width)]
        if width < self.columns and line[width].data == "":
            cells[-1] = _blank_of(cells[-1].bg)  # half of a character is beyond the edge
        while cells and cells[-1] == PLAIN_CELL and not reverse:
            cells.pop()
        parts: list[str] = []
        x = 0
        for look, run in groupby(cells, _get_style):
            parts.append(_sgr_of(look, reverse))
            for cell in run:
                x += 1
                parts.append(cell.data)
                if not cell.data.isascii() and (len(cell.data) > 1 or wcwidth(cell.data) != 1):
                    parts.append(f"\x1b[{x + wcwidth(cell.data[0])}G")
        return f"{''.join(parts)}\x1b[0m"

    @property
    def display(self) -> list[str]:
        """Each line as text without colours, without spaces at its end."""
        lines = (self.buffer[y] for y in range(self.lines))
        return ["".join(line[x].data for x in range(self.columns)).rstrip() for line in lines]

    @property
    def place(self) -> tuple[int, int] | None:
        """Column and row of the cursor, from 1; None if it is hidden."""
        if self.cursor.hidden:
            return None
        return min(self.cursor.x, self.columns - 1) + 1, self.cursor.y + 1

    # States.

    def copy_state(self, before: ScreenState | None = None) -> ScreenState:
        """All that it is now.

        Args:
            before: An earlier state, with which equal lines are shared.
        """
        cursor = self.cursor
        return ScreenState(
            size=(self.columns, self.lines),
            front=_keep_rows(self.buffer, self.lines, before.front if before else None),
            back=(
                None
                if self._back is None
                else _keep_rows(self._back, self.lines, before.back if before else None)
            ),
            cursor=(cursor.x, cursor.y, cursor.attrs, cursor.hidden),
            margins=self.margins,
            mode=frozenset(self.mode),
            saved=(self._saved[0], self._saved[1]),
            charsets=self._charsets,
            shifted=self.charset,
            tabstops=frozenset(self.tabstops),
            last=self._last,
            parser=self._parser.state,
        )

    def go_to(self, state: ScreenState) -> None:
        """Become what it was."""
        self.columns, self.lines = state.size
        self.buffer.clear()
        self.buffer.update(_lines_of(state.front))
        self._back = None if state.back is None else _lines_of(state.back)
        x, y, attrs, hidden = state.cursor
        self.cursor = Cursor(x, y, attrs)
        self.cursor.hidden = hidden
        self.margins, self.mode, self.tabstops = state.margins, set(state.mode), set(state.tabstops)
        self._saved, self._charsets = list(state.saved), state.charsets
        self.charset, self._last, self._parser.state = state.shifted, state.last, state.parser


class _Cells(dict[str, Char]):
    """Cells of one look, by their character: the same character in the same look is one object."""

    def __init__(self, attrs: Char) -> None:
        super().__init__()
        self._attrs = attrs

    def __missing__(self, c: str) -> Char:
        cell = self[c] = self._attrs._replace(data=c)
        return cell


def _mend_wide_cells(line: _Line, begin: int, end: int) -> None:
    """What is left of characters of two columns when the columns from `begin` to before `end` are
    overwritten.
    """
    if line[begin].data == "" and begin:
        line[begin - 1] = _blank_of(line[begin - 1].bg)
        line[begin] = _blank_of(line[begin].bg)
    if line[end].data == "":
        line[end] = _blank_of(line[end].bg)


def _keep_rows(buffer: dict[int, _Line], lines: int, before: _Rows | None) -> _Rows:
    rows: list[tuple[Char, tuple[Char, ...]]] = []
    for y in range(lines):
        line = buffer.get(y)
        row: tuple[Char, tuple[Char, ...]] = (PLAIN_CELL, ())
        if line is not None:
            row = (line.default, tuple(line[x] for x in range(max(line, default=-1) + 1)))
        if before is not None and y < len(before.rows) and before.rows[y] == row:
            row = before.rows[y]
        rows.append(row)
    return _Rows(tuple(rows))


def _lines_of(rows: _Rows) -> dict[int, _Line]:
    found: dict[int, _Line] = {}
    for y, (default, cells) in enumerate(rows.rows):
        line = found[y] = StaticDefaultDict(default)
        line.update(enumerate(cells))
    return found


# Looks. A cell's colours are the parameters of SGR that ask for them, so that they are painted as
# they were asked for: which colour number 4 is, the terminal knows. What pyte has no place for
# (faint, concealed, overlined) stands before the foreground's colour and a bar.

_FLAGS: Final = (
    ("bold", "1"),
    ("italics", "3"),
    ("underscore", "4"),
    ("blink", "5"),
    ("strikethrough", "9"),
)
_ON: Final = {
    1: "bold",
    3: "italics",
    4: "underscore",
    5: "blink",
    6: "blink",
    9: "strikethrough",
    21: "underscore",
}
_OFF: Final = {
    22: "bold",
    23: "italics",
    24: "underscore",
    25: "blink",
    29: "strikethrough",
    27: "reverse",
}
_MORE: Final = {2: "2", 8: "8", 53: "53"}
_LESS: Final = {22: "2", 28: "8", 55: "53"}


def _get_style(cell: Char) -> tuple[object, ...]:
    return cell[1:]


@lru_cache(maxsize=4096)
def _blank_of(bg: str) -> Char:
    """What is left where something was erased: the background's colour alone."""
    return Char(" ", bg=bg)


@lru_cache(maxsize=4096)
def _sgr_of(look: tuple[object, ...], reverse: bool) -> str:
    attrs = Char("", *look)  # type: ignore[arg-type]
    more, bar, colour = attrs.fg.rpartition("|")
    parts = ["0", *(number for name, number in _FLAGS if getattr(attrs, name))]
    if attrs.reverse != reverse:
        parts.append("7")
    parts += [
        part for part in (more if bar else "", colour, attrs.bg) if part not in ("", "default")
    ]
    return f"\x1b[{';'.join(parts)}m"


@lru_cache(maxsize=4096)
def _with_rendition(attrs: Char, parameters: str) -> Char:
    """What a cell's look becomes by SGR; unknown parameters change nothing."""
    more, _, colour = attrs.fg.rpartition("|")
    extra = {part for part in more.split(";") if part}
    flags: dict[str, bool] = {}
    bg = attrs.bg
    parts = parameters.split(";")[:64]
    at = 0
    while at < len(parts):
        first, *inner = parts[at].split(":")
        number = int(first[:6] or 0)
        at += 1
        if number in (38, 48, 58):
            found, used = _colour_of(inner or parts[at : at + 4], nested=bool(inner))
            at += 0 if inner else used
            if found and number == 38:
                colour = f"38;{found}"
            elif found and number == 48:
                bg = f"48;{found}"
        elif number == 0:
            flags, extra, colour, bg = (
                dict.fromkeys(("reverse", *_OFF.values()), False),
                set(),
                "default",
                "default",
            )
        elif number in _ON:
            flags[_ON[number]] = inner[:1] != ["0"]
        elif number == 7:
            flags["reverse"] = True
        elif number in _MORE:
            extra.add(_MORE[number])
        elif number in _OFF or number in _LESS:
            if number in _OFF:
                flags[_OFF[number]] = False
            extra.discard(_LESS.get(number, ""))
        elif 30 <= number <= 37 or 90 <= number <= 97:
            colour = str(number)
        elif 40 <= number <= 47 or 100 <= number <= 107:
            bg = str(number)
        elif number == 39:
            colour = "default"
        elif number == 49:
            bg = "default"
    fg = f"{';'.join(sorted(extra))}|{colour}" if extra else colour
    return attrs._replace(data=" ", fg=fg, bg=bg, **flags)


def _colour_of(parts: list[str], *, nested: bool) -> tuple[str, int]:
    """A colour by number or by its shares of red, green and blue, and how many parameters it
    took.
    """
    numbers = [int(part[:4]) if part[:4].isdecimal() else 0 for part in parts]
    if numbers[:1] == [5] and len(numbers) > 1:
        return (f"5;{numbers[1]}" if numbers[1] <= 255 else ""), 2
    if numbers[:1] == [2]:
        if nested and len(numbers) > 4:
            del numbers[1]  # the colour space
        shares = numbers[1:4]
        if len(shares) == 3 and max(shares) <= 255:
            return "2;" + ";".join(map(str, shares)), 4
        return "", 4
    return "", 1


def _call_with_number(method: Callable[[int], None], parameters: str) -> None:
    method(numbers_of(parameters)[0])


WITH_NUMBER: Final = {
    "@": "insert_characters", "A": "cursor_up", "B": "cursor_down", "C": "cursor_forward",
    "D": "cursor_back",
    "E": "cursor_down1", "F": "cursor_up1", "G": "cursor_to_column", "J": "erase_in_display",
    "K": "erase_in_line",
    "L": "insert_lines", "M": "delete_lines", "P": "delete_characters", "X": "erase_characters",
    "`": "cursor_to_column", "a": "cursor_forward", "d": "cursor_to_line", "e": "cursor_down",
    "g": "clear_tab_stop",
    "?J": "erase_in_display", "?K": "erase_in_line",
}  # fmt: skip
"""The control sequences of one number that change the screen, and what is done with it."""

WITH_PARAMETERS: Final = {
    "H": "place", "I": "tabs", "S": "scroll_up", "T": "scroll_down", "Z": "tabs_back",
    "^": "scroll_down",
    "b": "repeat", "f": "place", "h": "set_modes", "l": "reset_modes", "m": "colour",
    "r": "set_region", "s": "save",
    "u": "restore", "?h": "set_private_modes", "?l": "reset_private_modes", "!p": "soft_reset",
}  # fmt: skip
"""The others that change the screen."""

ESCAPES: Final = {
    "c": "reset", "D": "index", "E": "next_line", "H": "set_tab_stop", "M": "reverse_index",
    "7": "save_cursor",
    "8": "restore_cursor",
}  # fmt: skip
"""The escape sequences that change the screen."""
