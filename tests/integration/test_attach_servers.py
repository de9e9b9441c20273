"""Attaching to servers at work: what is told of them is what the kernel says, and they serve as if
nothing had been.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipcviz.kernel import sockets
from ipcviz.model.query import list_holders
from ipcviz.model.state import State
from ipcviz.model.waits.rules import wait_of
from tests.integration.attached import Attached, felt, felt_at_rest, settled
from tests.integration.harness import Actor, Bench
from tests.integration.puppet import until

MODES = ("", "--trace")
CONNECTIONS = 50


@pytest.fixture
def ours() -> Iterator[Bench]:
    """ipcviz as who we are; the servers run as somebody who may be looked at."""
    bench = Bench(Actor("ours", os.geteuid()))
    yield bench
    bench.close()


def tree(pid: int) -> set[int]:
    """A process and its descendants, from /proc alone."""
    found = {pid}
    for tid in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError):
            for child in Path(f"/proc/{pid}/task/{tid}/children").read_text().split():
                found |= tree(int(child))
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def alive(state: State) -> set[int]:
    return {p.pid for p in state.processes.values() if p.fate == "alive"}


def fds_agree(state: State, pids: set[int]) -> bool:
    """Whether the descriptors of all processes are those that /proc lists."""
    for pid in pids:
        try:
            numbers = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        except FileNotFoundError:
            return False
        if (
            pid not in state.processes
            or set(state.tables.get(state.processes[pid].table, ())) != numbers
        ):
            return False
    return True


class Connection:
    """The little of PostgreSQL's protocol that a query needs (protocol 3.0, trusted)."""

    def __init__(self, address: str | tuple[str, int]) -> None:
        self.socket = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        self.socket.settimeout(20)
        self.socket.connect(address)
        body = struct.pack(">i", 196608) + b"user\0tester\0database\0postgres\0\0"
        self.socket.sendall(struct.pack(">i", len(body) + 4) + body)
        self.backend = 0
        self.until_ready()

    def until_ready(self) -> list[bytes]:
        rows = []
        while True:
            kind, length = struct.unpack(">ci", self.exactly(5))
            body = self.exactly(length - 4)
            if kind == b"E":
                raise AssertionError(body)
            if kind == b"K":
                self.backend = struct.unpack(">ii", body)[0]
            if kind == b"D":
                rows.append(body[6:])
            if kind == b"Z":
                return rows

    def exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            assert part, "the server hung up"
            data += part
        return data

    def send(self, query: str) -> None:
        body = query.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack(">i", len(body) + 4) + body)

    def ask(self, query: str) -> list[bytes]:
        self.send(query)
        return self.until_ready()


