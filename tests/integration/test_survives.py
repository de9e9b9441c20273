"""Many processes, many descriptors, floods of events, and a reader that stands still: nothing is
lost unsaid.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path

import msgspec
import pytest

from ipcviz import events as ev
from ipcviz.model.reduce import reduce_all
from ipcviz.tracer import emitter as emitting
from ipcviz.tracer.wire import Unframer
from tests.integration.harness import Bench, Programs, ordinary, read_stream
from tests.integration.test_killed import tracer_of
from tests.integration.watched import Watched

ordinary_user = pytest.mark.parametrize(
    "bench", ordinary(), ids=lambda actor: actor.name, indirect=True
)

TABLE = """
import os, resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
ends = [end for _ in range(5000) for end in os.pipe()]
open("all.ready", "w").close()
open("all.go").close()
os.closerange(ends[0], ends[-1] + 1)
open("none.ready", "w").close()
open("none.go").close()
"""


@ordinary_user
def test_a_thousand_processes(bench: Bench, programs: Programs) -> None:
    argv = [programs["many_children"], "1000"]
    alone = bench.run(argv)
    assert alone.stdout.startswith(b"made 1000, reaped 1000")
    seen = bench.run(bench.observed(argv))
    assert (seen.status, seen.stdout, seen.stderr) == (alone.status, alone.stdout, alone.stderr)
    assert not seen.processes
    events = read_stream(bench.stream)
    state = reduce_all(events)
    assert sum(isinstance(e, ev.Forked) for e in events) == 1001
    assert sum(isinstance(e, ev.Exited) for e in events) == 1001
    assert sum(p.fate == "gone" for p in state.processes.values()) >= 1000
    assert not [e for e in events if isinstance(e, ev.Table) and e.differed]
    assert state.finished
    # From 200 on new ones are sampled, and who makes so many is, too: those that it makes inherit
    # that without another word.
    births = [e for e in events if isinstance(e, ev.Forked)]
    sampled = [e for e in events if isinstance(e, ev.Coverage) and not e.full]
    many = "there are more than 200 processes"
    (own,) = [e for e in sampled if e.pid == births[0].pid and e.reason == many]
    later = next(i for i, e in enumerate(births) if e.n > own.n)
    assert 201 < later < 300
    inherited = {e.pid for e in births[later : later + 100]}
    assert not inherited & {e.pid for e in sampled}
    then = reduce_all([e for e in events if e.n <= births[later + 99].n])
    assert not any(then.processes[pid].full for pid in inherited)


@ordinary_user
@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 10_100,
    reason="no 10,000 descriptors here (ulimit -Hn)",
)
def test_ten_thousand_descriptors(bench: Bench) -> None:
    with Watched(bench, [sys.executable, "-c", TABLE], ("all", "none")) as run:
        run.at("all")
        state = run.until(lambda s: any(len(t) >= 10_000 for t in s.tables.values()))
        (root,) = state.processes
        kernel = {int(fd) for fd in os.listdir(f"/proc/{root}/fd")}
        assert len(kernel) >= 10_000
        assert set(run.until(lambda s: set(s.tables[root]) == kernel).tables[root]) == kernel
        run.release("all")
        run.at("none")
        assert len(run.until(lambda s: len(s.tables[root]) < 20).tables[root]) < 20
        run.release("none")
        assert run.finish() == 0


def duplicates(events: list[ev.Event]) -> int:
    return sum(
        isinstance(e, ev.Call) and any(isinstance(x, ev.Duplicated) for x in e.effects)
        for e in events
    )


def counted(events: list[ev.Event], name: str) -> int:
    """How many calls of a name, or signals of a number, were only counted."""
    return sum(e.calls.get(name, 0) for e in events if isinstance(e, ev.Counted))


DUP = "fcntl"
"""What os.dup calls, with F_DUPFD_CLOEXEC."""
FLOOD = [sys.executable, "-c", "import os\nfor _ in range(10000): os.close(os.dup(0))"]


@ordinary_user
def test_a_flood_of_structural_calls_is_told_up_to_a_budget_and_counted_from_there(
    bench: Bench,
) -> None:
    assert bench.run(bench.observed(FLOOD)).status == 0
    events = read_stream(bench.stream)
    told = duplicates(events)
    assert told + counted(events, DUP) == 10_000
    assert 0 < told < 5000
    assert any(isinstance(e, ev.Coverage) and e.calls is False for e in events)
    assert not reduce_all(events).dropped
    assert [e.n for e in events] == list(range(1, len(events) + 1))


@ordinary_user
def test_a_flood_of_structural_calls_is_complete_in_full_mode(bench: Bench) -> None:
    assert bench.run(bench.observed(FLOOD, "--full")).status == 0
    events = read_stream(bench.stream)
    assert duplicates(events) == 10_000
    assert not any(isinstance(e, ev.Counted) for e in events)


@ordinary_user
def test_calls_that_fail_have_a_budget_too(bench: Bench) -> None:
    program = "import os\nfor _ in range(10000):\n try: os.close(999)\n except OSError: pass"
    assert bench.run(bench.observed([sys.executable, "-c", program])).status == 0
    events = read_stream(bench.stream)
    told = sum(isinstance(e, ev.Call) and e.name == "close" and e.error == "EBADF" for e in events)
    assert 10_000 <= told + counted(events, "close") < 10_200, "the interpreter closes some itself"
    assert told < 5000


AFTER_A_STORM = """
import os, select, signal, time
got = []
signal.signal(signal.SIGUSR1, lambda *_: got.append(1))
for _ in range(8000): os.kill(os.getpid(), signal.SIGUSR1)
print("storm", len(got))
# What is set while calls are only counted is in force: a handler, an ignored signal, a default.
signal.signal(signal.SIGUSR2, lambda *_: got.append(2))
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
for _ in range(10):
    os.kill(os.getpid(), signal.SIGUSR2)
    os.kill(os.getpid(), signal.SIGUSR1)
