"""Back and forward through what was seen: every panel at a moment of the past is what it was when
that was now.
"""

from __future__ import annotations

from contextlib import asynccontextmanager

import msgspec
import pytest

from ipcviz.app.app import IpcvizApp
from ipcviz.app.bars import StatusLine
from ipcviz.app.feed import Feed
from ipcviz.app.naming import name_objects
from ipcviz.app.panels import Buffers, Descriptors, LogPanel, Semaphores
from ipcviz.app.panels.output import TypingLine
from ipcviz.app.past import EventTape, NotKept, Past
from ipcviz.app.past import tape as tape_module
from ipcviz.app.replay import Replay
from ipcviz.app.slots import Slots
from ipcviz.app.strip import StepStrip
from ipcviz.events import Exited, Finished, Forked, HoldAll, Level, Output, ProcessSample, Sample
from ipcviz.model.parts import ObjectPart
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.model.state import State
from ipcviz.model.steps.moments import is_moment
from ipcviz.scenario import find_scenario
from ipcviz.session.kept import KeptSession
from ipcviz.trace import TraceReader, TraceWriter
from tests import fakes
from tests.app.driven import Driven
from tests.seen import apart, live_views, moments_of, seen
from tests.traces import long_session

SESSIONS = {
    "pipeline": fakes.pipeline(),
    "fifo": fakes.fifo(),
    "queue": fakes.mmap_queue(),
    "race": fakes.sleep_race(),
    "memory": fakes.shared_memory(),
    "step mode": fakes.stepped(),
}


def name_all(events):
    """The state that events make, with the screen's names."""
    return name_objects(reduce_all(events), {}, whole=True)


def kept(path, events, **options):
    writer = TraceWriter(path, **options)
    writer.add(events)
    writer.close()
    return KeptSession(TraceReader(path))


def with_levels() -> list:
    """A pipe that fills and empties for minutes, with CPU use and output, and a process that comes
    and goes.
    """
    events = [*fakes.pipeline_start()]
    for k in range(40):
        level = Level(object=fakes.PIPE.key, queued=k * 997 % 65536, capacity=65536)
        looked = [fakes.process(12, "cat", user_time=k * 0.3)]
        if k % 9 == 0:
            looked.append(fakes.process(13, "gzip", user_time=k * 0.1))
        events.append(Sample(t=1 + k, levels=(level,) if k % 3 else (), processes=tuple(looked)))
        events.append(Output(t=1 + k, data=b"line %d\r\n" % k))
        events.append(fakes.call(1 + k, 12, "write", fd=1, obj=fakes.PIPE.key, ret=512))
        if k % 4 == 0:
            events.append(Forked(t=1 + k, pid=100 + k, parent=11, by=11))
        if k % 8 == 0 and k:
            events.append(Exited(t=1 + k, pid=100 + k - 4))
    return fakes.numbered(events)


SESSIONS["levels"] = with_levels()


@pytest.mark.parametrize("kept", ["in memory", "in a trace", "replayed"])
@pytest.mark.parametrize("name", SESSIONS)
def test_every_panel_shows_what_it_showed(tmp_path, name, kept):
    events = apart(SESSIONS[name])
    recorder = None if kept == "in memory" else TraceWriter(tmp_path / "t", reducing=False)
    feed, live = live_views(events, recorder=recorder)
    past = feed.past
    if recorder is not None and kept == "replayed":
        recorder.close()
        replay = Replay(KeptSession(TraceReader(tmp_path / "t")))
        replay.begin()
        past = replay.past
    assert list(live) == moments_of(events) == [past.moments[k] for k in range(len(past.moments))]
    for n in reversed(live):
        for part, rows in seen(past.make_view(n)).items():
            assert rows == live[n][part], (n, part)
    past.tape.close()


