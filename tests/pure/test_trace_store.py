"""The trace: what goes in comes out, at every moment, fast and small; and the documented questions have answers."""

from __future__ import annotations

import itertools
import re
import sqlite3
from pathlib import Path

import msgspec
import pytest

from ipcviz.events import Call, Closed, Event, Opened, Output, Waiting
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.trace import TraceReader, TraceWriter
from tests import fakes

QUERIES = re.findall(r"```sql\n(.*?)```", (Path(__file__).parents[2] / "docs/trace.md").read_text(), re.S)


def written(path: Path, events: list[Event], **options) -> Path:
    writer = TraceWriter(path, **options)
    for at in range(0, len(events), 100):
        writer.add(events[at : at + 100])
    writer.close()
    assert not writer.trouble
    return path


def long_session(count: int) -> list[Event]:
    """A pipeline that goes on for long: calls with data, waits, and objects that come and go."""
    events = list(fakes.pipeline_start())
    p, t = fakes.PIPE.key, 1.0
    while len(events) < count:
        t += 0.0001
        k = len(events)
        if k % 50 == 0:
            info = msgspec.structs.replace(
                fakes.FILE, key=f"8:{1000 + k % 400}", path=f"/tmp/{k % 400}", ino=1000 + k % 400
            )
            events.append(fakes.call(t, 12, "openat", Opened(fd=7, ofd=1000 + k, object=info, mode="r"), ret=7))
        elif k % 50 == 25:
            events.append(fakes.call(t, 12, "close", Closed(fd=7), fd=7))
        elif k % 17 == 0:
            events.append(Waiting(t=t, pid=13, tid=13, call="read", args={"fd": 0, "count": 65536}, object=p))
        elif k % 2:
            data = (b"line %d of many\n" % k) * 4
            events.append(fakes.call(t, 12, "write", fd=1, obj=p, ret=64, data=data[:64], args={"count": 64}))
        else:
            events.append(fakes.call(t, 13, "read", fd=0, obj=p, ret=64, args={"count": 65536}))
    return fakes.numbered(events)


@pytest.mark.parametrize(
    "events", [fakes.pipeline(), fakes.fifo(), fakes.mmap_queue(), fakes.sleep_race(), long_session(5000)]
)
def test_what_goes_in_comes_out(tmp_path, events):
    with TraceReader(written(tmp_path / "t", events)) as reader:
        assert list(reader.events()) == events
        assert (reader.first, reader.last, reader.count) == (1, len(events), len(events))
        assert list(reader.numbers) == [event.n for event in events]
        assert list(reader.events(3, 5)) == events[2:5]
        assert reader.number_at(events[6].t) >= 7
        assert reader.number_at(-1.0) == 0
        assert reader.argv == events[0].argv


def test_the_state_at_every_moment(tmp_path):
    events = long_session(3000)
    with TraceReader(written(tmp_path / "t", events)) as reader:
        state = State()
        for event in events:
            state = reduce(state, event)
            if event.n % 97 == 0 or event.n % 1024 in (0, 1, 1023):
                assert reader.state_at(event.n) == state
        assert reader.state_at(10**9) == state
        assert reader.state_at(0) == State()


def test_states_that_are_given_need_not_be_made(tmp_path):
    events = long_session(5000)
    writer = TraceWriter(tmp_path / "t", reducing=False)
    state = State()
    for event in events:
        state = reduce(state, event)
        writer.add([event])
        writer.keyframe(state)
    writer.close()
    keyframes = sqlite3.connect(tmp_path / "t").execute("SELECT n, base FROM keyframes ORDER BY n").fetchall()
    assert len(keyframes) == 4
    assert keyframes[0][1] is None
    with TraceReader(tmp_path / "t") as reader:
        assert reader.state_at(4500) == reduce_to(events, 4500)


def reduce_to(events: list[Event], n: int) -> State:
    state = State()
    for event in events[:n]:
        state = reduce(state, event)
    return state


def test_without_keyframes_the_events_say_the_same(tmp_path):
    events = long_session(3000)
    path = written(tmp_path / "t", events)
    db = sqlite3.connect(path)
    for sql in ("UPDATE keyframes SET body = x'00'", "UPDATE meta SET value = 'another' WHERE key = 'state'"):
        db.execute(sql)
        db.commit()
        with TraceReader(path) as reader:
            assert reader.state_at(2900) == reduce_to(events, 2900)
            assert reader.state_at(2901) == reduce_to(events, 2901)


def test_events_without_numbers_get_some(tmp_path):
    events = [Output(t=0.1, data=b"a"), Output(t=0.2, data=b"b")]
    with TraceReader(written(tmp_path / "t", events)) as reader:
        assert [event.n for event in reader.events()] == [1, 2]


def test_numbers_may_be_missing_where_events_were_dropped(tmp_path):
    events = [event for event in long_session(3000) if event.n % 5]
    with TraceReader(written(tmp_path / "t", events)) as reader:
        assert list(reader.events()) == events
        assert reader.state_at(2500).n == 2499


def test_a_trace_is_one_plain_file_after_its_end(tmp_path):
    written(tmp_path / "t", fakes.pipeline())
    assert [file.name for file in tmp_path.iterdir()] == ["t"]


def test_it_is_small_and_never_far_from_a_keyframe(tmp_path):
    events = long_session(20_000)
    path = written(tmp_path / "t", events)
    assert path.stat().st_size / len(events) < 80, "bytes an event"
    numbers = [n for (n,) in sqlite3.connect(path).execute("SELECT n FROM keyframes ORDER BY n")]
    gaps = [b - a for a, b in itertools.pairwise([0, *numbers, len(events)])]
    assert max(gaps) <= 1024, "events to reduce from the nearest keyframe"


def test_what_was_seen_so_far_goes_to_another_file(tmp_path):
    events = long_session(2500)
    writer = TraceWriter(tmp_path / "t", meta={"title": "so far"})
    writer.add(events[:2000])
    (tmp_path / "copy").write_text("replaced")
    writer.copy_to(tmp_path / "copy").result(10)
    writer.add(events[2000:])
    writer.close()
    with TraceReader(tmp_path / "copy") as reader:
        assert list(reader.events()) == events[:2000]
        assert reader.meta["title"] == "so far"
    with TraceReader(tmp_path / "t") as reader:
        assert reader.count == 2500
    assert sorted(file.name for file in tmp_path.iterdir()) == ["copy", "t"]


def test_there_are_ten_questions():
    assert len(QUERIES) == 10


@pytest.mark.parametrize("query", QUERIES)
def test_the_documented_questions_have_answers(tmp_path, query):
    events = [*fakes.pipeline(), *fakes.mmap_queue(), *fakes.sleep_race()]
    events = fakes.numbered(events)
    path = written(tmp_path / "t", events)
    assert sqlite3.connect(path).execute(query).fetchall()


def test_columns_say_what_events_say(tmp_path):
    path = written(tmp_path / "t", fakes.pipeline())
    rows = sqlite3.connect(path).execute(
        "SELECT n, t, type, pid, tid, object, name, ret, error FROM events WHERE type = 'call' ORDER BY n"
    )
    calls = [event for event in fakes.pipeline() if isinstance(event, Call)]
    for row, event in zip(rows, calls, strict=True):
        assert row[0] == event.n
        assert abs(row[1] - event.t) < 2e-6
        assert row[3:] == (event.pid, event.tid, event.object or None, event.name, event.ret, event.error or None)
