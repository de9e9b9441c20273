"""What a command wrote, as lines."""

from __future__ import annotations

import pytest

from ipcviz.app.terminal import COLUMNS_KEPT, LINES_KEPT, Terminal


def lines(*chunks: bytes) -> list[str]:
    terminal = Terminal()
    for chunk in chunks:
        terminal.feed(chunk)
    return terminal.list_last_lines(100)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"one\r\ntwo\r\n", ["one", "two"]),
        (b"10%\r50%\r100%\r\n", ["100%"]),
        (b"long line\rshort\n", ["shortline"]),
        (b"a\tb\n", ["a       b"]),
        (b"ab\bc\n", ["ac"]),
        (b"\x1b[1;31mred\x1b[0m\n", ["red"]),
        (b"\x1b]0;title\x07text\n", ["text"]),
        (b"\x1b]52;c;ZXZpbA==\x1b\\text\n", ["text"]),
        (b"\x1b(Btext\x1b7\x1b8\n", ["text"]),
        (b"bell\x07 nul\x00\n", ["bell nul^@"]),
        (b"\xff\xfe\n", ["\ufffd\ufffd"]),
        ("\u202eevil\u202c\n".encode(), ["\ufffdevil\ufffd"]),
        (b"unfinished", ["unfinished"]),
        (b"a\n\nb\n", ["a", "", "b"]),
    ],
)
def test_lines(data, expected):
    assert lines(data) == expected


def test_a_sequence_cut_anywhere_is_still_left_out():
    data = b"x\x1b[38;5;196mred\x1b]0;t\x1b\\\x1b[0my\xc3\xa9\n"
    for cut in range(len(data)):
        assert lines(data[:cut], data[cut:]) == ["xredy\u00e9"], cut


def test_memory_is_bounded_whatever_comes():
    terminal = Terminal()
    for _ in range(20):
        terminal.feed(b"y\n" * 32768)
        terminal.feed(b"x" * 100_000)
    assert len(terminal.lines) <= LINES_KEPT * 1.2
    assert len(terminal.current) <= COLUMNS_KEPT
    assert terminal.forgotten + len(terminal.lines) == 20 * 32768
    assert terminal.bytes == 20 * (65536 + 100_000)


def test_an_escape_that_never_ends_does_not_hold_everything_back():
    terminal = Terminal()
    terminal.feed(b"\x1b]" + b"a" * 10_000)
    terminal.feed(b"\nafter\n")
    assert terminal.list_last_lines(1) == ["after"]


def test_what_was_dropped_is_said():
    terminal = Terminal()
    terminal.feed(b"tail\n", dropped=1_000_000)
    assert terminal.list_last_lines(2) == ["[1,000,000 bytes were not kept]", "tail"]