def test_the_story_and_its_names_go_back_too(tmp_path):
    scenario = find_scenario("shell-pipeline")
    events = apart(fakes.pipeline())
    recorder = TraceWriter(tmp_path / "t", reducing=False)
    feed, live = live_views(events, scenario, recorder)
    told = {n: rows["StoryPanel"] for n, rows in live.items()}
    assert len({str(rows) for rows in told.values()}) > 3, "the story goes on"
    assert list(feed.past.turns.marks)
    recorder.close()
    replay = Replay(KeptSession(TraceReader(tmp_path / "t")), scenario)
    replay.begin()
    replay.pump(10)
    for past in (feed.past, replay.past):
        for n in reversed(live):
            assert seen(past.make_view(n)) == live[n], n
        past.tape.close()


@pytest.mark.parametrize("kept", ["in memory", "in a trace"])
def test_the_state_at_any_event_is_what_the_events_make(tmp_path, kept):
    events = long_session(1500)
    recorder = None if kept == "in memory" else TraceWriter(tmp_path / "t", reducing=False)
    feed = Feed(fakes.FakeSession(events), fakes.FrozenClock(), None, recorder)
    feed.pump(60)
    for n in (1, 2, 127, 128, 129, 1000, 1024, 1025, 1499, 1500, 64, 700):
        assert feed.past.make_view(n).state == name_all(events[:n])
    feed.past.tape.close()
    if recorder is not None:
        recorder.close()


def test_what_is_not_kept_is_not_shown(monkeypatch):
    monkeypatch.setattr(tape_module, "CHUNK", 100)
    monkeypatch.setattr(tape_module, "CHUNKS", 3)
    events = long_session(1000)
    feed = Feed(fakes.FakeSession(events), fakes.FrozenClock())
    feed.pump(60)
    past = feed.past
    assert past.tape.forgotten == 700
    assert past.make_view(990).state == name_all(events[:990])
    assert past.make_view(800).log.entries
    with pytest.raises(NotKept, match="no room"):
        past.make_view(500)
    first = past.moments.find_after(past.tape.forgotten)
    assert first > 700


def test_a_trace_that_can_not_be_written_any_more_is_followed_by_memory(tmp_path):
    events = long_session(1000)
    recorder = TraceWriter(tmp_path / "t", reducing=False)
    session = fakes.FakeSession(events[:500])
    feed = Feed(session, fakes.FrozenClock(), None, recorder)
    feed.pump(60)
    assert recorder.flush(10)
    assert feed.past.make_view(300).state == name_all(events[:300])
    recorder.trouble = "the disk is full"
    session.feed(*events[500:])
    feed.pump(60)
    assert feed.past.make_view(200).state == name_all(events[:200])
    assert feed.past.make_view(900).state == name_all(events[:900])
    feed.past.tape.close()
    recorder.close()


def test_the_terminal_of_long_ago_says_what_it_leaves_out():
    pieces = [Output(t=k, n=k + 1, data=b"x" * 1000 + b"\n" * 10) for k in range(500)]
    past = Past(EventTape())
    state = State()
    for event in pieces:
        before, state = state, reduce(state, event)
        past.add_event(event, before, state)
    terminal = past.terminal_at(400)
    assert terminal.bytes == 400 * 1010
    assert "earlier moments" in terminal.lines[0]
    assert past.terminal_at(20).bytes == 20 * 1010
    assert past.terminal_at(20).lines[0] == "x" * 1000
    assert past.terminal_at(0).bytes == 0


def test_output_that_lies_far_apart_comes_bit_by_bit(tmp_path):
    events = long_session(6000)
    for k in range(300, 6000, 600):
        events[k] = Output(t=events[k].t, n=events[k].n, data=b"line %d\n" % k)
    replay = Replay(kept(tmp_path / "t", events))
    replay.begin()
    first = view = replay.past.make_view(5990)
    assert view.terminal.more
    short = view.terminal.lines
    assert "earlier moments" in short[0]
    while view.moment.can_extend:
        view = view.with_moment(view.moment.extend())
    assert first.terminal.lines == short, "a view is a snapshot: what it shows does not grow"
    assert view.terminal.lines == [f"line {k}" for k in range(300, 6000, 600)]
    assert view.terminal.bytes == sum(len(e.data) for e in events if isinstance(e, Output))
    replay.session.close()