print("set meanwhile", got.count(2))
kept, gone = os.pipe()
if os.fork() == 0:
    for _ in range(5):
        time.sleep(0.05)
        os.kill(os.getppid(), signal.SIGUSR1)
    os._exit(7)
began = time.monotonic()
print("ignored", select.select([kept], [], [], 0.5)[0], 0.4 < time.monotonic() - began)
print("child", os.wait()[1] >> 8)
"""


@ordinary_user
def test_a_storm_of_signals_is_counted_and_changes_nothing(bench: Bench) -> None:
    argv = [sys.executable, "-c", AFTER_A_STORM]
    alone, seen = bench.run(argv), bench.run(bench.observed(argv))
    assert (seen.status, seen.stdout, seen.stderr) == (alone.status, alone.stdout, alone.stderr)
    events = read_stream(bench.stream)
    usr1 = int(signal.SIGUSR1)
    told = sum(isinstance(e, ev.SignalDelivered) and e.signo == usr1 for e in events)
    ignored = 10 + 5
    assert (
        told + sum(e.signals.get(usr1, 0) for e in events if isinstance(e, ev.Counted))
        == 8000 + ignored
    )
    assert told < 4000


FAILING = """
import os
for _ in range(8000):
    try:
        os.close(999)
    except OSError:
        pass
"""


@ordinary_user
def test_of_calls_that_are_only_counted_the_first_says_how_it_failed(bench: Bench) -> None:
    assert bench.run(bench.observed([sys.executable, "-c", FAILING])).status == 0
    events = read_stream(bench.stream)
    storms = [e for e in events if isinstance(e, ev.Counted) and e.calls.get("close", 0) > 100]
    assert storms
    assert all(e.errors.get("close") == "EBADF" for e in storms)
    told = sum(isinstance(e, ev.Call) and e.name == "close" and e.error == "EBADF" for e in events)
    assert told + sum(e.calls["close"] for e in storms) >= 8000, (
        "the one that is looked at is counted, too"
    )


@ordinary_user
def test_a_reader_that_stands_still(bench: Bench) -> None:
    """In live mode the command runs on, the tracer's memory stays bounded, and the stream is whole
    afterwards.
    """
    program = (
        "import os\nfor _ in range(8000): os.close(os.dup(0))\nopen('end.ready',"
        " 'w').close()\nopen('end.go').close()"
    )
    with Watched(bench, [sys.executable, "-c", program], ("end",)) as run:
        state = run.until(lambda s: any(p.executed for p in s.processes.values()))
        (root,) = state.processes
        tracer = tracer_of(root)
        os.kill(run.process.pid, signal.SIGSTOP)
        try:
            run.at("end")
            status = Path(f"/proc/{tracer}/status").read_text()
            assert int(status.split("VmRSS:")[1].split()[0]) < 300_000
        finally:
            os.kill(run.process.pid, signal.SIGCONT)
        run.release("end")
        assert run.finish() == 0
    events = read_stream(bench.stream)
    assert duplicates(events) + counted(events, DUP) == 8000
    assert reduce_all(events).finished


def test_what_was_left_out_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emitting, "BACKLOG_LIMIT", 1 << 20)
    ours, theirs = socket.socketpair()
    out = emitting.Emitter(ours)

    def write(*effects: ev.AnyEffect) -> ev.Call:
        return ev.Call(
            t=0.0,
            pid=1,
            tid=1,
            name="write",
            began=0.0,
            ret=64,
            data=b"x" * 64,
            effects=effects,
        )

    most = 0
    for index in range(50_000):
        out.emit(write(*((ev.Closed(fd=index),) if index % 1000 == 0 else ())))
        most = max(most, out._backlog_bytes)
    assert most < 3 << 20
    theirs.setblocking(False)
    unframer, decoder = Unframer(), msgspec.msgpack.Decoder(list[ev.Event])
    got: list[ev.Event] = []
    deadline = time.monotonic() + 20
    while not any(isinstance(e, ev.Dropped) for e in got) and time.monotonic() < deadline:
        try:
            for body in unframer.feed(theirs.recv(1 << 20)):
                got += decoder.decode(body)
        except BlockingIOError:
            out.flush()
    (dropped,) = (e for e in got if isinstance(e, ev.Dropped))
    calls = [e for e in got if isinstance(e, ev.Call)]
    assert dropped.events > 10_000
    assert len(calls) + dropped.events == 50_000
    assert sum(bool(call.effects) for call in calls) == 50
    assert out.state.dropped == dropped.events
    ours.close()
    theirs.close()
