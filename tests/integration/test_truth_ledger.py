"""Whose bytes they are, against what the bytes themselves say."""

from __future__ import annotations

import os
import sys
import textwrap
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from ipcviz import events as ev
from ipcviz.model.channels import Read
from ipcviz.model.ledger.provenance import list_interleavings, sources_of, waiting_bytes
from ipcviz.model.reduce import reduce
from ipcviz.model.state import State
from ipcviz.session.live import LiveSession
from ipcviz.tracer.config import LaunchConfig
from tests.integration import ordered
from tests.integration.harness import Programs
from tests.integration.ordered import Ordered


class Run:
    """A command that was observed to its end, and what each of its reads drew on."""

    def __init__(self, folder: Path, *argv: str, full: bool = True, budget: float = 1000.0) -> None:
        self.state = State()
        self.events: list[ev.Event] = []
        self.reads: list[tuple[ev.Call, Read]] = []
        self.lost: list[str] = []
        session = LiveSession(
            LaunchConfig(argv=argv, cwd=str(folder), full=full, budget=budget, data_bytes=64)
        )
        session.start()
        deadline = time.monotonic() + 30.0
        try:
            while not session.finished:
                assert time.monotonic() < deadline
                session.wait(0.1)
                for event in session.drain():
                    self.take(event)
        finally:
            session.close()
        for event in session.drain():
            self.take(event)

    def take(self, event: ev.Event) -> None:
        unknown = {key for key, channel in self.state.channels.items() if not channel.known}
        self.state = reduce(self.state, event)
        self.events.append(event)
        channels = self.state.channels.items()
        self.lost += [
            c.reason
            for key, c in channels
            if key.startswith("pipe:") and not c.known and key not in unknown
        ]
        if isinstance(event, ev.Call):
            read = sources_of(self.state, event.n)
            if read is not None:
                self.reads.append((event, read))

    def calls(self, name: str, key: str = "") -> list[ev.Call]:
        found = [e for e in self.events if isinstance(e, ev.Call) and e.name == name and e.ret > 0]
        return [e for e in found if not key or e.object == key]


def script(folder: Path, text: str) -> tuple[str, ...]:
    path = folder / "script.py"
    path.write_text(textwrap.dedent(text))
    return sys.executable, "-S", "-E", str(path)


@pytest.mark.parametrize("writers", [2, 5])
def test_several_writers(tmp_path: Path, writers: int) -> None:
    """Records that name their writer and are numbered: each read says whose it took, and the bytes
    agree.
    """
    run = Run(
        tmp_path,
        *script(
            tmp_path,
            f"""
            import os
            r, w = os.pipe()
            for _ in range({writers}):
                if not os.fork():
                    os.close(r)
                    for i in range({240 // writers}):
                        os.write(w, b"%8d%7d\\n" % (os.getpid(), i))
                    os._exit(0)
            os.close(w)
            while os.read(r, 40):
                pass
            """,
        ),
    )
    key = next(
        key for key, read in ((r.object, r) for _, r in run.reads) if key.startswith("pipe:")
    )
    made: Counter[int] = Counter()
    number = {}
    for call in run.calls("write", key):
        number[call.n] = made[call.pid]
        made[call.pid] += 1
    sure = total = 0
    for call, read in run.reads:
        at = 0
        for source in read.sources:
            got = call.data[at : at + source.length]
            at += source.length
            total += source.length
            if source.sure:
                sure += source.length
                record = b"%8d%7d\n" % (source.pid, number[source.n])
                assert got == record[source.offset : source.offset + source.length]
        assert at == call.ret
    assert len(made) == writers
    assert total == 16 * sum(made.values())
    assert not run.lost
    assert sure > total / 4, f"{sure} of {total}"


def test_cat_and_gzip(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(i * i % 251 for i in range(300_000)))
    run = Run(tmp_path, "sh", "-c", "cat file | gzip -c > out")
    names = {p.pid: p.name for p in run.state.processes.values()}
    taken = [(call, read) for call, read in run.reads if names[call.pid] == "gzip"]
    assert {names[source.pid] for _, read in taken for source in read.sources} == {"cat"}
    assert (
        sum(source.length for _, read in taken for source in read.sources if source.sure) == 300_000
    )
    by_write: Counter[int] = Counter()
    for _, read in taken:
        for source in read.sources:
            assert source.offset == by_write[source.began]
            by_write[source.began] += source.length
    assert not run.lost