def test_digits_follow_from_births_and_deaths():
    slots, state = Slots(), State()
    for k in range(1, 31):
        state = reduce(state, Forked(t=k, n=2 * k, pid=k, parent=1, how="fork"))
        slots.add_process(k)
        if k % 3 == 0:
            state = reduce(state, Exited(t=k + 0.5, n=2 * k + 1, pid=k - 2))
            slots.end_process(k - 2)
        assert slots.given == Slots.from_processes(state.processes).given
        assert len(set(slots.given.values())) == len(slots.given)
    assert sorted(slots.given.values()) == list(range(1, 10))


# On the screen.


class Stage(Driven):
    def text(self, kind) -> str:
        return "\n".join(row.text for row in self.app.live.query_one(kind).all_rows())

    @property
    def status(self) -> str:
        return self.text(StatusLine)

    @property
    def n(self) -> int:
        return self.app.live.view.state.n


@asynccontextmanager
async def stage(events, size=(80, 24), scenario=None, session=None):
    clock = fakes.FrozenClock()
    session = session or fakes.FakeSession(events)
    app = IpcvizApp(session, "a command", scenario, clock=clock)
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause()
        app._timer.pause()
        found = Stage(app, pilot, session, clock)
        for _ in range(3):
            await found.frame()
        yield found
    session.close()


@pytest.mark.parametrize(
    "keys", [("left", "right"), ("p", "n"), ("pageup", "pagedown"), ("left", "space")]
)
async def test_back_and_forward_to_now(keys):
    events = apart(fakes.pipeline()[:26])
    stops = moments_of(events)
    async with stage(events) as s:
        back, forward = keys
        assert " live " in s.status
        for n in reversed(stops[-5:-1]):
            await s.press(back)
            assert s.n == n
            assert f"{stops.index(n) + 1} of {len(stops)}" in s.status
            assert " PAST " in s.status
        for n in stops[-4:-1]:
            await s.press(forward)
            assert s.n == n
        await s.press(forward)
        assert s.app.live.at == 0
        assert " PAST " not in s.status
        await s.press(forward)
        assert s.app.live.at == 0
        assert s.session.commands == ([HoldAll()] if forward == "space" else [])


async def test_the_past_stands_still_while_the_run_goes_on():
    events = apart(fakes.pipeline())
    half = next(k for k, event in enumerate(events) if event.n == moments_of(events)[12])
    async with stage(events[: half + 1]) as s:
        await s.press("u", "home")
        assert s.n == moments_of(events)[0]
        before = s.text(Buffers)
        s.session.feed(*events[half + 1 :])
        await s.frame(30)
        while s.app.feed.behind:
            await s.frame()  # a frame takes in as much as there is time for
        assert s.text(Buffers) == before
        assert f"1 of {len(moments_of(events))}" in s.status
        assert s.app.feed.state.finished
        await s.press("i", "K")
        assert s.app.screen is s.app.live
        assert not isinstance(s.app.focused, TypingLine)
        await s.press("end")
        assert s.app.live.view.state.finished
        assert "PAST" not in s.status


async def test_go_to_a_moment_by_number_and_by_time():
    events = apart(fakes.pipeline()[:26])
    stops = moments_of(events)
    async with stage(events) as s:
        await s.press("g", "7", "enter")
        assert s.n == stops[6]
        await s.press("g", *"30s", "enter")
        assert s.app.live.view.state.t == 30.0
        await s.press("g", *"x5", "left", "right", "enter")
        assert s.n == stops[4]
        await s.press("g", "escape", "g", "enter")
        assert s.n == stops[4]
        await s.press("g", *"s", "enter")
        assert s.n == stops[4]
        await s.press("g", *"99", "enter")
        assert s.app.live.at == 0
        await s.press("g", "0", "enter")
        assert s.n == stops[0]
        await s.press("left")
        assert s.n == stops[0]
        assert isinstance(s.app.focused, LogPanel)


