"""Chapters, keys, and what is written to get from one to the other."""

from __future__ import annotations

import io

import pytest

from ipcviz.export import Cast, CastEvent, CastWriter, read_cast
from ipcviz.export.playing import Tape, chapters_of, keys_of, size_of


def cast(*events, **options):
    return Cast(version=2, width=80, height=24, events=tuple(CastEvent(*event) for event in events), **options)


FOREIGN = cast((0, "o", "a"), (1, "m", "one"), (1, "o", "b"), (2, "o", "c"), (4, "m", "two"), (4, "o", "d"))


@pytest.fixture
def own(tmp_path):
    with open(tmp_path / "x", "wb") as file:
        writer = CastWriter(file, 80, 24, about={"theme": "dark"})
        writer.frame(0, ["before"])
        for number in range(1, 4):
            writer.marker(number, f"step {number}")
            writer.frame(number, [f"frame {number}"])
        writer.end(4)
    return read_cast(tmp_path / "x")


def test_chapters_begin_at_markers():
    assert [(c.label, c.first, c.end) for c in chapters_of(FOREIGN)] == [("", 0, 1), ("one", 1, 4), ("two", 4, 6)]


def test_nothing_before_the_first_marker_is_no_chapter():
    assert [c.label for c in chapters_of(cast((0, "i", "x"), (1, "m", "one"), (1, "o", "b")))] == ["one"]
    assert Tape(cast((1, "m", "one"), (1, "o", "b"))).first == 1
    assert Tape(FOREIGN).first == 0


def test_without_markers_there_are_parts_of_five_seconds():
    found = chapters_of(cast(*((t, "o", str(t)) for t in (0, 1, 4.9, 5.1, 6, 20, 61.5))))
    assert [c.label for c in found] == ["from 0:00.0", "from 0:05.1", "from 0:20.0", "from 1:01.5"]
    assert chapters_of(cast()) == ()


def test_a_marker_can_do_no_harm():
    found = chapters_of(cast((0, "m", "a\x1b]52;c;x\x07\x1b[2J\nb"), (0, "o", "x")))
    assert found[0].label == "ab"


def test_forward_is_played_and_back_begins_anew():
    tape = Tape(FOREIGN)
    assert tape.go(0) == "a"
    assert tape.go(1) == "bc"
    assert tape.chapter == 1
    assert tape.go(2) == "d"
    assert tape.go(9) == ""
    assert tape.at_end
    assert tape.go(1) == "\x1b[0m\x1b[H\x1b[2Jabc"
    assert tape.go(-5) == "\x1b[0m\x1b[H\x1b[2Ja"
    assert tape.chapter == 0


def test_in_our_own_casts_a_frame_stands_for_all_before_it(own):
    tape = Tape(own)
    tape.go(3)
    text = tape.go(2)
    assert "frame 2" in text
    assert "frame 1" not in text
    assert "before" in tape.go(0)
    assert tape.chapter == 0


def test_the_terminal_is_never_left_for_the_shells_screen():
    tape = Tape(cast((0, "o", "a\x1b[?1049lb\x1b[?25;1049hc")))
    assert tape.go(0) == "a\x1b[0m\x1b[H\x1b[2Jb\x1b[0m\x1b[H\x1b[2Jc"


def test_event_by_event():
    tape = Tape(FOREIGN)
    tape.go(0)
    assert tape.wait() == 1.0
    assert tape.step() == ""
    assert tape.chapter == 1
    assert tape.wait() == 0.0
    assert tape.step() == "b"
    assert tape.wait() == 1.0
    while not tape.at_end:
        tape.step()
    assert (tape.step(), tape.wait()) == ("", 0.0)


def test_a_size_that_grows_is_reckoned_with():
    assert size_of(cast((0, "r", "100x20"), (1, "r", "90x40"), (2, "r", "nonsense"))) == (100, 40)


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b" n\x1b[C\x1bOC\x1b[6~\x1b[B", ["next"] * 6),
        (b"p\x7f\x08\x1b[D\x1bOD\x1b[5~", ["back"] * 6),
        (b"\x1b[H\x1bOH\x1b[1~\x1b[F\x1b[4~", ["first"] * 3 + ["last"] * 2),
        (b"b.sa?q", ["blank", "blank", "play", "play", "?", "q"]),
        (b"g12\r", ["g", "1", "2", "enter"]),
        (b"\x03\x1a\x1b", ["interrupt", "suspend", "escape"]),
        (b"\x1b[200~\x1b[1;5P\x1bx\x01\xff\x1b[<0;1;1M", ["\N{REPLACEMENT CHARACTER}"]),
    ],
)
def test_keys(data, keys):
    assert list(keys_of(data)) == keys


def test_writers_and_readers_agree(own):
    assert own.whole_frames
    assert not read_cast_of(b'{"version":2,"width":1,"height":1}\n').whole_frames


def read_cast_of(data):
    from ipcviz.export.reading import _Reader

    return _Reader(io.BytesIO(data), strict=False).read()