class Postgres:
    """A server in a folder of its own, run by somebody who is not root: it refuses that."""

    def __init__(self) -> None:
        tools = [
            *sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb")),
            shutil.which("initdb") or "",
        ]
        self.bin = os.path.dirname(tools[0])
        self.folder = tempfile.mkdtemp(prefix="ipcviz-pg-", dir="/tmp")
        self.prefix: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody")
            self.prefix = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]
        self.port = free_port()
        data = f"{self.folder}/data"
        self.run(
            f"{self.bin}/initdb", "-D", data, "-U", "tester", "-A", "trust", "-N", "--locale=C"
        )
        self.log = f"{self.folder}/log"
        settings = (
            f"-k {self.folder} -p {self.port} -h 127.0.0.1 -c max_connections=80 -c fsync=off"
        )
        self.run(f"{self.bin}/pg_ctl", "-D", data, "-l", self.log, "-o", settings, "-w", "start")
        self.pid = int(Path(data, "postmaster.pid").read_text().split()[0])

    def run(self, *argv: str) -> None:
        done = subprocess.run(
            [*self.prefix, *argv], cwd="/", stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            check=False, timeout=90,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout

    def connect(self, count: int) -> list[Connection]:
        """Half of them over its UNIX socket, half over TCP."""
        unix, tcp = f"{self.folder}/.s.PGSQL.{self.port}", ("127.0.0.1", self.port)
        return [Connection(unix if n % 2 else tcp) for n in range(count)]

    def close(self) -> None:
        with contextlib.suppress(AssertionError):
            self.run(
                f"{self.bin}/pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "-w", "stop"
            )
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    if not glob.glob("/usr/lib/postgresql/*/bin/initdb") and not shutil.which("initdb"):
        pytest.skip("postgresql is not installed (apt-get install postgresql)")
    server = Postgres()
    yield server
    server.close()


@pytest.mark.parametrize("mode", MODES)
def test_postgresql_with_fifty_connections(ours: Bench, postgres: Postgres, mode: str) -> None:
    connections = postgres.connect(CONNECTIONS)
    backends = {c.backend: c for c in connections}
    for connection in connections:
        assert connection.ask("select 6 * 7") == [b"42"]
    pids = tree(postgres.pid)
    assert backends.keys() < pids
    before = {pid: felt_at_rest(pid) for pid in backends}
    with Attached(ours, [postgres.pid], "--tree", *([mode] if mode else [])) as run:
        state = run.until(
            lambda s: (
                alive(s) == pids
                and fds_agree(s, pids)
                and all(wait_of(s, b) is not None for b in backends)
            )
        )
        assert alive(state) == pids
        assert fds_agree(state, pids)
        held = list_holders(state)
        # Both ends of each connection: the backend's socket, and by its peer ours.
        listing = sockets.Listing()
        for backend, connection in backends.items():
            mine = os.fstat(connection.socket.fileno()).st_ino
            theirs = [
                key
                for key, rows in held.items()
                if state.objects[key].info.peer == f"socket:[{mine}]"
                and backend in {r.pid for r in rows}
            ]
            assert len(theirs) == 1
            info = state.objects[theirs[0]].info
            if connection.socket.family == socket.AF_UNIX:
                one = listing.find_unix(mine)
                assert one is not None
                assert info.ino == one.peer
                assert info.kind == "unix socket"
            else:
                assert f"127.0.0.1:{connection.socket.getsockname()[1]}" in info.detail
                assert "established" in info.detail
            wait = wait_of(state, backend)
            assert wait is not None
            assert (wait.call, wait.idle) == ("epoll_wait", True)
        listeners = {
            (info.kind, info.path or info.detail.split()[0])
            for info in (thing.info for thing in state.objects.values())
            if info.detail.endswith("listening")
        }
        assert listeners == {
            ("unix socket", f"{postgres.folder}/.s.PGSQL.{postgres.port}"),
            ("tcp socket", f"127.0.0.1:{postgres.port}"),
        }
        # A lock: one backend waits for the other, and then neither has lost anything.
        first, second, *rest = connections
        first.ask("create table if not exists t (n int); truncate t; insert into t values (1)")
        first.ask("begin; update t set n = n + 1")
        second.send("update t set n = n * 10")
        for n, connection in enumerate(rest):
            assert connection.ask(f"select {n} + 1") == [b"%d" % (n + 1)]
        first.ask("commit")
        second.until_ready()
        assert first.ask("select n from t") == [b"20"]
        # One that comes now, and one that goes.
        late = postgres.connect(1)[0]
        state = run.until(lambda s: late.backend in alive(s))
        assert late.backend in alive(state)
        late.socket.close()
        state = run.until(lambda s: s.processes[late.backend].fate == "gone")
        assert state.processes[late.backend].fate == "gone"
        run.leave()
    for pid, was in before.items():
        now = settled(pid, was) if pid not in (first.backend, second.backend) else was
        assert {key: value for key, value in now.items() if not key.endswith("call")} == {
            key: value for key, value in was.items() if not key.endswith("call")
        }
    for connection in connections:
        assert connection.ask("select 1") == [b"1"]
        connection.socket.close()
    complaints = [
        line
        for line in Path(postgres.log).read_text().splitlines()
        if " LOG: " not in line and line[:1] != "\t"
    ]
    assert not complaints


@pytest.mark.parametrize("mode", MODES)
def test_redis_under_load(ours: Bench, mode: str) -> None:
    missing = [
        tool for tool in ("redis-server", "redis-benchmark", "redis-cli") if not shutil.which(tool)
    ]
    if missing:
        pytest.skip(f"{missing[0]} is not installed (apt-get install redis-server)")
    port = free_port()
    folder = tempfile.mkdtemp(prefix="ipcviz-redis-", dir="/tmp")
    cli = ["redis-cli", "-p", str(port)]
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
        stdout=subprocess.DEVNULL,
    )
    try:
        until(
            lambda: (
                subprocess.run([*cli, "ping"], capture_output=True, check=False).stdout == b"PONG\n"
            )
        )
        wanted = 60000
        with Attached(ours, [server.pid], *([mode] if mode else [])) as run:
            run.until(lambda s: server.pid in s.processes)
            load = subprocess.Popen(
                [
                    *("redis-benchmark", "-p", str(port), "-t", "incr", "-n", str(wanted)),
                    *("-c", "20", "-q"),
                ],
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )  # fmt: skip

            def clients(state: State) -> list[str]:
                here = [state.objects[key].info for key in list_holders(state)]
                return [i.detail for i in here if i.detail.endswith("established")]

            # The benchmark's own connections, while they are there: an INFO first, then those with
            # the load.
            state = run.until(lambda s: len(clients(s)) >= 20)
            assert len(clients(state)) >= 20
            assert all(
                detail.startswith(f"127.0.0.1:{port} → 127.0.0.1:") for detail in clients(state)
            )
            assert any(
                thing.info.detail == f"127.0.0.1:{port} listening"
                for thing in state.objects.values()
            ), [thing.info for thing in state.objects.values()]
            assert len(state.processes[server.pid].threads) == len(
                os.listdir(f"/proc/{server.pid}/task")
            )
            assert load.wait(60) == 0
            assert load.stderr is not None
            assert load.stderr.read() == b""
            state = run.until(lambda s: not clients(s))
            assert not clients(state)
            run.leave()
        found = subprocess.run(
            [*cli, "get", "counter:__rand_int__"], capture_output=True, check=True
        ).stdout
        assert found == b"%d\n" % wanted
        assert felt(server.pid)[f"{server.pid} TracerPid"] == "0"
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(folder)


