"""Casts as files: what is written, what is read, and what is wrong, with its line."""

from __future__ import annotations

import io
import json

import pytest

from ipcviz.export import (
    CastError,
    CastReader,
    CastTheme,
    CastWriter,
    check_cast,
    read_cast,
    reading,
)

HEADER = {"version": 2, "width": 80, "height": 24}
HEADER_3 = {"version": 3, "term": {"cols": 80, "rows": 24}}


def written(**options):
    file = io.BytesIO()
    return CastWriter(file, 4, 2, **options), file


def lines_of(file):
    return [json.loads(line) for line in file.getvalue().splitlines()]


def kept(tmp_path, *lines, end="\n"):
    path = tmp_path / "x.cast"
    data = b"\n".join(
        line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines
    )
    path.write_bytes(data + end.encode())
    return path


def test_a_chapter_is_its_marker_and_then_its_frame():
    writer, file = written(
        title="a\nb",
        look=CastTheme("#ffffff", "#000000", ("#000000",) * 8),
        about={"theme": "dark"},
    )
    assert writer.write_frame(0, ["ab", "cd"])
    writer.write_marker(2, "x\x1b[31m wrote\t1 byte")
    assert writer.write_frame(2, ["ab", "\x1b[1mce\x1b[0m"])
    writer.write_end(4)
    header, first, marker, frame, end = lines_of(file)
    assert header["title"] == "a b"
    assert header["theme"] == {
        "fg": "#ffffff",
        "bg": "#000000",
        "palette": ":".join(["#000000"] * 8),
    }
    assert "timestamp" not in header
    assert first == [0.0, "o", "\x1b[H\x1b[2J\x1b[?25l\x1b[?7l\x1b[0m\x1b[1;1Hab\x1b[2;1Hcd\x1b[0m"]
    assert marker == [2.0, "m", "x [31m wrote 1 byte"]
    assert frame == [
        2.0,
        "o",
        "\x1b[?25l\x1b[?7l\x1b[0m\x1b[1;1Hab\x1b[2;1H\x1b[1mce\x1b[0m",
    ]
    assert end == [4.0, "o", "\x1b[0m\x1b[?7h\x1b[?25h"]
    assert writer.size == len(file.getvalue())


def test_an_equal_frame_is_not_written_again():
    writer, file = written()
    assert writer.write_frame(0, ["a"])
    assert not writer.is_different(["a"])
    assert not writer.write_frame(1, ["a"])
    assert writer.frames == 1
    assert len(lines_of(file)) == 2


def test_a_frame_holds_nothing_but_text_and_colours():
    writer, file = written()
    writer.write_frame(0, ["\x1b]8;id=1;http://x\x1b\\a\x1b]8;;\x1b\\\x1b[2J\r\n\x07\x1b[31mb"])
    assert lines_of(file)[1][2].endswith("\x1b[1;1Ha\x1b[31mb\x1b[0m")


def test_times_never_decrease():
    writer, file = written()
    writer.write_frame(3, ["a"])
    writer.write_marker(1, "late")
    assert [event[0] for event in lines_of(file)[1:]] == [3.0, 3.0]


def test_what_is_written_is_good(tmp_path):
    writer, file = written(look=CastTheme("#ffffff", "#000000", ("#000000",) * 16))
    writer.write_frame(0, ["\N{WATCH}"])
    writer.write_end(1)
    path = tmp_path / "x"
    path.write_bytes(file.getvalue())
    cast = check_cast(path)
    assert (cast.version, cast.width, cast.height, cast.duration) == (2, 4, 2, 1.0)


def test_version_3_has_intervals_comments_and_an_exit_status(tmp_path):
    path = kept(
        tmp_path,
        HEADER_3,
        [1, "o", "a"],
        b"# a comment",
        [0.5, "m", "x"],
        [0.25, "r", "90x30"],
        [0, "x", "0"],
    )
    cast = check_cast(path)
    assert [event.t for event in cast.events] == [1.0, 1.5, 1.75, 1.75]
    assert (cast.version, cast.width, cast.height) == (3, 80, 24)


