"""Ends of pipes in words: who was the last, who is left, and what nobody has read."""

from __future__ import annotations

import pytest

from ipcviz.events import Call, Closed, CloseOnExec, Duplicated, Exited, ObjectInfo
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.model.state import State
from ipcviz.narrate import narrate
from ipcviz.narrate.pipes import describe_unread
from ipcviz.narrate.sentence import DETAIL, STEP
from tests import picture_states as systems

P = systems.pipe(1)


def piped() -> systems.Maker:
    """A shell with a pipe (3, 4) and two children: 11 writes, 12 reads."""
    m = systems.Maker()
    m.launch(10, "sh")
    m.pipe(10, 3, 4, P)
    m.fork(10, 11, "seq")
    m.fork(10, 12, "head")
    m.close(11, 3)
    m.close(12, 4)
    m.level(P, 0)
    return m


def last(m: systems.Maker) -> str:
    """The sentence about the last event."""
    state = State()
    for event in m.events[:-1]:
        state = reduce(state, event)
    told = narrate(m.events[-1], state, reduce(state, m.events[-1]))
    return told.text if told is not None else ""


def test_who_was_the_last_writer_and_reader():
    m = piped()
    m.close(10, 3, 4)
    m.close(11, 4)
    m.move(12, "read", 3, P, 0)
    expected = (
        "head[12] read end of file from P1 (fd 3): it is empty and no writer is left (seq[11] had"
        " the last write end)"
    )
    assert last(m) == expected
    m = piped()
    m.close(10, 3, 4)
    m.add(Exited, pid=12, code=0)
    m.add(
        Call,
        pid=11,
        tid=11,
        name="write",
        args={"fd": 4, "count": 2},
        object=P.key,
        ret=-1,
        error="EPIPE",
    )
    assert (
        last(m)
        == "seq[11] got EPIPE from write (fd 4) on P1: no reader is left (head[12] had the last"
        " read end)"
    )


@pytest.mark.parametrize("killed", [False, True])
def test_bytes_that_nobody_reads(killed):
    m = piped()
    m.close(10, 3, 4)
    m.move(11, "write", 4, P, 4000)
    m.move(12, "read", 3, P, 100)
    if killed:
        m.add(Exited, pid=12, signo=9)
        assert last(m).endswith(
            "no reader of P1 is left, and 3,900 bytes that seq[11] wrote were not read"
        )
    else:
        m.close(12, 3)
        assert last(m).endswith(
            "fails now, with SIGPIPE or EPIPE; 3,900 bytes that seq[11] wrote were not read"
        )


@pytest.mark.parametrize(
    ("writers", "shown"),
    [
        ((11,), "100 bytes that seq[11] wrote were not read"),
        ((11, 10), "200 bytes that seq[11], sh[10] wrote were not read"),
        ((11, 10, 13), "300 bytes that seq[11], sh[10], tac[13] wrote were not read"),
        ((11, 10, 13, 14), "400 bytes that seq[11], sh[10], tac[13] and 1 more wrote were not"),
    ],
)
def test_several_whose_bytes_nobody_reads(writers, shown):
    m = piped()
    m.fork(10, 13, "tac")
    m.fork(10, 14, "nl")
    for pid in writers:
        m.move(pid, "write", 4, P, 100)
    assert shown in describe_unread(reduce_all(m.events), P.key)


def test_nothing_is_said_of_bytes_that_are_not_known():
    assert describe_unread(reduce_all(piped().events), P.key) == ""
    assert describe_unread(State(), P.key) == ""


def test_bytes_that_nobody_reads_when_the_writer_is_gone_already():
    m = piped()
    m.move(11, "write", 4, P, 1)
    m.add(Exited, pid=11, code=0)
    m.close(10, 4, 3)
    m.close(12, 3)
    assert (
        last(m)
        == "head[12] closed descriptor 3 (P1, read end): no reader is left; 1 byte that seq[11]"
        " wrote was not read"
    )


def test_a_write_end_that_was_forgotten():
    m = piped()
    m.close(10, 3)
    m.wait(12, "read", 3, P.key)
    assert last(m) == "head[12] is blocked in read(3) on P1: it is empty", (
        "somebody may still write"
    )
    m.move(11, "write", 4, P, 5)
    m.move(12, "read", 3, P, 5)
    m.wait(12, "read", 3, P.key)
    assert last(m) == "head[12] is blocked in read(3) on P1: it is empty", "who writes is there"
    m.add(Exited, pid=11, code=0)
    m.wait(12, "read", 3, P.key)
    told = (
        "it is empty, and seq[11], who wrote last, has closed it; sh[10] (fd 4) still has the write"
        " end open"
    )
    assert last(m) == f"head[12] is blocked in read(3) on P1: {told}"


