"""Processes that are not watched and have what watched ones wait for: found in the real /proc."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import msgspec
import pytest

from ipcviz import events as ev
from ipcviz.kernel import procfs
from ipcviz.kernel.holders import HolderSearch, Holding, still_holds
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.model.waits.outsiders import outsiders_of
from ipcviz.model.waits.rules import wait_of
from ipcviz.narrate.waits import describe_wait
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import AttachConfig, LaunchConfig
from tests.integration.attached import Attached, Target
from tests.integration.harness import Bench

pytestmark = pytest.mark.kernel

HANGS = r"""
import fcntl, os, select, socket, tempfile, time
d = tempfile.mkdtemp()
kept = []
def child(wait):
    pid = os.fork()
    if not pid:
        for fd in kept:
            os.close(fd)
        wait()
        os._exit(0)
    pids.append(pid)
pids = []
r, w = os.pipe()
kept.append(w)
child(lambda: os.read(r, 1))
def polls():
    poll = select.poll(); poll.register(r, 1); poll.poll()
child(polls)
os.close(r)
os.mkfifo(d + "/f")
def fills():
    out = os.open(d + "/f", os.O_WRONLY)
    while True:
        os.write(out, b"x" * 4096)
child(fills)
kept.append(os.open(d + "/f", os.O_RDONLY))
a, b = socket.socketpair()
kept.append(b.fileno())
child(lambda: a.recv(1))
a.close()
for family, address in ((socket.AF_UNIX, d + "/s"), (socket.AF_INET, ("127.0.0.1", 0))):
    s = socket.socket(family); s.bind(address); s.listen(3)
    address = s.getsockname()
    kept.append(s.detach())
    def connects():
        one = socket.socket(family); one.connect(address); one.recv(1)
    child(connects)
