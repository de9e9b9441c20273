"""The trace: what goes in comes out, at every moment, fast and small; and the documented questions
have answers.
"""

from __future__ import annotations

import itertools
import re
import sqlite3
from pathlib import Path

import msgspec
import pytest

from ipcviz.events import Call, Event, Exited, Output, Sample
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.model.state import State
from ipcviz.trace import TraceError, TraceReader, TraceWriter, store
from tests import fakes
from tests.seen import moments_of
from tests.traces import long_session

QUERIES = re.findall(
    r"```sql\n(.*?)```", (Path(__file__).parents[2] / "docs/trace.md").read_text(), re.S
)


def written(path: Path, events: list[Event], **options) -> Path:
    writer = TraceWriter(path, **options)
    for at in range(0, len(events), 100):
        writer.add(events[at : at + 100])
    writer.close()
    assert not writer.trouble
    return path


@pytest.mark.parametrize(
    "events",
    [fakes.pipeline(), fakes.fifo(), fakes.mmap_queue(), fakes.sleep_race(), long_session(5000)],
)
def test_what_goes_in_comes_out(tmp_path, events):
    with TraceReader(written(tmp_path / "t", events)) as reader:
        assert list(reader.read_events()) == events
        assert (reader.first, reader.last) == (1, len(events))
        assert list(reader.read_events(3, 5)) == events[2:5]
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
        writer.add_keyframe(state)
    writer.close()
    keyframes = (
        sqlite3.connect(tmp_path / "t")
        .execute("SELECT n, base FROM keyframes ORDER BY n")
        .fetchall()
    )
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
    for sql in (
        "UPDATE keyframes SET body = x'00'",
        "UPDATE meta SET value = 'another' WHERE key = 'state'",
    ):
        db.execute(sql)
        db.commit()
        with TraceReader(path) as reader:
            assert reader.state_at(2900) == reduce_to(events, 2900)
            assert reader.state_at(2901) == reduce_to(events, 2901)


def test_events_without_numbers_get_some(tmp_path):
    events = [Output(t=0.1, data=b"a"), Output(t=0.2, data=b"b")]
    with TraceReader(written(tmp_path / "t", events)) as reader:
        assert [event.n for event in reader.read_events()] == [1, 2]


def test_numbers_may_be_missing_where_events_were_dropped(tmp_path):
    events = [event for event in long_session(3000) if event.n % 5]
    with TraceReader(written(tmp_path / "t", events)) as reader:
        assert list(reader.read_events()) == events
        assert reader.state_at(2500).n == 2499


def test_a_trace_is_one_plain_file_after_its_end(tmp_path):
    written(tmp_path / "t", fakes.pipeline())
    assert [file.name for file in tmp_path.iterdir()] == ["t"]


def test_it_is_small_and_never_far_from_a_keyframe(tmp_path, monkeypatch):
    # On a busy machine the last keyframes take longer than a user is kept waiting for them.
    monkeypatch.setattr(store, "_CLOSE_SECONDS", 600.0)
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
        assert list(reader.read_events()) == events[:2000]
        assert reader.meta["title"] == "so far"
    with TraceReader(tmp_path / "t") as reader:
        assert reader.last == 2500
    assert sorted(file.name for file in tmp_path.iterdir()) == ["copy", "t"]


def test_there_are_eleven_questions():
    assert len(QUERIES) == 11


@pytest.mark.parametrize("query", QUERIES)
def test_the_documented_questions_have_answers(tmp_path, query):
    events = [*fakes.pipeline(), *fakes.mmap_queue(), *fakes.sleep_race(), *fakes.stepped()]
    events = fakes.numbered(events)
    path = written(tmp_path / "t", events)
    assert sqlite3.connect(path).execute(query).fetchall()


def test_columns_say_what_events_say(tmp_path):
    path = written(tmp_path / "t", fakes.pipeline())
    rows = sqlite3.connect(path).execute(
        "SELECT n, t, type, pid, tid, object, name, ret, error FROM events WHERE type = 'call'"
        " ORDER BY n"
    )
    calls = [event for event in fakes.pipeline() if isinstance(event, Call)]
    for row, event in zip(rows, calls, strict=True):
        assert row[0] == event.n
        assert abs(row[1] - event.t) < 2e-6
        assert row[3:] == (
            event.pid,
            event.tid,
            event.object or None,
            event.name,
            event.ret,
            event.error or None,
        )


@pytest.mark.parametrize("events", [fakes.pipeline(), fakes.stepped(), long_session(3000)])
@pytest.mark.parametrize("reducing", [True, False])
def test_moments_are_kept(tmp_path, events, reducing):
    writer = TraceWriter(tmp_path / "t", reducing=reducing)
    writer.add(events)
    state = State()
    for event in [] if reducing else events:
        before, state = state, reduce(state, event)
        writer.add_meaning(event, before, state)
    writer.close()
    with TraceReader(tmp_path / "t") as reader:
        assert list(reader.read_moments()) == moments_of(events)


def test_the_schedule_is_kept_with_names_that_are_the_same_in_every_run(tmp_path):
    path = written(tmp_path / "t", fakes.stepped())
    rows = (
        sqlite3.connect(path)
        .execute("SELECT step, who, operation FROM schedule ORDER BY step")
        .fetchall()
    )
    assert rows == [(1, "1.1", "read"), (2, "1", "write"), (3, "1.1", "return")]
    became = sqlite3.connect(path).execute(QUERIES[-1]).fetchall()
    assert became[0] == (1, "1.1", "read", "waiting read")
    assert became[1] == (2, "1", "write", "call write, poised return, poised close")


