"""`ipcviz trace` into a trace on the real kernel: killed, without room, and read again without
Linux.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ipcviz import events as ev
from ipcviz.app.naming import name_objects
from ipcviz.app.replay import Replay
from ipcviz.model.reduce import reduce_all
from ipcviz.session.kept import KeptSession
from ipcviz.trace import TraceError, TraceReader, TraceWriter
from tests.integration.harness import CHECKOUT, Bench
from tests.integration.test_bad_input import ipcviz, refused
from tests.seen import apart, live_views, moments_of, seen


def traced(bench: Bench, argv: list[str], *options: str) -> list[str]:
    return ipcviz("trace", "-o", str(bench.keep / "t.ipcviz"), *options, "--", *argv)


def test_a_trace_of_a_pipeline(bench: Bench) -> None:
    argv = ["sh", "-c", "seq 1000 | cat; echo oops >&2; exit 5"]
    alone = bench.run(argv)
    outcome = bench.run(traced(bench, argv))
    assert (outcome.status, outcome.stdout, outcome.stderr) == (
        alone.status,
        alone.stdout,
        alone.stderr,
    )
    assert not outcome.temporary
    assert [file.name for file in bench.keep.iterdir() if "t.ipcviz" in file.name] == ["t.ipcviz"]
    with TraceReader(bench.keep / "t.ipcviz") as reader:
        events = list(reader.read_events())
        assert reader.argv == tuple(argv)
        assert reader.state_at(reader.last) == reduce_all(events)
        assert reader.state_at(reader.last).command_code == 5
    assert isinstance(events[-1], ev.Finished)
    db = sqlite3.connect(f"file:{bench.keep}/t.ipcviz?mode=ro", uri=True)
    assert ("seq",) in db.execute("SELECT name FROM processes").fetchall()
    goes_back(bench.keep / "t.ipcviz", events)


def goes_back(path: Path, events: list[ev.Event]) -> None:
    """In the app every panel at a moment of a real session is what it was when that was now,
    whoever kept it.
    """
    stops = moments_of(events)
    replay = Replay(KeptSession(TraceReader(path)))
    replay.begin()
    assert [replay.past.moments[k] for k in range(len(replay.past.moments))] == stops
    for n in stops[::9]:
        state = name_objects(reduce_all(events[:n]), {}, whole=True)
        assert replay.past.make_view(n).state == state
    replay.session.close()
    events = apart(events)
    recorder = TraceWriter(path.with_name("again"), reducing=False)
    feed, live = live_views(events, recorder=recorder, wanted=moments_of(events)[::7])
    assert len(live) > 5
    for n in reversed(live):
        assert seen(feed.past.make_view(n)) == live[n], n
    feed.past.tape.close()
    recorder.close()


def test_a_second_run_replaces_the_first(bench: Bench) -> None:
    for word in ("one", "two"):
        assert bench.run(traced(bench, ["echo", word])).status == 0
    with TraceReader(bench.keep / "t.ipcviz") as reader:
        assert reader.argv == ("echo", "two")


def test_what_it_can_not_be_written_to(bench: Bench) -> None:
    for target in ("/no/such/folder/t", "/", "/dev/stdout", "/proc/1/nothing"):
        refused(bench, ipcviz("trace", "-o", target, "--", "touch", "ran"))
        assert not (bench.work / "ran").exists()
    outcome = bench.run(ipcviz("trace", "-o", "-", "--", "touch", "ran"))
    assert outcome.status == 2
    assert b"--jsonl" in outcome.stderr


WRITER = """
import sys, time
from ipcviz.events import Output
from ipcviz.trace import TraceWriter
writer = TraceWriter(sys.argv[1])
n = 0
while True:
    now = time.monotonic()
    writer.add([Output(t=now, n=(n := n + 1), data=b"x" * 20) for _ in range(50)])
    print(n, now, flush=True)
    time.sleep(0.005)
"""


@pytest.mark.parametrize("seconds", [0.3, 0.51, 0.77, 1.2])
def test_killed_in_mid_stream(tmp_path: Path, seconds: float) -> None:
    """The file opens and holds all but the last quarter second."""
    path = tmp_path / "t"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, cwd=CHECKOUT, text=True
    )
    assert writer.stdout is not None
    first = float(writer.stdout.readline().split()[1])
    last_line, t = "", first
    while t - first < seconds:
        last_line = writer.stdout.readline()
        t = float(last_line.split()[1])
    killed_at = time.monotonic()
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    said = [
        line.split()
        for line in (last_line + writer.stdout.read()).splitlines()
        if line.count(" ") == 1
    ]
    must = max((int(n) for n, at in said if float(at) <= killed_at - 0.25), default=0)
    with TraceReader(path) as reader:
        numbers = [event.n for event in reader.read_events()]
        assert numbers == list(range(1, len(numbers) + 1))
        # 1,000 events are a tenth of a second of this stream: room for a busy machine.
        assert len(numbers) >= must - 1000


def test_killed_with_a_command(bench: Bench) -> None:
    bench.clear()
    with bench.start(
        traced(bench, ["sh", "-c", "while :; do echo x | cat; done"]), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        for _ in range(100):
            process.stdout.readline()
        process.kill()
    with TraceReader(bench.keep / "t.ipcviz") as reader:
        assert reader.last > 100
        assert reader.state_at(reader.last).processes


def test_killed_and_its_folder_can_not_be_written(bench: Bench) -> None:
    """The end is in the WAL, and SQLite can't make what it needs beside the file."""
    test_killed_with_a_command(bench)
    with TraceReader(bench.keep / "t.ipcviz") as reader:
        last = reader.last
    for file in bench.keep.glob("t.ipcviz-shm"):
        file.unlink()
    bench.keep.chmod(0o555)
    code = "import sys; from ipcviz.trace import TraceReader; print(TraceReader(sys.argv[1]).last)"
    try:
        outcome = bench.run([sys.executable, "-c", code, str(bench.keep / "t.ipcviz")])
    finally:
        bench.keep.chmod(0o755)
    assert outcome.stderr == b""
    assert int(outcome.stdout) == last
    assert not outcome.temporary