def test_a_reader_that_waits_for_itself():
    m = systems.Maker()
    m.launch(10, "sh")
    m.pipe(10, 3, 4, P)
    m.wait(10, "read", 3, P.key)
    assert last(m).endswith(
        "it is empty, and only it itself has the write end (fd 4): that will not change by itself"
    )


def test_a_read_of_no_bytes_is_no_end_of_file():
    m = piped()
    m.add(Call, pid=12, tid=12, name="read", args={"fd": 3, "count": 0}, object=P.key, ret=0)
    assert last(m) == "head[12] read 0 bytes from P1 (fd 3): it asked for no more"


def test_a_capacity_that_is_refused():
    m = piped()
    args = {"fd": 4, "cmd": "F_SETPIPE_SZ", "arg": 4096}
    m.add(Call, pid=11, tid=11, name="fcntl", args=args, object=P.key, ret=-1, error="EBUSY")
    assert last(m).startswith("seq[11] could not set the capacity of P1 to 4,096 bytes: EBUSY")


def test_ends_that_go_with_others():
    m = piped()
    m.add(
        Call, pid=10, tid=10, name="close_range", effects=(Closed(fd=0), Closed(fd=3), Closed(fd=4))
    )
    m.add(Call, pid=11, tid=11, name="dup2", ret=4, effects=(Duplicated(fd=4, source=1),))
    assert last(m).endswith("and no longer P1; no writer of P1 is left")
    m = piped()
    m.close(11, 4)
    m.close(12, 3)
    m.close(10, 4)
    m.pipe(10, 4, 5, systems.pipe(2))
    m.add(Call, pid=10, tid=10, name="fcntl", effects=(CloseOnExec(fd=5, cloexec=True),))
    m.execute(10, "wc")
    assert (
        last(m)
        == "sh[10] executes wc: 1 close-on-exec descriptor is closed; no writer of P2 is left"
    )


def test_a_fifo_without_a_reader_and_one_without_a_writer():
    fifo = systems.plain(9, "/tmp/f")
    fifo = ObjectInfo(key=fifo.key, kind="fifo", path=fifo.path)
    m = systems.Maker()
    m.launch(10, "sh")
    args = {"path": "/tmp/f", "flags": "O_WRONLY|O_NONBLOCK"}
    m.add(Call, pid=10, tid=10, name="openat", args=args, object=fifo.key, ret=-1, error="ENXIO")
    assert last(m).startswith(
        "sh[10] could not open the FIFO /tmp/f for writing: ENXIO, no reader has it open"
    )
    m.open(10, 3, fifo, "r")
    m.move(10, "read", 3, fifo, 0)
    assert last(m).endswith("from f (fd 3): it is empty and nobody has it open for writing")


@pytest.mark.parametrize(
    ("offset", "whence", "weight"),
    [(-6, "SEEK_END", STEP), (0, "SEEK_SET", STEP), (9, "SEEK_CUR", STEP), (0, "SEEK_CUR", DETAIL)],
)
def test_a_seek_in_a_pipe(offset, whence, weight):
    m = piped()
    args = {"fd": 3, "offset": offset, "whence": whence}
    m.add(Call, pid=10, tid=10, name="lseek", args=args, object=P.key, ret=-1, error="ESPIPE")
    state = State()
    for event in m.events:
        before, state = state, reduce(state, event)
    found = narrate(m.events[-1], before, state)
    assert found.text == "sh[10] could not seek in P1 (fd 3): ESPIPE, it has no position"
    assert found.weight == weight


def test_tee_copies_and_takes_nothing():
    m = piped()
    other = systems.pipe(2)
    m.pipe(10, 5, 6, other)
    m.move(11, "write", 4, P, 100)
    m.add(Call, pid=10, tid=10, name="tee", args={"fd_in": 3, "fd_out": 6, "count": 64}, ret=64)
    assert (
        last(m)
        == "sh[10] copied 64 bytes from P1 (fd 3) to P2 (fd 6) by tee: they still wait in the"
        " former"
    )
    source, target = (m.state.objects[key] for key in (P.key, other.key))
    assert (source.bytes_out, target.bytes_in) == (0, 64)
