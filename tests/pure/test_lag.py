"""What happens when the stream's reader is late: nothing grows, and the tracer hears of it."""

import socket
import threading
import time

import msgspec

from ipcviz.events import Call, Event
from ipcviz.session import live
from ipcviz.tracer import emitter as emitting
from ipcviz.tracer.config import LaunchConfig
from ipcviz.tracer.emitter import Emitter
from ipcviz.tracer.wire import frame_body


def call(n: int = 0) -> Call:
    return Call(t=0.0, n=n, pid=1, tid=1, name="write", ret=64, data=b"x" * 64)


def wait_for(what, seconds=20.0):
    until = time.monotonic() + seconds
    while not what() and time.monotonic() < until:
        time.sleep(0.005)
    return what()


def test_what_waits_too_long_for_its_reader_makes_it_late(monkeypatch):
    monkeypatch.setattr(emitting, "LATE_SECONDS", 0.0)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        out = Emitter(ours)
        out.emit(call())
        out.flush()
        assert not out.late, "the socket took it"
        while not out.backlog:
            out.emit(call())
        assert wait_for(lambda: out.late, 1.0)
        theirs.setblocking(False)
        while out.backlog:
            theirs.recv(1 << 20)
            out.flush()
        assert not out.late


def test_a_session_reads_no_further_ahead_than_it_is_drained(monkeypatch):
    monkeypatch.setattr(live, "MOST_WAITING", 20)
    monkeypatch.setattr(live, "MOST_AT_FIRST", 40)
    ours, theirs = socket.socketpair()
    session = live.LiveSession(LaunchConfig(argv=("a",)))
    session._channel = ours
    reader = threading.Thread(target=session._read_stream, daemon=True)
    with ours, theirs:
        encoder = msgspec.msgpack.Encoder()
        for first in range(1, 101, 10):
            batch: list[Event] = [call(n) for n in range(first, first + 10)]
            theirs.sendall(frame_body(encoder.encode(batch)))
        reader.start()
        assert wait_for(lambda: len(session._events) == 50), "who begins to read is not late"
        got = len(session.drain())
        while got < 100:
            assert session.wait(20.0)
            events = session.drain()
            assert len(events) <= 30
            got += len(events)
        theirs.shutdown(socket.SHUT_RDWR)
        reader.join(20.0)
        assert not reader.is_alive()
        assert session.drain()[-1].n == 101, "that the tracer ended"


def test_a_session_that_closes_takes_in_all_the_same(monkeypatch):
    monkeypatch.setattr(live, "MOST_WAITING", 5)
    monkeypatch.setattr(live, "MOST_AT_FIRST", 5)
    ours, theirs = socket.socketpair()
    session = live.LiveSession(LaunchConfig(argv=("a",)))
    session._channel = ours
    with ours, theirs:
        encoder = msgspec.msgpack.Encoder()
        for first in range(1, 101, 10):
            theirs.sendall(frame_body(encoder.encode([call(n) for n in range(first, first + 10)])))
        theirs.shutdown(socket.SHUT_WR)
        session._closing.set()
        session._read_stream()
        assert len(session.drain()) == 101
