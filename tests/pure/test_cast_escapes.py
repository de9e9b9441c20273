"""What a cast may send to a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcviz.export.escapes import Harmless


def passed(text, **options):
    return Harmless(**options).feed(text)


@pytest.mark.parametrize(
    "text",
    [
        "plain, \N{WATCH}\N{COMBINING DIAERESIS} and tabs\t\r\n\b",
        "\x1b[m\x1b[0m\x1b[1;38;2;1;2;3m\x1b[38:2::1:2:3m",
        "\x1b[H\x1b[3;4H\x1b[3;4f\x1b[5A\x1b[B\x1b[C\x1b[D\x1b[E\x1b[F\x1b[7G\x1b[7d",
        "\x1b[J\x1b[0J\x1b[1J\x1b[2J\x1b[K\x1b[1K\x1b[2K\x1b[4X",
        "\x1b[?25l\x1b[?25h\x1b[?7l\x1b[?1049h\x1b[?1049l\x1b[?2026h\x1b[?2026l",
    ],
)
def test_what_paints_passes(text):
    assert passed(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "\x1b]52;c;ZXZpbA==\x07",  # writes the clipboard
        "\x1b]52;c;ZXZpbA==\x1b\\",
        "\x1b]0;title\x9c",
        "\x1bP+q544e\x1b\\",  # asks, and the answer is typed into the shell
        "\x1b^private\x1b\\\x1b_program\x1b\\\x1bXstring\x1b\\",
        "\x1b[6n\x1b[5n\x1b[c\x1b[>c\x1b[=c\x1b[0q\x1b[>q\x1b[18t\x1b[21t\x1b[?1$p",
        "\x1b[3J",  # erases what was scrolled away
        "\x1b[?1000h\x1b[?1006h\x1b[?2004h\x1b[?1h\x1b[?3h\x1b[?47h\x1b[4h\x1b[20h",
        "\x1b[>4;2m\x1b[>1u\x1b[=1u\x1b[<u\x1b[?4m",  # keyboard modes that look like colours
        "\x1b[1;5r\x1b[!p\x1b[2 q\x1b[1S\x1b[1T\x1b[i\x1b[5i",
        "\x1bc\x1b7\x1b8\x1b=\x1b>\x1bM\x1bD\x1bN\x1b(0\x1b)0\x1b%G\x1b#8\x1b F",
        "\x07\x05\x0e\x0f\x00\x0b\x0c\x7f\x11\x13",
        "\x80\x84\x85\x8e\x90\x9b\x9c\x9d",
        "\u202e\u2066\u2069",
        "\x1b[" + "1;" * 200 + "m",
    ],
)
def test_anything_else_is_dropped(text):
    assert passed(text).translate({ord("\t"): None}) == ""
    assert passed(f"a{text}b") == "ab"


def test_of_several_modes_those_pass_that_may():
    assert passed("\x1b[?1000;25;2004;7l") == "\x1b[?25;7l"


def test_a_sequence_that_is_cut_short_takes_nothing_with_it():
    assert passed("\x1b[31\nx") == "\nx"
    assert passed("\x1b[31\x1b[32mx") == "\x1b[32mx"
    assert passed("\x1b\x1b[32mx") == "\x1b[32mx"
    assert passed("\x1b]0;t\x1b[32mx") == "\x1b[32mx"
    assert passed("\x1b[31\N{WATCH}") == "\N{WATCH}"


def test_what_has_no_end_is_never_shown():
    assert passed("\x1b]0;" + "a" * 100_000) == ""
    assert passed("\x1b[" + "1" * 100_000) == ""


def test_without_moves_only_text_and_colours_pass():
    assert passed("a\r\n\x1b[31mb\x1b[2J\x1b[H\x1b[?25lc", moves=False) == "a\x1b[31mbc"


PIECES = st.sampled_from(
    [
        "a",
        "\x1b",
        "[",
        "]",
        "P",
        "?",
        "25",
        ";",
        "1049",
        "h",
        "l",
        "m",
        "J",
        "3",
        ":",
        ">",
        "\\",
        "\x07",
        "\n",
        "\x9b",
        "(",
    ]
)


@given(st.lists(PIECES, max_size=30), st.data())
def test_it_does_not_matter_where_a_stream_is_cut(pieces, data):
    text = "".join(pieces)
    whole = passed(text)
    cut, rest = Harmless(), text
    found = ""
    while rest:
        length = data.draw(st.integers(1, len(rest)))
        found += cut.feed(rest[:length])
        rest = rest[length:]
    assert found == whole
    assert passed(whole) == whole, "what is harmless stays as it is"


ALLOWED = {"m", "H", "f", "A", "B", "C", "D", "E", "F", "G", "d", "`", "J", "K", "X", "h", "l"}


@given(st.text(alphabet=st.one_of(st.sampled_from("\x1b[]?;0123456789hlmJP\x07\x9b\\"), st.characters()), max_size=60))
def test_whatever_comes_only_complete_known_sequences_go(text):
    rest = passed(text)
    while "\x1b" in rest:
        _, _, rest = rest.partition("\x1b")
        assert rest[0] == "["
        end = next(at for at, c in enumerate(rest[1:], 1) if c > "?")
        assert rest[end] in ALLOWED
        rest = rest[end + 1 :]
    assert not any((c < " " and c not in "\b\t\n\r") or "\x7f" <= c <= "\x9f" for c in rest)
