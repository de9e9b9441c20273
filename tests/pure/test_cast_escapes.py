"""What of a text may go to a terminal, and how output is taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcviz.export.control import Parser
from ipcviz.export.escapes import keep_colours


@pytest.mark.parametrize(
    "text",
    [
        "plain, \N{WATCH}\N{COMBINING DIAERESIS}",
        "\x1b[m\x1b[0m\x1b[1;38;2;1;2;3m\x1b[38:2::1:2:3m",
    ],
)
def test_text_and_colours_pass(text):
    assert keep_colours(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "\x1b]52;c;ZXZpbA==\x07",  # writes the clipboard
        "\x1b]52;c;ZXZpbA==\x1b\\",
        "\x1b]0;title\x9c",
        "\x1bP+q544e\x1b\\",  # asks, and the answer is typed into the shell
        "\x1b^private\x1b\\\x1b_program\x1b\\\x1bXstring\x1b\\\x1bkname\x1b\\",
        "\x1b[6n\x1b[5n\x1b[c\x1b[>c\x1b[=c\x1b[0q\x1b[>q\x1b[18t\x1b[21t\x1b[?1$p",
        "\x1b[3J\x1b[2J\x1b[H\x1b[5A\x1b[K\x1b[?25l\x1b[?1049h",
        "\x1b[?1000h\x1b[?1006h\x1b[?2004h\x1b[?1h\x1b[?3h\x1b[?47h\x1b[4h\x1b[20h",
        "\x1b[>4;2m\x1b[>1u\x1b[=1u\x1b[<u\x1b[?4m",  # keyboard modes that look like colours
        "\x1b[1;5r\x1b[!p\x1b[2 q\x1b[1S\x1b[1T\x1b[i\x1b[5i",
        "\x1bc\x1b7\x1b8\x1b=\x1b>\x1bM\x1bD\x1bN\x1b(0\x1b)0\x1b%G\x1b#8\x1b F",
        "\x07\x05\x0e\x0f\x00\x0b\x0c\x7f\x11\x13\t\r\n\b",
        "\x80\x84\x85\x8e\x90\x9b\x9c\x9d",
        "\u202e\u2066\u2069\u2028\ud800",
        "\x1b[" + "1;" * 200 + "m",
    ],
)
def test_anything_else_is_dropped(text):
    assert keep_colours(text) == ""
    assert keep_colours(f"a{text}b") == "ab"


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("\x1b[31\x1b[32mx", "\x1b[32mx"),
        ("\x1b\x1b[32mx", "\x1b[32mx"),
        ("\x1b]0;t\x1b[32mx", "\x1b[32mx"),
        ("\x1b[31\N{WATCH}", "\N{WATCH}"),
        ("\x1b]0;" + "a" * 100_000, ""),
        ("\x1b[" + "1" * 100_000, ""),
        ("\x1b[3\r1mx", "\x1b[31mx"),
    ],
)
def test_a_sequence_that_is_cut_short_takes_nothing_with_it(text, rest):
    assert keep_colours(text) == rest


class Heard:
    """Notes what a parser tells of; neighbouring texts are one."""

    def __init__(self):
        self.parts = []

    def draw(self, data):
        if self.parts and self.parts[-1][0] == "draw":
            data = self.parts.pop()[1] + data
        self.parts.append(("draw", data))

    def do_control(self, data):
        self.parts.append(("control", data))

    def do_escape(self, kind, final):
        self.parts.append(("escape", kind, final))

    def do_sequence(self, key, parameters):
        self.parts.append(("sequence", key, parameters))

    def do_string(self, kind, head):
        self.parts.append(("string", kind, head))


PIECES = st.sampled_from([*"a\x1b[]P?;hlmJ3:>\\\x07\n\x9b(\x18kq", "25", "1049"])


@given(st.lists(PIECES, max_size=30), st.data())
def test_it_does_not_matter_where_a_stream_is_cut(pieces, data):
    text = "".join(pieces)
    whole, cut = Heard(), Heard()
    Parser(whole).feed(text)
    parser, rest = Parser(cut), text
    while rest:
        length = data.draw(st.integers(1, len(rest)))
        parser.feed(rest[:length])
        rest = rest[length:]
    assert cut.parts == whole.parts


@given(
    st.text(
        alphabet=st.one_of(st.sampled_from("\x1b[]?;0123456789hlmJP\x07\x9b\\"), st.characters()),
        max_size=60,
    )
)
def test_whatever_comes_only_complete_colours_go(text):
    rest = keep_colours(text)
    assert keep_colours(rest) == rest
    while "\x1b" in rest:
        _, _, rest = rest.partition("\x1b")
        end = next(at for at, c in enumerate(rest[1:], 1) if c > "?")
        assert rest[0] + rest[end] == "[m"
        rest = rest[end + 1 :]
    assert not any(c < " " or "\x7f" <= c <= "\x9f" for c in rest)
