"""What a cast's output makes of a screen. What is expected is what xterm and tmux show."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipcviz.export import read_cast
from ipcviz.export.cast import CastEvent
from ipcviz.export.screen import CastScreen
from ipcviz.export.unshown import find_unshown

CASTS = Path(__file__).parents[1] / "casts"


def screen_of(text, columns=10, lines=4):
    screen = CastScreen(columns, lines)
    screen.feed(text)
    return screen


FOUR = "a\r\nb\r\nc\r\nd"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Lines: margins, index and reverse index, insertion, deletion, scrolling.
        (f"{FOUR}\x1b[H\x1bM", ["", "a", "b", "c"]),
        (f"{FOUR}\x1b[2;3r\x1b[2;1H\x1bM", ["a", "", "b", "d"]),
        (f"{FOUR}\x1b[2;3r\x1b[3;1H\n", ["a", "c", "", "d"]),
        (f"{FOUR}\x1b[2;3r\x1b[4;1H\nx", ["a", "b", "c", "x"]),
        (f"{FOUR}\x1b[2;3r\x1b[H\x1bMx", ["x", "b", "c", "d"]),
        (f"{FOUR}\x1b[2;3r\x1b[rx", ["x", "b", "c", "d"]),
        (f"{FOUR}\x1b[2;3r\x1b[4;2H\x1b[3Ax", ["a", "bx", "c", "d"]),
        (f"{FOUR}\x1b[2;3r\x1b[1;2H\x1b[9Bx", ["a", "b", "cx", "d"]),
        (f"{FOUR}\x1b[2H\x1b[2L", ["a", "", "", "b"]),
        (f"{FOUR}\x1b[2H\x1b[Mx", ["a", "x", "d", ""]),
        (f"{FOUR}\x1b[2H\x1b[99M", ["a", "", "", ""]),
        (f"{FOUR}\x1b[S", ["b", "c", "d", ""]),
        (f"{FOUR}\x1b[2T", ["", "", "a", "b"]),
        (f"{FOUR}\x1b[1;1;1;1;1T", ["a", "b", "c", "d"]),
        (f"{FOUR}\x1bEx", ["b", "c", "d", "x"]),
        # Characters.
        ("abcdef\x1b[3G\x1b[2@X", ["abX cdef", "", "", ""]),
        ("abcdef\x1b[3G\x1b[2P", ["abef", "", "", ""]),
        ("abcdef\x1b[3G\x1b[2X", ["ab  ef", "", "", ""]),
        ("abc\x1b[4hx\x1b[1Gy\x1b[4lz", ["yzbcx", "", "", ""]),
        ("ab\x1b[3b", ["abbbb", "", "", ""]),
        ("ab\x1b[31m\x1b[3b", ["ab", "", "", ""]),
        ("abcdefghij\x1b[Kx", ["abcdefghix", "", "", ""]),
        ("abcdefghij\bx", ["abcdefghxj", "", "", ""]),
        ("abcdefghij\x1b[Ax", ["abcdefghix", "", "", ""]),
        ("abcdefghijkl", ["abcdefghij", "kl", "", ""]),
        ("\x1b[?7labcdefghijkl", ["abcdefghil", "", "", ""]),
        ("abc\x1b[1K\x1b[2;1Hx\x1b[1J", ["", "", "", ""]),
        ("a\tb\x1b[Zc", ["a       cb"[:9], "", "", ""]),
        ("\x1b[3G\x1bH\r\tx\x1b[3g\r\ty", ["  x      y", "", "", ""]),
        ("\x1b[2Ix", ["         x", "", "", ""]),
        # Wide characters, and marks.
        ("\N{CJK UNIFIED IDEOGRAPH-4E2D}\x1b[1Gx", ["x", "", "", ""]),
        ("\N{CJK UNIFIED IDEOGRAPH-4E2D}b\x1b[2Gx", [" xb", "", "", ""]),
        (
            "123456789\N{CJK UNIFIED IDEOGRAPH-4E2D}",
            ["123456789", "\N{CJK UNIFIED IDEOGRAPH-4E2D}", "", ""],
        ),
        ("\N{CJK UNIFIED IDEOGRAPH-4E2D}x\x1b[2G\x1b[P", [" x", "", "", ""]),
        ("e\N{COMBINING ACUTE ACCENT}x", ["\N{LATIN SMALL LETTER E WITH ACUTE}x", "", "", ""]),
        ("a\N{ZERO WIDTH JOINER}b", ["a\N{ZERO WIDTH JOINER}b", "", "", ""]),
        ("a\u202eb\u2066c", ["abc", "", "", ""]),
        # Character sets.
        (
            "\x1b(0lqk\x1b(Blqk",
            ["\N{BOX DRAWINGS LIGHT DOWN AND RIGHT}\u2500\u2510lqk", "", "", ""],
        ),
        ("\x1b)0x\x0ex\x0fx", ["x\u2502x", "", "", ""]),
        ("\x1b(0+,-.\x1b(B", ["+,-.", "", "", ""]),
        # The other screen, saved cursors.
        (f"{FOUR}\x1b[?1049h\x1b[Hnew\x1b[?1049lx", ["a", "b", "c", "dx"]),
        (f"{FOUR}\x1b[?1049h\x1b[Hnew", ["new", "", "", ""]),
        (f"{FOUR}\x1b[?47hnew\x1b[?47l", ["a", "b", "c", "d"]),
        (f"{FOUR}\x1b[?1049hnew\x1b[?1049l\x1b[?1049h", ["", "", "", ""]),
        ("ab\x1b7\x1b[4H\x1b8c\x1b8d", ["abd", "", "", ""]),
        ("ab\x1b[s\x1b[4H\x1b[uc", ["abc", "", "", ""]),
        ("ab\x1b7\x1b[?1049h\x1b7\x1b[?1049l\x1b[4H\x1b8c", ["abc", "", "", ""]),
        # Modes.
        ("\x1b[2;3r\x1b[?6hx\x1b[9;1Hy\x1b[?6l\x1b[1;3Hz", ["  z", "x", "y", ""]),
        ("\x1b[?6h\x1b[3dx", ["", "", "x", ""]),
        ("a\x1b[20h\nb", ["a", "b", "", ""]),
        ("a\x1b[?2026hb\x1b[?2004h\x1b[?1000hc", ["abc", "", "", ""]),
        (f"{FOUR}\x1bcx", ["x", "", "", ""]),
        ("\x1b[?6h\x1b[2;3r\x1b[!p\x1b[Hx", ["x", "", "", ""]),
        ("\x1b#8\x1b[2;2H\x1b[K", ["EEEEEEEEEE", "E", "EEEEEEEEEE", "EEEEEEEEEE"]),
        # What shows nothing.
        (
            "a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c\x1bPq#0~\x1b\\d\x1b_Gf=1;x\x1b\\e",
            ["abcde", "", "", ""],
        ),
        ("a\x1b[>4;2mb\x1b[>1uc\x1b[2 qd\x1b[?1$pe\x1b[6nf", ["abcdef", "", "", ""]),
        ("a\x1b%Gb\x1b=c\x1b>d\x1bkname\x1b\\e", ["abcde", "", "", ""]),
        ("a\x1b[3Jb", ["ab", "", "", ""]),
        ("\x1b[\N{SUPERSCRIPT TWO}Jx", ["\N{SUPERSCRIPT TWO}Jx", "", "", ""]),
    ],
)
def test_what_is_shown(text, expected):
    assert screen_of(text).display == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31ma", "\x1b[0;31ma\x1b[0m"),
        ("\x1b[1;3;4;5;7;9ma", "\x1b[0;1;3;4;5;9;7ma\x1b[0m"),
        ("\x1b[1;2;8;53ma\x1b[22;28;55mb", "\x1b[0;1;2;53;8ma\x1b[0mb\x1b[0m"),
        ("\x1b[38;5;196;48;2;1;2;3ma", "\x1b[0;38;5;196;48;2;1;2;3ma\x1b[0m"),
        ("\x1b[38:5:4;48:2::1:2:3ma\x1b[48:2:1:2:3mb", "\x1b[0;38;5;4;48;2;1;2;3mab\x1b[0m"),
        ("\x1b[4:3;58:2::1:2:3ma\x1b[4:0mb", "\x1b[0;4ma\x1b[0mb\x1b[0m"),
        ("\x1b[58;5;1;31ma", "\x1b[0;31ma\x1b[0m"),
        ("\x1b[95;105ma\x1b[39;49mb", "\x1b[0;95;105ma\x1b[0mb\x1b[0m"),
        ("\x1b[>4;1ma\x1b[?4mb", "\x1b[0mab\x1b[0m"),
        ("\x1b[38;5ma\x1b[38;5;999mb", "\x1b[0mab\x1b[0m"),
        ("\x1b[1;44m\x1b[2Ka", "\x1b[0;1;44ma\x1b[0;44m    \x1b[0m"),
        ("\x1b[44m\x1b[2J\x1b[0ma", "\x1b[0ma\x1b[0;44m    \x1b[0m"),
        ("\x1b[?5ha", "\x1b[0;7ma    \x1b[0m"),
        ("\N{CJK UNIFIED IDEOGRAPH-4E2D}b", "\x1b[0m\N{CJK UNIFIED IDEOGRAPH-4E2D}\x1b[3Gb\x1b[0m"),
        ("\x1b7\x1b[31m\x1b8a", "\x1b[0ma\x1b[0m"),
    ],
)
def test_colours_are_painted_as_they_were_asked_for(text, expected):
    assert screen_of(text, 5, 1).format_rows() == [expected]


def test_a_scrolled_line_has_the_colour_of_the_background():
    assert screen_of("a\r\n\x1b[44m\n\x1b[0m", 2, 2).format_rows()[1] == "\x1b[0;44m  \x1b[0m"


def test_the_cursor():
    assert screen_of("ab").place == (3, 1)
    assert screen_of("0123456789").place == (10, 1)
    assert screen_of("\x1b[?25l").place is None
    assert screen_of("\x1b[?25l\x1b[!p").place == (1, 1)


def test_a_part_of_a_screen_can_be_had():
    screen = screen_of(f"{FOUR}\x1b[3H\N{CJK UNIFIED IDEOGRAPH-4E2D}")
    assert [row.replace("\x1b[0m", "") for row in screen.format_rows(1, 2, 1)] == ["b", ""]


def test_another_size():
    screen = screen_of(FOUR)
    screen.resize(2, 5)
    assert screen.display == ["c", "d"]
    screen.resize(3, 12)
    screen.feed("\r\ne\tx")
    assert screen.display == ["c", "d", "e       x"]
    screen = screen_of("a\r\nb\x1b[H")
    screen.resize(1, 10)
    assert screen.display == ["a"]
    screen = screen_of(f"{FOUR}\x1b[?1049hx")
    screen.resize(2, 10)
    screen.feed("\x1b[?1049l")
    assert screen.display == ["a", "b"]


ESCAPES = ["M", "D", "7", "8", "(0", "(B", "c", "]0;x"]
MOVES = [
    "2L",
    "M",
    "2P",
    "@",
    "3X",
    "K",
    "1K",
    "J",
    "1J",
    "r",
    "2;3r",
    "H",
    "2;9H",
    "9C",
    "S",
    "T",
    "9999b",
    "3",
]
MODES = ["?1049h", "?1049l", "?6h", "?7l", "4h", "44m", "1;31m", "0m", "!p"]
SOUP = st.lists(
    st.sampled_from(
        ["a", "\N{CJK UNIFIED IDEOGRAPH-4E2D}", "e\u0301", "hello", *"\r\n\b\t\x07"]
        + [f"\x1b{end}" for end in ESCAPES]
        + [f"\x1b[{end}" for end in MOVES + MODES]
    ),
    max_size=40,
)


@settings(max_examples=150)
@given(SOUP, SOUP, st.integers(1, 12), st.integers(1, 5))
def test_a_state_is_all_that_matters(before, after, columns, lines):
    """Whatever comes, the screen is whole, and goes on from a state as from what led to it."""
    screen = screen_of("".join(before), columns, lines)
    state = screen.copy_state()
    screen.feed("".join(after))
    other = CastScreen(3, 2)
    other.go_to(state)
    other.feed("".join(after))
    assert (other.format_rows(), other.place) == (screen.format_rows(), screen.place)
    assert 0 <= screen.cursor.y < lines
    for row in screen.format_rows():
        assert set(row.replace("\x1b[", "")) & {"\x1b", "\r", "\n", "\x07"} == set()


@pytest.mark.parametrize("name", ["less", "man", "vim", "htop", "tmux"])
def test_real_programs_look_as_tmux_shows_them(name):
    """Recorded in a terminal of 80x24; the text is what tmux had on its screen after the same
    bytes.
    """
    cast = read_cast(CASTS / f"{name}.cast")
    screen = CastScreen(cast.width, cast.height)
    for event in cast.events:
        screen.feed(event.data)
    assert screen.display == (CASTS / f"{name}.txt").read_text().splitlines()


def test_what_can_not_be_shown_is_counted():
    lines = [
        "plain \x1b[31mtext\x1b[0m \x1b]0;title\x07\x1b[?2004h\x1b[>c\x1b[2 q\x1b[>4;2m\x1b[6n",
        "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\ \x1bPq#0~~\x1b\\",
        (
            "\x1b]8;id=1;http://x\x07link\x1b]8;;\x07 \x1b_Gf=24;AAAA\x1b\\"
            " \x1b]1337;File=inline=1:AA\x07"
        ),
        "\x1b#3x\x1b#5\x1b[?3h\x1b[?69h\x1b(K\x1b[2 @ \x1b]4;1;#ff0000\x07 \x1b]4;1;?\x07",
    ]
    found = find_unshown(CastEvent(0, "o", line, number) for number, line in enumerate(lines, 2))
    assert found == [
        ("links (OSC 8)", 2, 3),
        ("sixel pictures", 1, 3),
        ("kitty pictures", 1, 4),
        ("iTerm2 pictures", 1, 4),
        ("lines of double size", 1, 5),
        ("changes to 132 columns", 1, 5),
        ("left and right margins", 1, 5),
        ("national character sets", 1, 5),
        ("control sequences that the player does not know", 1, 5),
        ("changed palettes (OSC 4, 10, 11 ...)", 1, 5),
    ]


def test_all_signs_that_lines_are_drawn_with():
    """DEC special graphics has signs for 0x5f to 0x7e (VT100 User Guide, table 3-9)."""
    signs = "".join(map(chr, range(0x20, 0x7F)))
    (row, *_) = screen_of(f"\x1b(0{signs}", columns=200).format_rows()
    letters = "".join(map(chr, range(0x20, 0x5F)))
    assert row == f"\x1b[0m{letters}\xa0◆▒␉␌␍␊°±░␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·\x1b[0m"
