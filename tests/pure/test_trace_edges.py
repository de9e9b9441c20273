"""What a trace's reader and writer do at the edges: a killed writer, older files, lost places."""

from __future__ import annotations

import shutil
import sqlite3

import pytest

from ipcviz.events import Held, Output, Stepped, VariableFound
from ipcviz.events.accesses import VariableInfo
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.trace import TraceError, TraceReader, TraceWriter, reader, store
from tests import fakes
from tests.traces import long_session


def write_trace(path, events, **options):
    writer = TraceWriter(path, **options)
    writer.add(events)
    writer.close()
    assert not writer.trouble
    return path


def change(path, *statements):
    with sqlite3.connect(path) as db:
        for statement in statements:
            db.execute(statement)
    db.close()


def rows_of(path, sql):
    db = sqlite3.connect(path)
    found = db.execute(sql).fetchall()
    db.close()
    return found


def test_the_end_of_a_killed_writers_trace_is_brought_back_elsewhere(tmp_path):
    """SQLite can't make its index of the write-ahead log where something else has its name."""
    events = long_session(500)
    writer = TraceWriter(tmp_path / "t")
    writer.add(events)
    assert writer.flush(60)
    left = tmp_path / "left"
    left.mkdir()
    for name in ("t", "t-wal"):
        shutil.copyfile(tmp_path / name, left / name)
    (left / "t-shm").mkdir()
    writer.close()
    with TraceReader(left / "t") as found:
        assert list(found.read_events()) == events
        assert found.state_at(500).n == 500
    assert sorted(file.name for file in left.iterdir()) == ["t", "t-shm", "t-wal"]


def test_a_place_that_is_lost_before_the_command_begins(tmp_path):
    """It is known before a command begins, and told with the events."""
    writer = TraceWriter(tmp_path / "t", at_once=False)
    (tmp_path / "t").mkdir()
    writer.add(fakes.pipeline())
    writer.close()
    assert writer.trouble.startswith("the trace ends here, ")
    assert str(tmp_path / "t") in writer.trouble
    assert [file.name for file in tmp_path.iterdir()] == ["t"], "nothing is left beside it"
    assert not writer.flush(1)


def test_states_are_made_while_there_is_time(tmp_path):
    events = long_session(3000)
    writer = TraceWriter(tmp_path / "t")
    writer.add(events)
    assert writer.wait_for_states(60)
    kept = rows_of(tmp_path / "t", "SELECT n FROM keyframes ORDER BY n")
    assert [n for (n,) in kept] == [1024, 2048]
    writer.close()
    assert not writer.wait_for_states(0) or not writer.trouble


def test_what_the_events_mean_is_kept_from_who_has_the_states(tmp_path):
    events = [*fakes.sleep_race()]
    last = events[-1]
    writer = TraceWriter(tmp_path / "t", reducing=False)
    state, moments = State(), []
    for event in events:
        before, state = state, reduce(state, event)
        writer.add([event])
        writer.add_meaning(event, before, state, moment=event.n % 3 == 0)
        moments += [event.n] if event.n % 3 == 0 else []
    first = next(iter(state.processes))
    stepped = Stepped(n=last.n + 1, t=last.t, step=1, pid=first, tid=first)
    writer.add([stepped])
    writer.add_meaning(stepped, state, reduce(state, stepped), {first: "sleeper"}, moment=False)
    writer.close()
    with TraceReader(tmp_path / "t") as found:
        assert list(found.read_moments()) == moments
    assert rows_of(tmp_path / "t", "SELECT step, n, pid, tid, who FROM schedule") == [
        (1, last.n + 1, first, first, "sleeper")
    ]


def test_a_watched_variable_has_its_row(tmp_path):
    begun = fakes.sleep_race()
    info = VariableInfo(key="var:vm:7:4096", name="counter", type="int")
    pid = next(event.pid for event in begun if hasattr(event, "pid"))
    found = VariableFound(
        n=len(begun) + 1, t=begun[-1].t, pid=pid, variable=info, address=4096, value=b"\1\0\0\0"
    )
    write_trace(tmp_path / "t", [*begun, found])
    sql = "SELECT kind, label, detail FROM objects WHERE key = 'var:vm:7:4096'"
    assert rows_of(tmp_path / "t", sql) == [("variable", "counter", "int")]


def test_what_an_older_or_a_damaged_file_does_not_say(tmp_path):
    path = write_trace(tmp_path / "t", long_session(2500))
    change(
        path,
        "DROP TABLE moments",
        "UPDATE meta SET value = '[1, ' WHERE key = 'argv'",
        "UPDATE keyframes SET body = (SELECT body FROM keyframes WHERE n = 1024) WHERE n = 2048",
    )
    with TraceReader(path) as found:
        assert list(found.read_moments()) == []
        assert found.argv == ()
        assert found.state_at(2100).n == 2100, "from the events, past the keyframe that is wrong"


def test_the_event_before_a_moment(tmp_path):
    events = [Output(n=n, t=n / 10, data=b"x") for n in (1, 2, 3, 7, 8)]
    with TraceReader(write_trace(tmp_path / "t", events)) as found:
        wanted = {0.0: 0, 0.1: 1, 0.15: 1, 0.3: 3, 0.69: 3, 0.7: 7, 0.8: 8, 99.0: 8}
        assert {t: found.find_last_before(t) for t in wanted} == wanted


def test_an_event_that_makes_no_sense_is_a_sentence(tmp_path, monkeypatch):
    path = write_trace(tmp_path / "t", fakes.pipeline())

    def fail(state, event):
        raise KeyError(event.n)

    monkeypatch.setattr(reader, "reduce", fail)
    with TraceReader(path) as found, pytest.raises(TraceError) as error:
        found.state_at(3)
    assert error.value.message == f"{path} is damaged: event 1 makes no sense."


def test_events_come_while_nothing_is_written_any_more(tmp_path):
    writer = TraceWriter(tmp_path / "t")
    writer.add(fakes.pipeline())
    writer.discard()
    last = writer.last
    writer.add([Held(n=last + 1, t=9.0)])
    writer.add_meaning(Held(n=last + 1, t=9.0), State(), State(), moment=True)
    assert writer.last == last
    assert not writer.flush(1)


def test_who_is_far_ahead_of_the_disk_waits_and_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_MOST_WAITING", 100)
    events = long_session(2000)
    writer = TraceWriter(tmp_path / "t")
    for at in range(0, 2000, 50):
        writer.add(events[at : at + 50])
    writer.close()
    with TraceReader(tmp_path / "t") as found:
        assert list(found.read_events()) == events