GOOD = [0, "o", "a"]


BAD = [
    ([b""], 1, "not JSON"),
    ([[]], 1, "begins with a header"),
    ([b"\xef\xbb\xbf{}"], 1, "byte order mark"),
    ([{"width": 80, "height": 24}], 1, "no 'version'"),
    ([{**HEADER, "version": 1}], 0, "'stdout'"),
    ([{**HEADER, "version": 1, "stdout": [[0, "a"], [1]]}], 0, "array of two"),
    ([b"{", b'"version": 2, "width": 8, "height": 2}', GOOD], 1, "not JSON"),
    ([b"{", b'"version": 2, "width": 8, "height": 2}'], 1, "stand on one line"),
    ([{**HEADER, "version": 4}], 1, "1, 2 or 3"),
    ([{**HEADER, "version": "2"}], 1, "1, 2 or 3"),
    ([{"version": 2, "height": 24}], 1, "no 'width'"),
    ([{**HEADER, "width": "80"}], 1, "'width' must be"),
    ([{**HEADER, "width": 0}], 1, "'width' must be"),
    ([{**HEADER, "height": True}], 1, "'height' must be"),
    ([{**HEADER, "height": 100_000}], 1, "'height' must be"),
    ([{"version": 3, "width": 80, "height": 24}], 1, "'term'"),
    ([{"version": 3, "term": {"cols": 80}}], 1, "no 'rows'"),
    ([{**HEADER, "title": 1}], 1, "'title'"),
    ([{**HEADER, "timestamp": 1.5}], 1, "'timestamp'"),
    ([{**HEADER, "idle_time_limit": "2"}], 1, "'idle_time_limit'"),
    ([{**HEADER, "env": {"TERM": 1}}], 1, "'env'"),
    ([{**HEADER, "theme": "dark"}], 1, "'theme'"),
    ([{**HEADER, "theme": {"fg": "red", "bg": "#000000", "palette": ""}}], 1, "'fg'"),
    (
        [{**HEADER, "theme": {"fg": "#000000", "bg": "#000000", "palette": "#000000:#ffffff"}}],
        1,
        "8 or 16",
    ),
    ([HEADER, GOOD, b"[1, NaN"], 3, "not JSON"),
    ([HEADER, GOOD, b'[NaN, "o", "a"]'], 3, "not JSON"),
    ([HEADER, GOOD, b'[1e999, "o", "a"]'], 3, "number without end"),
    ([HEADER, GOOD, b'[1, "o", "\xff"]'], 3, "not UTF-8"),
    ([HEADER, GOOD, b'[1, "o", "\\ud800"]'], 3, "half of a surrogate pair"),
    ([HEADER, b'[1, "o", "\\ud83d"]', b'[1, "o", "\\ude00"]'], 2, "half of a surrogate pair"),
    ([HEADER, b'[0, "o", "\xe4"]'], 2, "not UTF-8"),
    ([HEADER, b"[" * 5000], 2, "not JSON"),
    ([HEADER, GOOD, b"", GOOD], 3, "line is empty"),
    ([HEADER, GOOD, b"# no comments here"], 3, "not JSON"),
    ([HEADER, {"a": 1}], 2, "array of three"),
    ([HEADER, [0, "o"]], 2, "array of three"),
    ([HEADER, ["0", "o", "a"]], 2, "number of seconds"),
    ([HEADER, [True, "o", "a"]], 2, "number of seconds"),
    ([HEADER, [-1, "o", "a"]], 2, "negative"),
    ([HEADER, [2, "o", "a"], [1, "o", "b"]], 3, "before that of the event above"),
    ([HEADER, [1e8, "o", "a"]], 2, "beyond"),
    ([HEADER, [0, 1, "a"]], 2, "must be texts"),
    ([HEADER, [0, "o", None]], 2, "must be texts"),
    ([HEADER, [0, "q", "a"]], 2, "there are only"),
    ([HEADER, [0, "x", "0"]], 2, "there are only"),
    ([HEADER, GOOD, [1, "r", "80"]], 3, "such as 80x24"),
    ([HEADER, GOOD, [1, "r", "0x24"]], 3, "such as 80x24"),
    ([HEADER_3, GOOD, [1, "x", "no"]], 3, "exit status"),
    ([HEADER_3, [-0.1, "o", "a"]], 2, "negative"),
    ([HEADER, [0, "m", "a"]], 0, "nothing to show"),
    ([HEADER], 0, "nothing to show"),
    ([b"SQLite format 3\0"], 0, "ipcviz replay"),
]


