"""A frame whose colours are written where they change looks as its rows do."""

from __future__ import annotations

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st

from ipcviz.export.colours import ColourWriter

NAMED = ["0", "1", "2", "3", "4", "7", "9", "22", "24", "27", "31", "92", "39", "44", "103", "49"]
IN_FULL = [
    "38;2;1;2;3",
    "48;2;9;8;7",
    "38;5;100",
    "48;5;17",
    "38;5;9;4",
    "1;38;2;4;5;6;48;2;7;8;9",
    "0;1;31",
]
PARAMETERS = st.sampled_from([*NAMED, *IN_FULL, ""])
PARTS = st.one_of(st.sampled_from(["a", "  ", "b c", "-"]), PARAMETERS.map(lambda p: f"\x1b[{p}m"))
ROWS = st.lists(st.lists(PARTS, max_size=8).map(lambda row: "".join(row) + "\x1b[0m"), max_size=3)


def write_rows(rows):
    writer = ColourWriter()
    for y, row in enumerate(rows, 1):
        writer.add_row(row, f"\x1b[{y};1H")
    return "".join(writer.parts)


def show(text):
    screen = pyte.Screen(30, 3)
    pyte.Stream(screen).feed(text)
    found = {}
    for y in range(3):
        for x in range(30):
            cell = screen.buffer[y][x]
            seen = cell if cell.data != " " else cell._replace(fg="", bold=False, italics=False)
            if cell.data == " " and (cell.reverse or cell.underscore or cell.strikethrough):
                seen = cell
            found[x, y] = seen
    return found


@given(ROWS)
@settings(max_examples=300, deadline=None)
def test_a_terminal_shows_the_same(rows):
    plain = "".join(f"\x1b[{y};1H\x1b[0m{row}" for y, row in enumerate(rows, 1))
    assert show(write_rows(rows)) == show(plain)


def test_only_what_changes_is_written():
    row = "\x1b[1;38;2;1;2;3;48;2;4;5;6ma\x1b[0m\x1b[38;2;1;2;3;48;2;4;5;6m \x1b[0m"
    assert write_rows([row]) == "\x1b[1;1H\x1b[1;38;2;1;2;3;48;2;4;5;6ma "
    red, also = "\x1b[31ma\x1b[0m", "\x1b[31mb\x1b[0m"
    assert write_rows([red, also]) == "\x1b[1;1H\x1b[31ma\x1b[2;1Hb"
    assert write_rows(["\x1b[31ma\x1b[0m\x1b[2J\x1b]0;x\x07b"]) == "\x1b[1;1H\x1b[31ma\x1b[0mb"
