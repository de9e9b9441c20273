"""Chapters, keys, and what is written to get from one to the other."""

from __future__ import annotations

import pytest

from ipcviz.export import Cast, CastEvent, CastWriter, playing, read_cast
from ipcviz.export.playing import Tape, keys_of
from ipcviz.export.screen import CastScreen


def cast(*events, **options):
    return Cast(
        version=2,
        width=80,
        height=24,
        events=tuple(CastEvent(*event) for event in events),
        **options,
    )


FOREIGN = cast(
    (0, "o", "a"), (1, "m", "one"), (1, "o", "b"), (2, "o", "c"), (4, "m", "two"), (4, "o", "d")
)


@pytest.fixture
def own(tmp_path):
    with open(tmp_path / "x", "wb") as file:
        writer = CastWriter(file, 80, 24, about={"theme": "dark"})
        writer.write_frame(0, ["before"])
        for number in range(1, 4):
            writer.write_marker(number, f"step {number}")
            writer.write_frame(number, [f"frame {number}"])
        writer.write_end(4)
    return read_cast(tmp_path / "x")


def test_chapters_begin_at_markers():
    assert [(c.label, c.first, c.end) for c in tape_of(FOREIGN).chapters] == [
        ("", 0, 1),
        ("one", 1, 4),
        ("two", 4, 6),
    ]


def test_nothing_before_the_first_marker_is_no_chapter():
    silent = cast((0, "i", "x"), (1, "m", "one"), (1, "o", "b"))
    assert [c.label for c in tape_of(silent).chapters] == ["one"]
    assert tape_of(cast((1, "m", "one"), (1, "o", "b"))).first == 1
    assert tape_of(FOREIGN).first == 0


def test_without_markers_there_are_parts_of_five_seconds():
    found = tape_of(cast(*((t, "o", str(t)) for t in (0, 1, 4.9, 5.1, 6, 20, 61.5)))).chapters
    assert [c.label for c in found] == ["from 0:00.0", "from 0:05.1", "from 0:20.0", "from 1:01.5"]
    assert tape_of(cast()).chapters == ()


def test_a_marker_can_do_no_harm():
    found = tape_of(cast((0, "m", "a\x1b]52;c;x\x07\x1b[2J\nb"), (0, "o", "x"))).chapters
    assert found[0].label == "ab"


class Pieces:
    """A cast that comes piece by piece."""

    def __init__(self, cast, size=1):
        self.width, self.height = cast.width, cast.height
        self._events, self._size = list(cast.events), size
        self._count = len(self._events) or 1

    @property
    def complete(self):
        return not self._events

    @property
    def share(self):
        return 1 - len(self._events) / self._count

    def read(self):
        piece, self._events = self._events[: self._size], self._events[self._size :]
        return piece


def tape_of(cast, size=1):
    tape = Tape(Pieces(cast, size))
    arrive(tape)
    return tape


def arrive(tape):
    while not tape.idle:
        tape.do_work(0.001)
    return tape.screen.display[0]


def show(tape, number):
    tape.go_to_chapter(number)
    return arrive(tape)


def test_forward_and_back():
    tape = tape_of(FOREIGN)
    assert (tape.screen.display[0], tape.chapter) == ("a", 0)
    assert (show(tape, 1), tape.chapter) == ("abc", 1)
    assert (show(tape, 2), tape.chapter) == ("abcd", 2)
    assert show(tape, 9) == "abcd"
    assert tape.at_end
    assert show(tape, 1) == "abc"
    assert (show(tape, -5), tape.chapter) == ("a", 0)
    tape.go_to_end()
    assert arrive(tape) == "abcd"


def test_in_our_own_casts_the_frames_are_as_they_were_recorded(own):
    tape = tape_of(own)
    assert tape.screen.display[0] == "before"
    for number in (3, 2, 1, 3, 0):
        assert show(tape, number).startswith(f"frame {number}" if number else "before")
        # The cursor is hidden until the last event, which belongs to the last chapter.
        assert (tape.chapter, tape.screen.place is None) == (number, number < 3)