def test_sockets_splice_tee_and_packets(tmp_path: Path) -> None:
    run = Run(
        tmp_path,
        *script(
            tmp_path,
            """
            import ctypes, os, socket
            libc = ctypes.CDLL(None)
            a, b = socket.socketpair()
            if not os.fork():
                b.send(b"from the child")
                assert b.recv(3) == b"to "
                assert b.recv(64) == b"the child"
                os._exit(0)
            a.send(b"to the child")
            assert a.recv(5) == b"from "
            assert a.recv(4, socket.MSG_PEEK) == b"the "
            assert a.recv(64) == b"the child"
            os.wait()
            r, w = os.pipe()
            r2, w2 = os.pipe()
            os.write(w, b"first ")
            class Vector(ctypes.Structure):
                _fields_ = [("base", ctypes.c_char_p), ("length", ctypes.c_size_t)]
            assert libc.vmsplice(w, ctypes.byref(Vector(b"second", 6)), 1, 0) == 6
            assert libc.tee(r, w2, 8, 0) == 8
            assert os.splice(r, w2, 7) == 7
            assert os.read(r, 64) == b"econd"
            assert os.read(r2, 8) == b"first se"
            assert os.read(r2, 64) == b"first s"
            rp, wp = os.pipe2(os.O_DIRECT)
            os.write(wp, b"packet")
            os.write(wp, b"p" * 4096 + b"second")
            assert os.read(rp, 2) == b"pa"
            assert os.read(rp, 5) == b"ppppp"
            assert os.read(rp, 90) == b"second"
            """,
        ),
    )
    drawn = {
        call.data: [(s.pid, s.offset, s.length, s.sure) for s in read.sources]
        for call, read in run.reads
    }
    parent = next(
        p.pid for p in run.state.processes.values() if p.parent not in run.state.processes
    )
    child = next(p.pid for p in run.state.processes.values() if p.parent == parent)
    assert drawn[b"from "] == [(child, 0, 5, True)]
    assert drawn[b"to "] == [(parent, 0, 3, True)]
    received = [
        (read.pid, [(s.pid, s.offset, s.length) for s in read.sources])
        for c, read in run.reads
        if c.data == b"the child"
    ]
    assert sorted(received) == sorted([(parent, [(child, 5, 9)]), (child, [(parent, 3, 9)])])
    first, second = (
        call.n
        for call in (*run.calls("write"), *run.calls("vmsplice"))
        if call.ret == 6 and call.data != b"packet"
    )
    named = {
        call.name: [(s.n, s.offset, s.length, s.sure) for s in read.sources]
        for call, read in run.reads
    }
    assert named["splice"] == [(first, 0, 6, True), (second, 0, 1, True)]
    by_bytes = {
        call.data: [(s.n, s.offset, s.length, s.sure) for s in read.sources]
        for call, read in run.reads
    }
    assert by_bytes[b"econd"] == [(second, 1, 5, True)]
    tee, splice = (next(c.n for c in run.calls(name)) for name in ("tee", "splice"))
    assert by_bytes[b"first se"] == [(tee, 0, 8, True)]
    assert by_bytes[b"first s"] == [(splice, 0, 7, True)]
    packets = [n for n in (c.n for c in run.calls("write")) if n > splice]
    assert by_bytes[b"pa"] == [(packets[0], 0, 2, True)]
    assert by_bytes[b"ppppp"] == [(packets[1], 0, 5, True)]
    assert by_bytes[b"second"] == [(packets[1], 4096, 6, True)]
    assert [
        read.dropped for call, read in run.reads if call.data in (b"pa", b"ppppp", b"second")
    ] == [4, 4091, 0]
    assert not run.lost


BYTES = 3000


def test_what_is_only_sampled_is_not_known(tmp_path: Path) -> None:
    command = f"dd if=/dev/zero bs=1 count={BYTES} | cat > out"
    run = Run(tmp_path, "sh", "-c", command, full=False, budget=100.0)
    assert any("is only sampled" in reason for reason in run.lost)
    # Nor is it on a machine so busy that it is quiet enough again to be traced.
    again = (
        e.n
        for e in run.events
        if isinstance(e, ev.Coverage) and e.full and e.reason == "quiet again"
    )
    end = next(again, run.events[-1].n)
    reads = [
        (call, read) for call, read in run.reads if read.object.startswith("pipe:") and call.n < end
    ]
    known = [bool(read.sources) for _, read in reads]
    sampled = min(e.n for e in run.events if isinstance(e, ev.Coverage) and not e.full)
    # Where many programs run, dd may be over its budget before cat reads for the first time.
    assert all(read.sources for call, read in reads if call.n < sampled)
    # The reader may be over its budget as well, and none of its further reads told at all.
    assert sum(call.ret for call, read in reads if read.sources) < BYTES
    assert known == sorted(known, reverse=True), "nothing is claimed after that"