lock = os.open(d + "/l", os.O_CREAT | os.O_RDWR); fcntl.flock(lock, fcntl.LOCK_EX)
kept.append(lock)
child(lambda: fcntl.flock(os.open(d + "/l", os.O_RDWR), fcntl.LOCK_EX))
print(*pids, flush=True)
time.sleep(600)
"""
"""Children that all wait for what their parent alone has: it prints their ids."""


def test_the_parent_that_is_not_watched_is_found(bench: Bench) -> None:
    """Of a pipe (read, poll), a FIFO, a socket pair, connections not accepted (UNIX, TCP) and a
    lock.
    """
    with Target(bench, [sys.executable, "-c", HANGS]) as target:
        assert target.process.stdout is not None
        pids = list(map(int, target.process.stdout.readline().split()))
        with Attached(bench, pids) as run:

            def words(state: State) -> dict[int, str]:
                waits = {pid: wait_of(state, pid) for pid in pids if pid in state.threads}
                return {
                    pid: describe_wait(state, wait)
                    for pid, wait in waits.items()
                    if wait is not None
                }

            name = f"{procfs.read_comm(target.pid)}[{target.pid}]"
            state = run.until(
                lambda s: sum(name in told for told in words(s).values()) == len(pids)
            )
            told = [words(state)[pid].partition(f"{name}, not watched")[2] for pid in pids]
            assert told == [
                ", has its write end",
                ", could make one so",
                ", has its read end",
                ", has the other end",
                ", has not accepted the connection yet",
                ", has not accepted the connection yet",
                "",
            ]
            for key, outside in state.outsiders.items():
                for one in (*outsiders_of(state, key), *outsiders_of(state, key, "lock")):
                    link = procfs.read_link(one.pid, one.fd)
                    assert link is not None, outside
                    assert (
                        ":[" not in key
                        or one.how != "end"
                        or key.startswith("socket:")
                        or link == key
                    )
            run.leave()
        for pid in pids:
            os.kill(pid, 9)
        target.process.kill()
        target.process.wait()


def test_what_a_command_has_from_outside(bench: Bench) -> None:
    """`seq | ipcviz trace -- sleep`: who fills the pipe that nobody reads is known, though nobody
    watched waits.
    """
    reading, writing = os.pipe()
    fills = bench.start(["yes"], stdout=writing, stdin=subprocess.DEVNULL)
    os.close(writing)
    traced = bench.start(
        bench.observed(["sleep", "600"]),
        stdin=reading,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(reading)
    try:
        decoder, state, offset = msgspec.json.Decoder(ev.Event), State(), 0
        deadline = time.monotonic() + 60
        found: set[int] = set()
        while fills.pid not in found and time.monotonic() < deadline:
            time.sleep(0.05)
            data = bench.stream.read_bytes() if bench.stream.exists() else b""
            end = data.rfind(b"\n") + 1
            for line in data[offset:end].splitlines():
                state = reduce(state, decoder.decode(line))
            offset = max(offset, end)
            found = {one.pid for key in state.outsiders for one in outsiders_of(state, key, "w")}
        assert fills.pid in found
    finally:
        traced.terminate()
        traced.wait(30)
        fills.kill()
        fills.wait()


def test_a_search_tells_whom_it_could_not_ask() -> None:
    """As another user: root's processes are counted, and threads of the kernel are not."""
    if os.geteuid():
        pytest.skip("only root can become another user")
    r, w = os.pipe()
    told_r, told_w = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            search = HolderSearch({f"pipe:[{os.fstat(r).st_ino}]"}, (), {os.getpid()})
            while not search.go_on(0.001):
                pass
            os.write(told_w, f"{search.hidden} {len(search.found)}".encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    hidden, found = map(int, os.read(told_r, 100).split())
    for fd in (r, w, told_r, told_w):
        os.close(fd)
    assert hidden > 0, "at least we ourselves are root's"
    assert found == 0


def test_a_search_in_slices_finds_all_and_each_ends_soon(tmp_path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    both = os.open(fifo, os.O_RDWR)
    r, w = os.pipe()
    child = subprocess.Popen(["sleep", "600"], pass_fds=(both, w))
    try:
        status = os.fstat(both)
        search = HolderSearch(
            {f"pipe:[{os.fstat(r).st_ino}]"}, {(status.st_dev, status.st_ino)}, {os.getpid()}
        )
        slices = 1
        while not search.go_on(0.0):
            slices += 1
        assert slices > len(procfs.list_processes()) // 2, (
            "each process ends a slice that has no time left"
        )
        name = procfs.read_comm(child.pid)
        assert sorted(one for one in search.found if one.pid == child.pid) == sorted(
            [
                Holding(child.pid, name, f"pipe:[{os.fstat(w).st_ino}]", w, "w"),
                Holding(child.pid, name, f"{status.st_dev}:{status.st_ino}", both, "rw"),
            ]
        )
        assert all(map(still_holds, search.found))
    finally:
        child.kill()
        child.wait()
        for fd in (r, w, both):
            os.close(fd)
    assert not any(still_holds(one) for one in search.found if one.pid == child.pid)


@pytest.mark.parametrize("trace", [False, True])
def test_one_more_is_watched(trace: bool) -> None:
    """Who was found outside can be taken in; whoever can't be is told in a sentence, and the watch
    goes on.
    """
    reading, writing = os.pipe()
    reads = subprocess.Popen(["cat"], stdin=reading, stdout=subprocess.DEVNULL)
    sleeps = subprocess.Popen(["sleep", "600"], stdout=writing)
    os.close(reading)
    os.close(writing)
    session = LiveSession(AttachConfig(pids=(reads.pid,), trace=trace, spare=(os.getpid(),)))
    try:
        session.start()
        state, troubles = State(), []

        def until(seen) -> None:
            nonlocal state
            deadline = time.monotonic() + 60
            while not seen() and time.monotonic() < deadline:
                session.wait(0.1)
                for event in session.drain():
                    state = reduce(state, event)
                    troubles.extend([event.message] if isinstance(event, ev.Trouble) else [])
            assert seen()

        until(lambda: any(outsiders_of(state, key, "w") for key in state.outsiders))
        ((one,),) = [found for key in state.outsiders if (found := outsiders_of(state, key, "w"))]
        assert one.pid == sleeps.pid
        session.send(ev.Watch(pid=sleeps.pid))
        until(lambda: sleeps.pid in state.processes and state.tables.get(sleeps.pid))
        assert not outsiders_of(state, next(iter(state.outsiders)), "w")
        session.send(ev.Watch(pid=1 << 22))
        until(lambda: bool(troubles))
        assert "There is no process" in troubles[0]
        assert state.processes[reads.pid].fate == "alive"
    finally:
        session.close()
        for process in (reads, sleeps):
            assert process.poll() is None, "they run on"
            process.kill()
            process.wait()


@pytest.mark.parametrize("attached", [False, True])
def test_leaving_is_told_before_anything_ends(attached: bool) -> None:
    target = subprocess.Popen(["sleep", "600"])
    config: LaunchConfig | AttachConfig = LaunchConfig(argv=("sleep", "600"))
    if attached:
        config = AttachConfig(pids=(target.pid,), spare=(os.getpid(),))
    session = LiveSession(config)
    try:
        session.start()
        events: list[ev.Event] = []
        deadline = time.monotonic() + 60
        while not any(isinstance(e, ev.Waiting) for e in events) and time.monotonic() < deadline:
            session.wait(0.1)
            events += session.drain()
        session.close()
        events += session.drain()
    finally:
        session.close()
        target.kill()
        target.wait()
    kinds = [type(e) for e in events]
    at = kinds.index(ev.EndForced)
    assert events[at].living == 1
    assert ev.Exited not in kinds[:at]
    assert (ev.Exited in kinds[at:]) is not attached
    assert kinds[-1] is ev.Finished
