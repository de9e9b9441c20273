"""A trace that is newer, cut off, damaged or made to harm: one sentence, and no more than that."""

from __future__ import annotations

import random
import sqlite3
import zlib

import msgspec
import pytest

from ipcviz.events import Event
from ipcviz.session.errors import SessionError
from ipcviz.session.kept import KeptSession
from ipcviz.trace import TraceError, TraceReader, TraceWriter
from ipcviz.trace.keyframes import unpack_bytes
from tests.pure.test_trace_store import long_session, written


@pytest.fixture
def trace(tmp_path):
    return written(tmp_path / "t", long_session(4000))


def refused(path, *words: str) -> None:
    with pytest.raises(TraceError) as found:
        read_all(path)
    message = found.value.message
    assert message.endswith(".")
    assert "\n" not in message
    for word in words:
        assert word in message


def read_all(path) -> list[Event]:
    with TraceReader(path) as reader:
        reader.state_at(reader.last)
        reader.read_sources()
        reader.find_last_before(1.0)
        return list(reader.read_events())


def change(path, *statements: str) -> None:
    db = sqlite3.connect(path)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def test_what_is_no_trace(tmp_path):
    refused(tmp_path / "absent", "absent", "can't be read")
    refused(tmp_path, "can't be read")
    (tmp_path / "text").write_text("hello\n")
    refused(tmp_path / "text", "no trace")
    (tmp_path / "empty").touch()
    refused(tmp_path / "empty", "no trace")
    change(tmp_path / "other", "CREATE TABLE x (y)")
    refused(tmp_path / "other", "no trace")
    (tmp_path / "head").write_bytes(b"SQLite format 3\0" + bytes(5000))
    refused(tmp_path / "head")


def test_a_newer_one(trace):
    change(trace, "PRAGMA user_version = 2")
    refused(trace, "newer", "2")


def test_other_tables(trace):
    change(
        trace,
        "ALTER TABLE batches RENAME TO b",
        "CREATE VIEW batches AS WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) "
        "SELECT x AS first, x AS last, 0 AS us, x'00' AS body FROM r",
    )
    refused(trace, "batches")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE batches SET body = 'text'",
        "UPDATE batches SET body = x'789c'",
        "UPDATE batches SET body = zeroblob(1000000)",
        "UPDATE batches SET last = 'x' WHERE first = 1",
        "UPDATE batches SET last = first + 5000 WHERE first = 1",
        "UPDATE batches SET first = first + 1",
        "UPDATE batches SET body = (SELECT body FROM batches WHERE first = 1)",
        "UPDATE event SET us = 'x'",
    ],
)
def test_nonsense_in_tables(trace, statement):
    change(trace, statement)
    refused(trace, "damaged")


def put_batch(path, body: bytes) -> None:
    db = sqlite3.connect(path)
    db.execute("UPDATE batches SET body = ? WHERE first = 1", (zlib.compress(body, 9),))
    db.commit()
    db.close()


@pytest.mark.parametrize(
    "body",
    [
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 100_000,
        msgspec.msgpack.encode([{"event": "call", "t": 1.0, "n": 1}]),
        msgspec.msgpack.encode([{"event": "no-such", "t": 1.0, "n": 1}]),
        msgspec.msgpack.encode([{"event": "continued", "pid": 1, "t": 1.0, "n": 10**12}]),
    ],
)
def test_nonsense_in_batches(trace, body):
    put_batch(trace, body)
    refused(trace, "damaged")


def test_a_bomb():
    packer = zlib.compressobj(9)
    part = bytes(1 << 20)
    bomb = b"".join(packer.compress(part) for _ in range(300)) + packer.flush()
    with pytest.raises(TraceError):
        unpack_bytes(bomb)


def test_cut_off_or_scratched_anywhere(trace):
    """Whatever is changed: either it reads, or it is one sentence."""
    whole, dice = trace.read_bytes(), random.Random(7)
    for attempt in range(60):
        data = bytearray(whole)
        if attempt % 2:
            del data[dice.randrange(100, len(data)) :]
        else:
            for _ in range(20):
                data[dice.randrange(len(data))] = dice.randrange(256)
        trace.write_bytes(data)
        try:
            read_all(trace)
        except TraceError as error:
            assert error.message.endswith(".")  # noqa: PT017


def test_a_session_gives_what_can_be_read(trace):
    db = sqlite3.connect(trace)
    db.execute("UPDATE batches SET body = x'00' WHERE first = 2049")
    db.commit()
    session = KeptSession(TraceReader(trace))
    session.start()
    events = []
    while not session.finished:
        events += session.drain()
    session.close()
    assert [event.n for event in events] == list(range(1, 2050))
    assert "up to here" in events[-1].message


def test_a_trace_without_events(tmp_path):
    TraceWriter(tmp_path / "t").close()
    session = KeptSession(TraceReader(tmp_path / "t"))
    with pytest.raises(SessionError):
        session.start()
    session.close()


@pytest.mark.parametrize("target", ["no/such/folder/t", "."])
def test_where_none_can_be_written(tmp_path, monkeypatch, target):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TraceError, match=r"can't be written|is a folder"):
        TraceWriter(target)


def test_a_full_disk(tmp_path):
    """What was committed before it stays; the rest is left out, and that is said."""
    events = long_session(30_000)
    writer = TraceWriter(tmp_path / "t", most_bytes=1_000_000)
    for at in range(0, len(events), 1000):
        writer.add(events[at : at + 1000])
    writer.close()
    assert "full" in writer.trouble
    with TraceReader(tmp_path / "t") as reader:
        kept = list(reader.read_events())
    assert kept
    assert kept == events[: len(kept)]


def test_a_hostile_scenario_is_none():
    from ipcviz.scenario.kept import scenario_of

    assert scenario_of({}) is None
    assert scenario_of({"scenario": "{}"}) is None
    assert scenario_of({"scenario": "[" * 100_000}) is None