@pytest.mark.parametrize(("lines", "number", "words"), BAD)
def test_what_is_wrong_is_said_with_its_line(tmp_path, lines, number, words):
    with pytest.raises(CastError) as error:
        check_cast(kept(tmp_path, *lines))
    assert error.value.line == number
    assert words in error.value.message


def test_an_empty_file_and_none(tmp_path):
    with pytest.raises(CastError, match="empty"):
        check_cast(kept(tmp_path, end=""))
    with pytest.raises(CastError, match="No such file"):
        check_cast(tmp_path / "none")


def test_sizes_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr("ipcviz.export.reading.LONGEST_LINE", 1000)
    with pytest.raises(CastError, match="longer") as error:
        check_cast(kept(tmp_path, HEADER, [0, "o", "x" * 1000]))
    assert error.value.line == 2
    monkeypatch.setattr("ipcviz.export.reading.MOST_BYTES", 1000)
    with pytest.raises(CastError, match="larger"):
        check_cast(kept(tmp_path, HEADER, *[[0, "o", "x" * 100]] * 20))
    monkeypatch.setattr("ipcviz.export.reading.MOST_EVENTS", 2)
    with pytest.raises(CastError, match="more than 2 events"):
        check_cast(kept(tmp_path, HEADER, GOOD, GOOD, GOOD))


def test_what_can_be_played_is_played(tmp_path):
    path = kept(
        tmp_path,
        HEADER,
        [2, "o", "a"],
        b"",
        [1, "o", "b"],
        [3, "q", ""],
        [4, "o", "c"],
        b'[5, "o", "cut o',
    )
    cast = read_cast(path)
    assert [(event.t, event.data) for event in cast.events] == [(2.0, "a"), (2.0, "b"), (4.0, "c")]
    assert (
        cast.trouble == "line 3: the line is empty; 3 more of its lines are not as they should be"
    )
    with pytest.raises(CastError, match="no 'width'"):
        read_cast(kept(tmp_path, {"version": 2}, GOOD))


def test_what_check_refuses_play_says(tmp_path):
    """One reader: whatever is wrong, and wherever, the same is told by both."""
    for lines, *_ in BAD:
        path = kept(tmp_path, *lines)
        with pytest.raises(CastError) as error:
            check_cast(path)
        try:
            said = read_cast(path).trouble
        except CastError as refused:
            said = refused.message
        if "nothing to show" not in error.value.message:
            assert error.value.message.partition(":")[0] in said


NULLS = dict.fromkeys(
    ("title", "command", "idle_time_limit", "duration", "timestamp", "env", "theme")
)


def test_null_in_a_header_is_as_good_as_nothing(tmp_path):
    for header in ({**HEADER, **NULLS}, {**HEADER, "env": {"SHELL": None}}, {**HEADER_3, **NULLS}):
        path = kept(tmp_path, header, GOOD)
        assert check_cast(path).title == ""
        assert read_cast(path).trouble == ""
    with pytest.raises(CastError, match="no 'width'"):
        read_cast(kept(tmp_path, {**HEADER, "width": None}, GOOD))


@pytest.mark.parametrize("indent", [None, 2])
def test_version_1_is_one_document_on_a_line_or_on_many(tmp_path, indent):
    path = tmp_path / "x.json"
    header = {
        "version": 1,
        "width": 80,
        "height": 24,
        "duration": 1.5,
        "command": None,
        "title": "t",
        "env": {},
    }
    path.write_text(json.dumps({**header, "stdout": [[0.5, "a"], [1, "b\u20ac"]]}, indent=indent))
    for cast in (check_cast(path), read_cast(path)):
        assert (cast.version, cast.width, cast.title, cast.trouble) == (1, 80, "t", "")
        assert [(event.t, event.data) for event in cast.events] == [(0.5, "a"), (1.5, "b\u20ac")]