@pytest.fixture
def family(programs: Programs, tmp_path: Path):
    with Ordered(programs["orders"], tmp_path, full=True) as family:
        yield family


def test_a_message_that_another_one_came_in_between_of(family: Ordered) -> None:
    """A long write whose beginning was read before a short one began, and that still had bytes to
    write after it.
    """
    reader = family.root
    family.order(reader, ordered.PIPE)
    family.settle()
    r, w = reader.done[-1].result >> 16, reader.done[-1].result & 0xFFFF
    long = family.fork(reader)
    family.settle()
    short = family.fork(reader)
    family.settle()
    long_number = family.order(long, ordered.WRITE, w, 0, 100_000)
    family.settle()
    assert long.busy, "it does not fit"
    family.order(reader, ordered.READ, r, 0, 4096)
    family.settle()
    short_number = family.order(short, ordered.WRITE, w, 0, 10)
    family.settle()
    got = reader.done[-1].data
    while len(got) < 100_010:
        family.order(reader, ordered.READ, r, 0, 4096)
        family.settle()
        got += reader.done[-1].data
    whole, inner = ordered.written(long_number, 100_000), ordered.written(short_number, 10)
    at = got.index(inner)
    assert got == whole[:at] + inner + whole[at:], "the kernel let it in between"
    family.catch_up()
    key = next(key for key in family.state.channels if key.startswith("pipe:"))
    assert [(found.pid, found.other_pid) for found in list_interleavings(family.state, key)] == [
        (long.pid, short.pid)
    ]


def test_a_reader_killed_inside_its_read(family: Ordered) -> None:
    writer = family.root
    family.order(writer, ordered.PIPE)
    family.settle()
    r, w = writer.done[-1].result >> 16, writer.done[-1].result & 0xFFFF
    victim = family.fork(writer)
    family.settle()
    family.order(victim, ordered.READ, r, 0, 100)
    family.settle()
    assert victim.busy
    family.kill(victim)
    family.settle()
    family.order(writer, ordered.WRITE, w, 0, 500)
    family.settle()
    family.order(writer, ordered.READ, r, 0, 200)
    family.settle()
    family.catch_up()
    key = next(key for key in family.state.channels if key.startswith("pipe:"))
    assert family.state.channels[key].known
    assert waiting_bytes(family.state, key) == 300 == ordered.queued(writer.pid, r)
    read = next(read for read in reversed(family.state.reads) if read.object == key)
    assert [(s.pid, s.offset, s.length, s.sure) for s in read.sources] == [
        (writer.pid, 0, 200, True)
    ]


def test_a_fifo_is_certain_until_somebody_else_opens_it(tmp_path: Path) -> None:
    """Of one that was made while watched; the kernel tells of every open, also of those that no
    traced call made.
    """
    os.mkfifo(tmp_path / "asks")

    def stranger() -> None:
        (tmp_path / "asks").read_bytes()
        with open(tmp_path / "f", "wb", buffering=0) as f:
            f.write(b"alien!")
        (tmp_path / "asks").write_bytes(b"")

    thread = threading.Thread(target=stranger)
    thread.start()
    run = Run(
        tmp_path,
        *script(
            tmp_path,
            """
            import os
            os.mkfifo("f")
            if not os.fork():
                w = os.open("f", os.O_WRONLY)
                os.write(w, b"mine")
                os._exit(0)
            fd = os.open("f", os.O_RDONLY)
            assert os.read(fd, 64) == b"mine"
            os.wait()
            again = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY)
            os.write(again, b"own")
            assert os.read(fd, 64) == b"own"
            open("asks", "w").close()
            open("asks", "r").read()
            assert os.read(fd, 64) == b"alien!"
            os.write(again, b"doubt")
            os.read(fd, 64)
            """,
        ),
    )
    thread.join()
    drawn = {call.data: [s.sure for s in read.sources] for call, read in run.reads}
    assert drawn.pop(b"doubt") in ([], [False]), "known again or not, it is not certain"
    assert drawn == {b"mine": [True], b"own": [True], b"alien!": []}
    told = [e for e in run.events if isinstance(e, ev.OpenedOutside)]
    key = next(
        e.object
        for e in run.events
        if isinstance(e, ev.Call) and e.data == b"mine" and e.name == "read"
    )
    assert [(e.object, e.pid in (os.getpid(), 0)) for e in told] == [(key, True)]
    assert told[0].n < next(call.n for call, _ in run.reads if call.data == b"alien!")