def test_columns_answer_without_the_events(tmp_path):
    events = [*fakes.pipeline(), *fakes.sleep_race(), *fakes.pipeline_flow()]
    events = fakes.numbered(
        [msgspec.structs.replace(event, t=k * 0.01) for k, event in enumerate(events)]
    )
    with TraceReader(written(tmp_path / "t", events)) as reader:
        samples = [event for event in events if isinstance(event, Sample)]
        for first, last in (
            (0, 10**9),
            (samples[0].n + 1, samples[1].n),
            (samples[0].n, samples[0].n),
            (5, 4),
        ):
            there = [event for event in samples if first <= event.n <= last]
            assert reader.read_levels(first, last, 0.001) == [
                (pytest.approx(e.t, abs=1e-6), level.object, level.queued, level.queued)
                for e in there
                for level in e.levels
            ]
            assert list(reader.cpu_seconds(first, last)) == [
                (pytest.approx(e.t, abs=1e-6), p.pid, pytest.approx(p.user_time + p.system_time))
                for e in there
                for p in e.processes
            ]
        every = reader.read_levels(0, 10**9, 1e6)
        for _, key, highest, queued in every:
            levels = [lv.queued for e in samples for lv in e.levels if lv.object == key]
            assert (highest, queued) == (max(levels), levels[-1])
        assert every
        written_out = [(event.n, len(event.data)) for event in events if isinstance(event, Output)]
        assert list(reader.read_outputs()) == written_out
        assert written_out
        for event in events:
            assert reader.find_last_before(event.t) == event.n
        assert reader.find_last_before(-1) == 0
        assert reader.find_last_before(1e9) == events[-1].n


def test_what_was_found_last_before_an_event(tmp_path):
    with TraceReader(written(tmp_path / "t", fakes.pipeline())) as reader:
        sample = next(event for event in reader.read_events() if isinstance(event, Sample))
        late = reader.last
        levels = reader.levels_before(late, {fakes.PIPE.key, "pipe:[9]"})
        assert levels == {fakes.PIPE.key: (pytest.approx(sample.t, abs=1e-6), 62029)}
        assert reader.levels_before(sample.n, {fakes.PIPE.key}) == {}
        assert reader.levels_before(late, ()) == {}
        used = reader.cpu_seconds_before(late, {12, 99})
        assert used == {12: (pytest.approx(sample.t, abs=1e-6), pytest.approx(0.25))}
        assert reader.cpu_seconds_before(sample.n, {12}) == {}
        exits = [event.n for event in reader.read_events() if isinstance(event, Exited)]
        assert reader.numbers_of({"exited"}, late, 10) == exits
        assert reader.numbers_of({"exited"}, late, 2) == exits[-2:]
        assert reader.numbers_of({"exited", "finished"}, 1, 10) == [late]
        assert reader.numbers_of({"held"}, late, 10) == []


def test_what_is_kept_beside_the_events(tmp_path):
    path = tmp_path / "t"
    writer = TraceWriter(path, meta={"of": "us"}, sources={"a.py": "print()"})
    writer.add(fakes.pipeline())
    writer.close()
    with TraceReader(path) as reader:
        assert reader.meta["of"] == "us"
        assert reader.read_sources() == {"a.py": "print()"}
        assert reader.argv == fakes.pipeline()[0].argv


def test_a_trace_is_copied_whole_while_it_goes_on(tmp_path):
    events = fakes.pipeline()
    writer = TraceWriter(tmp_path / "t")
    writer.add(events[:20])
    copy = tmp_path / "copy"
    copy.write_text("what was there")
    writer.copy_to(copy, reduce_all(events[:20])).result(30)
    writer.add(events[20:])
    writer.close()
    with TraceReader(copy) as reader:
        assert list(reader.read_events()) == events[:20]
    with TraceReader(tmp_path / "t") as reader:
        assert list(reader.read_events()) == events


def test_a_trace_can_not_be_copied_everywhere(tmp_path):
    writer = TraceWriter(tmp_path / "t")
    writer.add(fakes.pipeline())
    with pytest.raises(TraceError, match="its folder does not exist"):
        writer.copy_to(tmp_path / "no" / "such").result(30)
    writer.close()


def test_a_trace_that_nobody_wants(tmp_path):
    writer = TraceWriter(tmp_path / "t")
    writer.add(fakes.pipeline())
    writer.discard()
    writer.add(fakes.pipeline())
    assert writer.trouble == "the trace was not to be kept"


def test_it_can_be_read_while_it_is_written(tmp_path):
    events = long_session(4000)
    writer = TraceWriter(tmp_path / "t")
    writer.add(events[:10])
    assert writer.flush(10)
    with TraceReader(tmp_path / "t") as reader:
        assert list(reader.read_events()) == events[:10]
        for first, last in ((10, 500), (500, 2500), (2500, 4000)):
            writer.add(events[first:last])
            assert writer.flush(10)
            reader.refresh()
            assert list(reader.read_events()) == events[:last]
            assert reader.last == last
            assert reader.state_at(last - 3) == reduce_to(events, last - 3)
        writer.close()
        reader.refresh()
        assert reader.state_at(4000) == reduce_to(events, 4000)
    assert writer.flush(0)