EURO = "\u20ac".encode()


@pytest.mark.parametrize(
    ("first", "second", "texts"),
    [
        (b"\\ud83d", b"\\ude00", ["a", "\U0001f600b"]),
        (b"\\ud83d", b"x", ["a", "\ufffdxb"]),
        (b"\\ude00", b"x", ["a\ufffd", "xb"]),
        (EURO[:1], EURO[1:], ["a", "\u20acb"]),
        (EURO[:2], EURO[2:], ["a", "\u20acb"]),
        (EURO[:2], b"x", ["a", "\ufffdxb"]),
        (b"\xff", b"x", ["a\ufffd", "xb"]),
        (b"\xe4", b"x", ["a", "\ufffdxb"]),
    ],
)
def test_what_a_recorder_cut_in_two_is_joined(tmp_path, first, second, texts):
    events = (
        b'[0, "o", "a' + first + b'"]',
        b'[0, "i", "between"]',
        b'[0, "o", "' + second + b'b"]',
    )
    cast = read_cast(kept(tmp_path, HEADER, *events))
    assert [event.data for event in cast.events if event.code == "o"] == texts
    assert cast.trouble.startswith("line 2: it ")


def test_it_is_read_in_pieces(tmp_path):
    path = kept(tmp_path, HEADER, *[[number, "o", "x" * 100] for number in range(3000)])
    with CastReader(path) as reader:
        sizes, shares = [], []
        while not reader.complete:
            sizes.append(len(reader.read()))
            shares.append(reader.share)
    assert sum(sizes) == 3000
    assert max(sizes) < 700
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_bounds_are_what_they_say(tmp_path, monkeypatch):
    """What is just within is read, one more is not."""
    line = b'[1.0, "o", "x"]'
    path = kept(tmp_path, HEADER, line, line)
    size = path.stat().st_size
    for name, most in (
        ("LONGEST_LINE", len(json.dumps(HEADER)) + 1),
        ("MOST_BYTES", size),
        ("MOST_EVENTS", 2),
    ):
        monkeypatch.setattr(reading, name, most)
        with CastReader(path) as reader:
            assert len(reader.read()) == 2, name
            assert reader.trouble == ""
        monkeypatch.undo()
    for name, most, words in (
        (
            "MOST_BYTES",
            size - 1,
            "line 3: the file is larger than 0 MiB; what follows is not shown",
        ),
        ("MOST_EVENTS", 1, "line 3: there are more than 1 events; what follows is not shown"),
    ):
        monkeypatch.setattr(reading, name, most)
        with CastReader(path) as reader:
            assert len(reader.read()) == 1, name
            assert reader.trouble == words
        monkeypatch.undo()


def test_how_much_is_wrong_and_how_much_was_read(tmp_path):
    path = kept(tmp_path, HEADER, b"no", [1.0, "o", "x"], b"neither", b"")
    with CastReader(path) as reader:
        assert (reader.seekable, reader.complete) == (True, False)
        assert 0 < reader.share < 1
        assert len(reader.read()) == 1
        assert (reader.complete, reader.share) == (True, 1.0)
        assert reader.trouble.startswith("line 2: ")
        assert reader.trouble.endswith("; 2 more of its lines are not as they should be")


def test_a_trace_and_a_byte_order_mark_are_no_cast(tmp_path):
    for data, words in (
        (b"SQLite format 3\0...", "it is a trace and no cast"),
        (b"\xef\xbb\xbf{}\n", "line 1: it begins with a byte order mark"),
    ):
        path = tmp_path / "x"
        path.write_bytes(data)
        with pytest.raises(CastError) as caught:
            CastReader(path)
        assert str(caught.value).startswith(words) or words in f"line 1: {caught.value}"