@pytest.mark.parametrize("mode", MODES)
def test_chromium(ours: Bench, mode: str) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if not browser:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    folder = tempfile.mkdtemp(prefix="ipcviz-chromium-", dir="/tmp")
    page = (
        "data:text/html,<title>0</title><script>n=0;setInterval(()=>document.title=++n,20)</script>"
    )
    options = (
        "--headless --no-sandbox --disable-gpu --disable-background-networking"
        " --remote-debugging-port=0"
    )
    process = subprocess.Popen(
        [browser, *options.split(), f"--user-data-dir={folder}", page],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        note = Path(folder, "DevToolsActivePort")
        until(lambda: note.exists() and note.read_text().strip(), 60)
        port = note.read_text().split()[0]

        def title() -> int:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=20) as answer:
                pages = [entry for entry in json.load(answer) if entry["type"] == "page"]
            return int(pages[0]["title"] or 0) if pages and pages[0]["title"].isdecimal() else -1

        until(lambda: title() > 0, 60)
        with Attached(ours, [process.pid], "--tree", *([mode] if mode else [])) as run:
            seen: set[int] = set()

            def right(state: State) -> bool:
                seen.clear()
                seen.update(tree(process.pid))
                return alive(state) == seen and len(seen) >= 4 and fds_agree(state, seen)

            state = run.until(right)
            assert alive(state) == seen
            assert len(seen) >= 4
            # Sockets between its processes: each end names the other.
            held = list_holders(state)
            pairs = {
                key: state.objects[key].info.peer
                for key in held
                if state.objects[key].info.kind == "unix socket"
                and state.objects[key].info.peer in held
            }
            assert pairs
            assert all(state.objects[peer].info.peer == key for key, peer in pairs.items())
            joined = [{row.pid for row in (*held[key], *held[peer])} for key, peer in pairs.items()]
            assert any(len(pids) > 1 for pids in joined)
            assert any(
                t.info.detail == f"127.0.0.1:{port} listening" for t in state.objects.values()
            )
            shared = [
                e
                for pid in seen
                for e in state.mappings.get(pid, ())
                if e.object.kind in ("memfd", "shared memory")
            ]
            assert shared
            counted = title()
            until(lambda: title() > counted + 5, 20)
            run.leave()
        counted = title()
        until(lambda: title() > counted + 5, 20)
        assert tree(process.pid) == seen
        assert {felt(pid)[f"{pid} TracerPid"] for pid in seen} == {"0"}
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        try:
            process.wait(20)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
        shutil.rmtree(folder, ignore_errors=True)
