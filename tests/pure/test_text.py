import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipcviz.app.text import argv_text, bytes_text, clip_text, fit_text, make_visible, measure_width


@pytest.mark.parametrize(
    "text", ["[/foo]", "[pid]", "/proc/[pid]/fd", "[bold]x[/bold]", "$x [on red]"]
)
def test_what_looks_like_markup_stays_as_it_is(text):
    assert make_visible(text) == text
    assert make_visible(text.encode()) == text


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"a\x1b[31mb", "a\\x1b[31mb"),
        (b"two\nlines\r\t\0", "two\\nlines\\r\\t\\0"),
        (b"caf\xc3\xa9 \xff", "café \\xff"),
        ("\udcff", "\\xff"),
        ("\U0010ff80\U0010ffff", "\\x80\\xff"),
        ("\x9b2J", "\\x9b2J"),
        ("a\u202eb\u200bc", "a\\u202eb\\u200bc"),
        (b"C:\\x1b", "C:\\\\x1b"),
        ("日本", "日本"),
    ],
)
def test_what_is_unprintable_is_made_visible(data, shown):
    assert make_visible(data) == shown


def test_lines_can_be_kept():
    assert make_visible(b"a\nb\x07", newline="\n") == "a\nb\\x07"


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_no_control_character_comes_through(data):
    shown = make_visible(data)
    assert shown.isprintable()


@given(st.text(max_size=40), st.integers(0, 30), st.sampled_from(["end", "start", "middle"]))
def test_clip_keeps_within_its_room(text, cells, where):
    shown = clip_text(make_visible(text), cells, where=where)
    assert measure_width(shown) <= cells


@given(st.text(max_size=40), st.integers(0, 30), st.sampled_from(["left", "right", "center"]))
def test_fit_fills_its_room_exactly(text, cells, align):
    assert measure_width(fit_text(make_visible(text), cells, align)) == cells


def test_clip_shows_where_something_is_missing():
    assert clip_text("abcdefgh", 5) == "abcd…"
    assert clip_text("abcdefgh", 5, where="start") == "…efgh"
    assert clip_text("abcdefgh", 5, where="middle") == "ab…gh"
    assert clip_text("日本語", 5) == "日本…"
    assert clip_text("日本語", 4) == "日…"
    assert clip_text("abc", 3) == "abc"
    assert clip_text("abc", 0) == ""


def test_arguments_read_as_typed():
    assert argv_text(("sh", "-c", "cat [/foo] | gzip")) == "sh -c 'cat [/foo] | gzip'"
    assert argv_text(("printf", "a\nb")) == "printf 'a\\nb'"
    assert argv_text(("cat", "FILE"), 6) == "cat F…"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1024, "1K"),
        (65536, "64K"),
        (62029, "60.6K"),
        (1 << 30, "1G"),
        (1 << 50, "1024T"),
    ],
)
def test_amounts_are_short(number, shown):
    assert bytes_text(number) == shown