async def test_freezing_is_a_moment_of_the_past():
    async with stage(fakes.numbered([*fakes.pipeline_start(), *fakes.pipeline_flow()])) as s:
        await s.press("f")
        assert (s.app.live.at, s.n) == (s.app.feed.state.n, s.app.feed.state.n)
        assert " PAST " in s.status
        s.session.feed(*fakes.pipeline_end())
        await s.frame(1)
        assert s.n < s.app.feed.state.n
        await s.press("f")
        assert s.app.live.at == 0


def marked(s) -> str:
    return "\n".join(line for line in s.text(LogPanel).split("\n") if line[8] == "+")


async def test_what_changed_is_marked_at_each_moment():
    events = apart(fakes.stepped())
    async with stage(events) as s:
        await s.press("l")
        assert "read 6 bytes" in marked(s)
        assert "wrote" not in marked(s)
        await s.frame(60)
        assert s.app.live.view.lit, "nothing goes out while all are held"
        log = s.app.live.query_one(LogPanel)
        assert log.scroll_offset.y == log.max_scroll_y, (
            "the strip took rows, and the end is still to be seen"
        )
        await s.press("left")
        assert "wrote" in marked(s)
        assert "read 6 bytes" not in marked(s)
        assert ObjectPart(fakes.PIPE.key) in s.app.live.view.lit
        assert "wrote 6 bytes" in s.text(StepStrip)
        assert " step 2 " in s.text(StepStrip)
        await s.press("left", "left")
        assert ObjectPart(fakes.PIPE.key) not in s.app.live.view.lit
        sent = list(s.session.commands)
        await s.press("1", "2")
        assert s.session.commands == sent, "digits only select in the past"
        assert s.app.live.view.pid == 52


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (40, 10)])
async def test_the_scrubber_is_moved_with_the_mouse(size):
    events = apart(fakes.pipeline())
    async with stage(events, size=size) as s:
        await s.press("left")
        bar = s.app.live.query_one(StatusLine)
        start, length = bar._track
        assert (length > 8) == (size[0] > 40)
        if size[0] == 40:
            return
        await s.pilot.mouse_down(bar, offset=(start, 0))
        await s.pilot.pause()
        assert s.n == moments_of(events)[0]
        await s.pilot.hover(bar, offset=(start + length // 2, 0))
        await s.pilot.pause()
        middle = s.app.feed.past.moments.count_until(s.n)
        assert abs(middle - len(moments_of(events)) / 2) <= len(moments_of(events)) / length + 1
        await s.pilot.hover(bar, offset=(start + length + 9, 0))
        await s.pilot.mouse_up(bar, offset=(start + length + 9, 0))
        await s.pilot.pause()
        assert s.app.live.at == 0
        await s.press("home")
        start, length = bar._track
        await s.pilot.click(bar, offset=(start + length, 0))
        assert s.n == moments_of(events)[1]
        start, length = bar._track
        await s.pilot.click(bar, offset=(start + length + 3, 0))
        assert s.app.live.at == 0


async def test_the_mouse_finds_the_past_from_now():
    async with stage(apart(fakes.pipeline()[:26])) as s:
        bar = s.app.live.query_one(StatusLine)
        await s.pilot.click(bar, offset=(bar.rows[0].text.index("<"), 0))
        await s.pilot.pause()
        assert s.app.live.at


async def test_panels_scroll_as_before_and_selections_hold():
    async with stage(apart(fakes.pipeline())) as s:
        await s.press("g", *"12", "enter", "2", "d")
        assert "cat" in str(s.app.live.query_one("#descriptors", Descriptors).border_title)
        await s.press("left")
        assert s.app.live.view.pid == 12
        await s.press("l", "less_than_sign", "j", "j", "ctrl+d")
        assert s.app.live.query_one(LogPanel).cursor > 2
        await s.press("m")
        assert "semaphore" in s.text(Semaphores)


# Traces.


async def test_a_trace_opens_at_its_end_without_being_read_through(tmp_path, monkeypatch):
    events = [*long_session(7_000), Finished(t=9.0, n=7_001, code=0)]
    session = kept(tmp_path / "t", events)
    read = []
    batch = TraceReader._read_batch
    monkeypatch.setattr(
        TraceReader, "_read_batch", lambda self, at: read.append(at) or batch(self, at)
    )
    async with stage((), session=session) as s:
        stops = moments_of(events)
        assert f"{len(stops):,} of {len(stops):,}" in s.status
        assert s.n == 7_001
        assert s.app.feed.settled
        assert len(set(read)) <= 4
        await s.press("left")
        assert s.n == stops[-2]
        await s.press("g", *"999", "enter")
        assert s.n == stops[998]
        assert s.app.live.view.state == name_all(events[: s.n])
        assert len(set(read)) <= 8
        await s.press("end", "right", "space")
        assert s.n == 7_001


async def test_a_scenario_opens_at_its_beginning(tmp_path):
    session = kept(tmp_path / "t", apart(fakes.pipeline()))
    async with stage((), session=session, scenario=find_scenario("shell-pipeline")) as s:
        assert "1 of" in s.status
        await s.press("end")
        assert s.app.live.view.state.finished
        assert "\u256a" in s.status, "turns of the story are marked"


async def test_a_trace_that_does_not_say_its_moments_is_read(tmp_path):
    events = long_session(3000)
    path = tmp_path / "t"
    kept(path, events).close()
    import sqlite3

    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM moments WHERE n > 1000")
    async with stage((), session=KeptSession(TraceReader(path))) as s:
        stops = moments_of(events)
        assert s.app.feed.settled
        assert [s.app.feed.past.moments[k] for k in range(len(stops))] == stops
        assert "before the command did" in s.app.feed.troubles[-1].message
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE moments")
    replay = Replay(KeptSession(TraceReader(path)))
    replay.begin()
    assert replay.pump(0.0)
    assert 0 < replay.reading < 1
    replay.pump(60)
    assert replay.reading is None
    assert len(replay.past.moments) == len(stops)


async def test_a_damaged_part_is_said_and_the_rest_is_shown(tmp_path):
    events = long_session(3000)
    path = tmp_path / "t"
    kept(path, events).close()
    import sqlite3

    with sqlite3.connect(path) as db:
        db.execute("UPDATE batches SET body = x'00' WHERE first = 1025")
    async with stage((), session=KeptSession(TraceReader(path))) as s:
        at = s.n
        await s.press("g", *"1200", "enter")
        assert s.n == at, "it stays where it is"
        await s.press("home")
        assert s.n == moments_of(events)[0]
        await s.press("end")
        assert s.n == 3000
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO samples SELECT n, 1, 5, 5 FROM event WHERE n % 10 = 0")
        db.execute("UPDATE event SET us = 'x' WHERE n = 2500")
    replay = Replay(KeptSession(TraceReader(path)))
    replay.begin()
    assert seen(replay.past.make_view(2990))
    replay.session.close()


def test_a_sample_of_long_ago_still_counts(tmp_path):
    """What was looked at once, and has not changed since, is known minutes later."""
    old = ProcessSample(pid=12, name="cat", state="S", ppid=11, user_time=2.0)
    level = Level(object=fakes.PIPE.key, queued=5, capacity=65536)
    start = fakes.pipeline_start()
    late = msgspec.structs.replace(
        fakes.call(500, 12, "write", fd=1, obj=fakes.PIPE.key, ret=1), t=500.0
    )
    events = fakes.numbered([*start, Sample(t=1, processes=(old,), levels=(level,)), late])
    feed, live = live_views(events)
    n = events[-1].n
    view = feed.past.make_view(n)
    assert view.compute_cpu(12) == 0.0
    assert view.trails[fakes.PIPE.key].build_columns(500.0, 3) == [5, 5, 5]
    assert seen(view)["Buffers"] == live[n]["Buffers"]


def test_moments_are_those_of_the_model():
    events = long_session(400)
    state, found = State(), []
    for event in events:
        before, state = state, reduce(state, event)
        if is_moment(event, before, state):
            found.append(event.n)
    feed = Feed(fakes.FakeSession(events), fakes.FrozenClock())
    feed.pump(10)
    assert [feed.past.moments[k] for k in range(len(feed.past.moments))] == found