def test_a_pulled_file(bench: Bench) -> None:
    """The file is removed while it is written: the command does not notice."""
    argv = ["sh", "-c", f"sleep 0.4; rm -f {bench.keep}/t.ipcviz*; seq 100 | cat; exit 4"]
    outcome = bench.run(traced(bench, argv))
    assert outcome.status == 4
    assert outcome.stdout.count(b"\n") == 100
    assert b"Traceback" not in outcome.stderr


def test_a_full_disk_below_a_trace(bench: Bench) -> None:
    if os.geteuid() != 0 or bench.actor.uid != 0:
        pytest.skip("a small file system needs root")
    place = bench.keep / "small"
    place.mkdir(exist_ok=True)
    loop = "for i in $(seq 60); do ls / | cat; done"
    script = (
        f'mount -t tmpfs -o size=400k none {place} && "$@"; code=$?; cp {place}/* {bench.keep}/;'
        " exit $code"
    )
    command = ipcviz("trace", "--full", "-o", str(place / "f"), "--", "sh", "-c", loop)
    outcome = bench.run(["unshare", "--mount", "sh", "-c", script, "sh", *command], seconds=60)
    assert outcome.status == 0
    assert outcome.stderr.count(b"the trace ends here") == 1
    with TraceReader(bench.keep / "f") as reader:
        assert reader.last > 1
        assert list(reader.read_events())


BLOCKED = """
import builtins, io, os, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("posix_ipc", "psutil", "elftools", "system_calls"):
            raise ImportError(name)
        if name == "ipcviz.kernel" or name.startswith(("ipcviz.kernel.", "ipcviz.tracer")):
            raise ImportError(name)

sys.meta_path.insert(0, Blocker())

def refuse(event, args):
    if event in ("ctypes.dlopen", "ctypes.dlsym"):
        raise RuntimeError(event)
    if event in ("open", "os.listdir", "os.scandir") and str(args[0]).startswith("/proc"):
        raise RuntimeError(f"{event} {args[0]}")

import ctypes
ctypes.CDLL = ctypes.PyDLL = None
sys.addaudithook(refuse)
import asyncio
from ipcviz.cli.main import cli
from ipcviz.cli import replay
cli.get_command(None, "replay")
from ipcviz.app.app import IpcvizApp
session, title, scenario = replay._open_session(sys.argv[1])

async def show():
    app = IpcvizApp(session, title, scenario)
    async with app.run_test(size=(80, 24)) as pilot:
        while not app.feed.over:
            await pilot.pause(0.02)
        app.run_frame()
        for key in (*"tldumsro", "left", "home", "end"):
            await pilot.press(key)
        await pilot.pause()
        print(app.feed.state.n, app.feed.state.command_code)
        print(" ".join(process.name for process in app.live.view.processes))

asyncio.run(show())
session.close()
"""


@pytest.mark.parametrize("options", [(), ("--jsonl",)])
def test_replay_without_linux(bench: Bench, options: tuple[str, ...]) -> None:
    """With no ptrace, no /proc, no C library and none of what watches."""
    bench.run(traced(bench, ["sh", "-c", "echo hi | cat; exit 3"], *options))
    code = [sys.executable, "-c", BLOCKED, str(bench.keep / "t.ipcviz")]
    outcome = bench.run(code)
    assert outcome.stderr == b""
    first, second = outcome.stdout.decode().splitlines()
    assert first.split()[1] == "3"
    assert "cat" in second


def test_help_imports_nothing_that_watches(bench: Bench) -> None:
    code = (
        "import sys\n"
        "from ipcviz.cli.main import cli\n"
        "cli.main(['--help'], standalone_mode=False)\n"
        "names = ('ctypes', 'ipcviz.kernel', 'ipcviz.tracer', 'textual')\n"
        "print([name for name in sys.modules if name.startswith(names)])"
    )
    outcome = bench.run([sys.executable, "-c", code])
    assert outcome.stdout.decode().splitlines()[-1] == "[]"


@pytest.mark.parametrize("content", [None, "", "hello", "{", '{"event":"no"}\n'])
def test_replay_of_what_is_no_trace(bench: Bench, content: str | None) -> None:
    file = bench.keep / "no.ipcviz"
    file.unlink(missing_ok=True)
    if content is not None:
        file.write_text(content)
        file.chmod(0o644)
    refused(bench, ipcviz("replay", str(file)))


def test_a_newer_trace(bench: Bench) -> None:
    bench.run(traced(bench, ["true"]))
    db = sqlite3.connect(bench.keep / "t.ipcviz")
    db.execute("PRAGMA user_version = 99")
    db.close()
    refused(bench, ipcviz("replay", str(bench.keep / "t.ipcviz")), "newer")
    with pytest.raises(TraceError):
        TraceReader(bench.keep / "t.ipcviz")