def test_by_the_clock():
    tape = tape_of(FOREIGN)
    assert (tape.time, tape.next_time) == (0.0, 1.0)
    tape.go_to_time(0.9)
    assert arrive(tape) == "a"
    tape.go_to_time(1.0)
    assert arrive(tape) == "ab"
    assert (tape.time, tape.next_time, tape.chapter) == (1.0, 2.0, 1)
    tape.go_to_time(99)
    assert arrive(tape) == "abcd"
    assert (tape.at_end, tape.next_time) == (True, None)


def test_another_size_on_the_way():
    tape = tape_of(
        cast(
            (0, "o", "a"),
            (1, "m", "x"),
            (1, "r", "100x20"),
            (2, "r", "nonsense"),
            (2, "r", "99999x1"),
        )
    )
    assert show(tape, 1) == "a"
    assert (tape.screen.columns, tape.screen.lines) == (100, 20)
    show(tape, 0)
    assert (tape.screen.columns, tape.screen.lines) == (80, 24)


def long_cast():
    text = "".join(f"\r\n\x1b[{31 + n % 7}mline {n}" for n in range(20))
    return cast(
        *((n / 100, "o", f"{text} of {n}") for n in range(2000)),
        (30, "o", "\x1b[H" + "x" * 100_000),
    )


@pytest.fixture(scope="module")
def long_way():
    return tape_of(long_cast(), 100)


def test_work_comes_in_slices(long_way):
    """Also where everything is one event: no slice takes much longer than it is given."""
    whole = CastScreen(80, 24)
    for event in long_cast().events:
        whole.feed(event.data)
    tape = Tape(Pieces(long_cast(), 100))
    tape.go_to_end()
    slices, shares = 0, []
    while tape.busy:
        before = tape._sizes[tape._scout_at], tape._sizes[tape.place]
        tape.do_work(0.0)
        after = tape._sizes[tape._scout_at], tape._sizes[tape.place]
        # The work of a slice, counted in characters, for a clock is no judge: at most an event, a
        # piece, or a kept way.
        assert after[0] - before[0] <= 3 * (1 << 14)
        slices += 1
        shares.append(tape.share)
    assert slices > 20
    assert shares == sorted(shares)
    assert tape.screen.format_rows() == whole.format_rows()


def test_a_long_way_can_be_given_up():
    tape = Tape(Pieces(long_cast(), 100))
    while not tape.chapters or tape.busy:
        tape.do_work(0.0)
    tape.go_to_end()
    for _ in range(5):
        tape.do_work(0.0)
    assert tape.busy
    tape.stay_here()
    assert not tape.busy
    tape.go_to_chapter(0)
    while tape.busy:
        tape.do_work(0.0)
    assert tape.chapter == 0


def test_each_place_is_the_same_whatever_the_way_there(long_way):
    at_end = show(long_way, 99), long_way.screen.format_rows()
    for number in (2, 0, 3, 1):
        show(long_way, number)
        there = long_way.screen.format_rows()
        straight = CastScreen(80, 24)
        for event in long_cast().events[: long_way.chapters[number].end]:
            straight.feed(event.data)
        assert there == straight.format_rows()
    assert (show(long_way, 99), long_way.screen.format_rows()) == at_end


def test_kept_states_are_bounded(monkeypatch):
    monkeypatch.setattr(playing, "SPACING", 100)
    monkeypatch.setattr(playing, "MOST_CELLS", 80 * 24 * 20)
    tape = tape_of(long_cast(), 100)
    assert 8 <= len(tape._states) <= 21
    assert tape._spacing > 10_000


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b" n\x1b[C\x1bOC\x1b[6~\x1b[B", ["next"] * 6),
        (b"p\x7f\x08\x1b[D\x1bOD\x1b[5~", ["back"] * 6),
        (b"\x1b[H\x1bOH\x1b[1~\x1b[F\x1b[4~", ["first"] * 3 + ["last"] * 2),
        (b"b.sa?q\x11", ["blank", "blank", "play", "play", "?", "q", "q"]),
        (b"g12\r", ["g", "1", "2", "enter"]),
        (b"\x03\x1a\x1b", ["interrupt", "suspend", "escape"]),
        (b"\x1b[200~\x1b[1;5P\x1bx\x01\xff\x1b[<0;1;1M", ["\N{REPLACEMENT CHARACTER}"]),
    ],
)
def test_keys(data, keys):
    assert list(keys_of(data)) == keys
