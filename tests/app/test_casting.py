"""Casts of traces: what is in them is what the screen showed."""

from __future__ import annotations

import io
import itertools
import threading

import pyte
import pytest

from ipcviz.app import casting
from ipcviz.app.casting import Wanted, choose_steps, make_cast
from ipcviz.app.chapters import CastStep, list_steps
from ipcviz.events import Call, Exited, Finished, Forked
from ipcviz.export import Cast, read_cast
from ipcviz.scenario import find_scenario
from tests import fakes
from tests.seen import texts_of

SCENARIO = find_scenario("sleep-race")


@pytest.fixture
def rows(monkeypatch):
    """The rows of the app's screen at each frame, as plain text."""
    seen = []
    drawn = casting._draw_frame

    async def frame(app):
        found = await drawn(app)
        seen.append(texts_of(app))
        return found

    monkeypatch.setattr(casting, "_draw_frame", frame)
    return seen


def made(tmp_path, events, wanted=Wanted(hold=1.0), scenario=None, title="the title"):  # noqa: B008 - it is frozen
    path = tmp_path / "x.cast"
    with path.open("wb") as file:
        result = make_cast(lambda: iter(events), file, wanted, title=title, scenario=scenario)
    return result, path


def replayed(cast: Cast):
    """What a terminal shows right before each marker, and at the end."""
    screen = pyte.Screen(cast.width, cast.height)
    stream = pyte.Stream(screen)
    for event in cast.events:
        if event.code == "m":
            yield list(screen.display)
        else:
            stream.feed(event.data)
    yield list(screen.display)


@pytest.mark.parametrize(
    ("events", "scenario", "wanted"),
    [
        (fakes.sleep_race(), SCENARIO, Wanted(hold=1.0, every_step=True)),
        (fakes.pipeline(), None, Wanted(hold=0.5, width=120, height=36, theme="light", last=12)),
    ],
)
def test_a_terminal_shows_at_every_marker_what_the_screen_showed(
    tmp_path, rows, events, scenario, wanted
):
    result, path = made(tmp_path, events, wanted, scenario)
    cast = read_cast(path)
    assert (cast.width, cast.height) == (wanted.width, wanted.height)
    shown = list(replayed(cast))
    steps = len(list_steps(events))
    assert result.shown == tuple(range(1, min(steps, wanted.last or steps) + 1))
    assert len(shown) == len(result.shown) + 1
    assert shown == rows
    markers = [event for event in cast.events if event.code == "m"]
    assert [marker.t for marker in markers] == [wanted.hold * n for n in range(1, len(markers) + 1)]
    for number, (marker, frame) in enumerate(zip(markers, shown[1:], strict=True), 1):
        assert frame[-1].startswith(f" {number}/{steps} {marker.data}"[: cast.width - 2])
    after = [event for event in cast.events if event.t > markers[-1].t]
    assert [event.code for event in after] == ["o"], (
        "a player stops before the last marker, and has something to end at"
    )


def test_the_cursor_and_the_wrapping_are_given_back(tmp_path):
    _, path = made(tmp_path, fakes.sleep_race())
    cast = read_cast(path)
    screen = pyte.Screen(80, 24)
    pyte.Stream(screen).feed("".join(event.data for event in cast.events if event.code == "o"))
    assert pyte.modes.DECAWM in screen.mode
    assert not screen.cursor.hidden


def test_roles_and_numbers_by_birth_stand_for_what_the_kernel_says(tmp_path):
    _, path = made(tmp_path, fakes.sleep_race(), scenario=SCENARIO)
    text = path.read_text()
    pids = {event.pid for event in fakes.sleep_race() if isinstance(event, Call)}
    assert pids
    for pid in pids:
        assert f"[{pid}" not in text
    labels = [event.data for event in read_cast(path).events if event.code == "m"]
    assert labels[0].endswith("was launched")
    assert any(label.startswith("sleeper ") for label in labels)


def test_a_child_does_not_inherit_its_parents_role(tmp_path):
    events = [event for event in fakes.sleep_race() if not isinstance(event, Finished | Exited)]
    pid = next(event.pid for event in events if isinstance(event, Forked))
    events.append(Forked(t=9.0, n=len(events) + 1, pid=pid + 7, parent=pid, by=pid))
    _, path = made(tmp_path, events, Wanted(first=len(list_steps(events))), SCENARIO)
    (label,) = [event.data for event in read_cast(path).events if event.code == "m"]
    assert label == "sleeper forked sleep2 3"


def test_the_same_events_make_the_same_bytes_and_time_is_no_part_of_it(tmp_path, monkeypatch):
    _, path = made(tmp_path, fakes.stepped())
    first = path.read_bytes()
    # A clock that leaps, so that everything seems dear and every frame late; and somebody who takes
    # the processor.
    leaping = itertools.count(0.0, 1.0)
    monkeypatch.setattr("ipcviz.app.screens.live.time.perf_counter", lambda: float(next(leaping)))
    monkeypatch.setattr("ipcviz.app.feed.time.perf_counter", lambda: float(next(leaping)))
    over = threading.Event()
    other = threading.Thread(target=lambda: all(iter(lambda: not over.is_set(), False)))
    other.start()
    try:
        made(tmp_path, fakes.stepped())
    finally:
        over.set()
        other.join()
    assert path.read_bytes() == first


def test_a_part_begins_as_the_whole_would_have_it(tmp_path, rows):
    made(tmp_path, fakes.sleep_race())
    whole = list(rows)
    rows.clear()
    result, path = made(tmp_path, fakes.sleep_race(), Wanted(first=4, last=5))
    assert result.shown == (4, 5)
    assert rows == whole[3:6]
    assert [event.t for event in read_cast(path).events if event.code == "m"] == [2.0, 4.0]


def test_nothing_is_written_where_there_is_nothing_to_show():
    for events, wanted in (([], Wanted()), (fakes.pipeline(), Wanted(first=1000))):
        file = io.BytesIO()
        assert make_cast(lambda events=events: iter(events), file, wanted, title="x").shown == ()
        assert file.getvalue() == b""


def test_where_there_is_no_room_what_repeats_is_left_out():
    steps = [CastStep(n, repeats=n % 3 == 0) for n in range(10, 70)]
    assert choose_steps(steps, Wanted(), most=60).shown == tuple(range(1, 61))
    news = tuple(number for number in range(1, 61) if steps[number - 1].n % 3)
    found = choose_steps(steps, Wanted(), most=59)
    assert (found.shown, found.left_out, found.rest) == (news, 20, 0)
    found = choose_steps(steps, Wanted(first=11), most=10)
    assert (found.shown, found.left_out, found.rest) == (news[7:17], 5, news[17])
    assert choose_steps(steps, Wanted(first=11, last=20), most=10).shown == tuple(range(11, 21))


def test_repeated_steps_are_known():
    steps = list_steps(fakes.pipeline())
    assert any(step.repeats for step in steps)
    assert not all(step.repeats for step in steps)
    assert [step.n for step in steps] == sorted({step.n for step in steps})
