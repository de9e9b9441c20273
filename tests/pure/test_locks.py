"""Locks of files and threads: what stays when a process ends, and what looks like a lock of glibc.

Plain data.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable

import pytest

from ipcviz.events import (
    Call,
    Closed,
    Event,
    Exited,
    FileLock,
    Forked,
    Futex,
    Locks,
    ObjectInfo,
    ObjectLocks,
    Opened,
    Sample,
    Started,
    Trouble,
    Waiting,
)
from ipcviz.kernel import futexes, locks, procfs
from ipcviz.kernel.arch import X86_64
from ipcviz.kernel.futexes import decode_barrier, decode_rwlock
from ipcviz.kernel.libc import Libc
from ipcviz.model.query import Holder, list_holders
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.model.state import State
from ipcviz.model.waits.rules import wait_of
from ipcviz.narrate import narrate
from ipcviz.narrate.waits import describe_wait
from ipcviz.tracer.calls.plans import errno_name
from ipcviz.tracer.calls.table import F_SETLK
from ipcviz.tracer.config import LaunchConfig
from ipcviz.tracer.context import Context
from ipcviz.tracer.emitter import Emitter
from ipcviz.tracer.sampling import locks as lock_looks
from ipcviz.tracer.sampling.locks import MOST, LockLooks

FILE = ObjectInfo(key="8:5", kind="file", path="/s/f", dev=8, ino=5)
HELD = FileLock(kind="flock", mode="w", pid=10, ofd=4)
UNCLAIMED = FileLock(kind="flock", mode="w", pid=10)


def locked(*found: FileLock) -> State:
    opened = Opened(fd=3, ofd=4, object=FILE, mode="rw")
    return reduce_all(
        [
            Started(t=0.0),
            Forked(t=0.0, pid=10, parent=1, how="launched", name="a"),
            Call(t=1.0, pid=10, tid=10, name="openat", ret=3, effects=(opened,)),
            Call(t=2.0, pid=10, tid=10, name="flock", effects=(Locks(FILE.key, found),)),
        ]
    )


def test_which_bytes_are_unlocked_and_who_is_in_the_way() -> None:
    part: dict[str, int | str] = {"fd": 3, "whence": "SEEK_SET", "start": 40, "length": 20}
    free = Call(
        t=3.0,
        pid=10,
        tid=10,
        name="fcntl",
        object=FILE.key,
        args={**part, "cmd": "F_SETLK", "lock": "F_UNLCK"},
    )
    state = locked(FileLock(kind="ofd", mode="w", ofd=4))
    sentence = narrate(free, state, reduce(state, free))
    assert sentence is not None
    assert sentence.text == "a[10] released its lock on f, bytes 40-59 (fd 3)"
    again = Opened(fd=5, ofd=6, object=FILE, mode="rw")
    state = reduce(state, Call(t=3.0, pid=10, tid=10, name="openat", ret=5, effects=(again,)))
    args: dict[str, int | str] = {**part, "fd": 5, "cmd": "F_OFD_SETLK", "lock": "F_WRLCK"}
    refused = Call(
        t=4.0, pid=10, tid=10, name="fcntl", object=FILE.key, args=args, ret=-1, error="EAGAIN"
    )
    sentence = narrate(refused, state, reduce(state, refused))
    assert sentence is not None
    assert "it has one itself, by another open file description" in sentence.text


def test_errors_have_the_names_of_the_manual_pages() -> None:
    assert [errno_name(code) for code in (11, 35, 95, 4095)] == [
        "EAGAIN",
        "EDEADLK",
        "EOPNOTSUPP",
        "errno 4095",
    ]


@pytest.mark.parametrize("lock", [HELD, UNCLAIMED, FileLock(kind="posix", mode="r", pid=10)])
def test_no_lock_outlives_the_last_that_had_it(lock: FileLock) -> None:
    assert not reduce(locked(lock), Exited(t=3.0, pid=10)).locks


def test_a_lock_stays_with_who_has_its_description() -> None:
    state = reduce(locked(HELD), Forked(t=2.5, pid=11, parent=10, name="heir"))
    assert reduce(state, Exited(t=3.0, pid=10)).locks[FILE.key] == (HELD,)


THOUSANDS: bytes = b"".join(
    b"%d: POSIX  ADVISORY  WRITE %d 00:08:%d %d %d\n" % (i, 10 + i % 2, 5 + i % 3, i, i)
    for i in range(6000)
)


def test_only_the_locks_of_the_files_asked_for_are_parsed() -> None:
    found = locks.parse_locks(
        THOUSANDS + b"6001: -> FLOCK  ADVISORY  WRITE 12 00:08:5 0 EOF\n", {(8, 5)}
    )
    assert len(found) == 2001
    assert {(lock.dev, lock.ino) for lock in found} == {(8, 5)}
    assert found[-1].waits
    assert len(locks.parse_locks(THOUSANDS, {(8, 5), (8, 7)}, 10)) == 20
    assert (
        found == tuple(lock for lock in locks.parse_locks(THOUSANDS) if lock.ino == 5) + found[-1:]
    )


def test_of_thousands_of_locks_some_are_told_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        context = Context(X86_64, LaunchConfig(argv=("a",)), Emitter(ours))
        for event in (Started(t=0.0), Forked(t=0.0, pid=10, parent=1, how="launched", name="a")):
            context.emit(event)
        opened = Opened(fd=3, ofd=4, object=FILE, mode="rw")
        context.emit(Call(t=1.0, pid=10, tid=10, name="openat", ret=3, effects=(opened,)))
        looks = LockLooks(context, lambda keys: list_holders(context.state, set(keys)))
        said: list[Event] = []
        monkeypatch.setattr(context, "emit", said.append)
        monkeypatch.setattr(procfs, "read_bytes", lambda path, whole=False: THOUSANDS)
        monkeypatch.setattr(
            procfs, "read_fdinfo", lambda pid, fd: pytest.fail("it costs as much as /proc/locks")
        )
        monkeypatch.setattr(procfs, "read_fd_numbers", lambda pid: (3,))
        monkeypatch.setattr(lock_looks, "WAITING_SHARE", float("inf"))
        assert looks.read_changed(list_holders(context.state)) == (), (
            "the first picture does not wait for locks"
        )
        for _ in range(2):
            (found,) = looks.read_changed(list_holders(context.state))
            assert (found.object, len(found.locks)) == (FILE.key, MOST)
            assert found.locks[0] == FileLock(kind="posix", mode="w", pid=10, start=0, end=0)
        assert [e.message[:23] for e in said if isinstance(e, Trouble)] == [
            "/s/f has more than 200 "
        ]
        # With so many of them a call does not look by itself.
        assert looks.read_effects(10, "fcntl", (3, F_SETLK, 0, 0, 0, 0), FILE.key, ()) == []


@pytest.mark.parametrize(("holding", "times"), [(False, 2), (True, 5)])
def test_a_look_that_makes_us_wait_comes_less_often(
    monkeypatch: pytest.MonkeyPatch, holding: bool, times: int
) -> None:
    """Threads that are stopped wait with the tracer: except in step mode, where nothing runs."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        context = Context(X86_64, LaunchConfig(argv=("a",)), Emitter(ours))
        context.emitter.state, context.holding = locked(HELD), holding
        looks = LockLooks(context, lambda keys: list_holders(context.state, set(keys)))
        reads: list[float] = []
        clock = 0.0

        def read(path: str, whole: bool = False) -> bytes:
            nonlocal clock
            if path == "/proc/locks":
                reads.append(clock)
                clock += 0.01
            return b""

        monkeypatch.setattr(time, "monotonic", lambda: clock)
        monkeypatch.setattr(procfs, "read_bytes", read)
        for start in (0.0, 0.05, 0.1, 0.5, 0.6):
            clock = start
            looks.read_changed(list_holders(context.state))
        assert len(reads) == times


@pytest.mark.parametrize(
    ("change", "seconds", "times"),
    [
        ({}, 0.01, 2),
        ({}, 0.0005, 4),
        ({"holding": True}, 0.01, 4),
        ({"config": LaunchConfig(argv=("a",), full=True)}, 0.01, 4),
    ],
    ids=["dear", "cheap", "in step mode", "in full mode"],
)
def test_calls_leave_it_to_samples_where_looks_at_their_returns_are_dear(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, object], seconds: float, times: int
) -> None:
    """A thousand processes that take one lock by turns wait for each look at it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        context = Context(X86_64, LaunchConfig(argv=("a",)), Emitter(ours))
        context.emitter.state = locked(HELD)
        for name, value in change.items():
            setattr(context, name, value)
        asked: list[float] = []
        clock = spent = 0.0

        def find(keys: Iterable[str]) -> dict[str, tuple[Holder, ...]]:
            nonlocal clock, spent
            asked.append(clock)
            clock, spent = clock + seconds, spent + seconds
            return list_holders(context.state, set(keys))

        looks = LockLooks(context, find)
        monkeypatch.setattr(time, "monotonic", lambda: clock)
        monkeypatch.setattr(time, "thread_time", lambda: spent)
        monkeypatch.setattr(procfs, "read_bytes", lambda path, whole=False: b"")
        monkeypatch.setattr(procfs, "read_fdinfo", lambda pid, fd: None)
        monkeypatch.setattr(procfs, "read_fd_numbers", lambda pid: (3,))
        for start in (0.0, 0.02, 0.05, 0.2):
            clock = start
            found = looks.read_effects(10, "flock", (3, 8, 0, 0, 0, 0), FILE.key, ())
            assert found == ([Locks(FILE.key, ())] if asked[-1] == start else [])
        assert len(asked) == times


def test_a_sample_leaves_it_to_the_call_to_tell_that_a_lock_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A lock of fcntl goes while a close is under way; the close, when it has returned, says so."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        context = Context(X86_64, LaunchConfig(argv=("a",)), Emitter(ours))
        mine = FileLock(kind="posix", mode="w", pid=10, start=0, end=-1)
        context.emitter.state = locked(mine)
        looks = LockLooks(context, lambda keys: list_holders(context.state, set(keys)))
        rows = [b"1: POSIX  ADVISORY  WRITE 10 00:08:5 0 EOF\n"]
        monkeypatch.setattr(procfs, "read_bytes", lambda path, whole=False: b"".join(rows))
        monkeypatch.setattr(procfs, "read_fd_numbers", lambda pid: (3,))
        monkeypatch.setattr(lock_looks, "WAITING_SHARE", float("inf"))

        def look() -> tuple[ObjectLocks, ...]:
            return looks.read_changed(list_holders(context.state))

        assert [look(), look()] == [(), ()]
        rows.clear()
        assert look() == ()
        rows.append(b"1: POSIX  ADVISORY  WRITE 10 00:08:5 0 EOF\n")
        assert look() == (), "it is held again"
        rows.clear()
        assert look() == ()
        assert looks.read_effects(10, "close", (4,), "", [Closed(fd=3)]) == [Locks(FILE.key, ())]
        assert look() == (ObjectLocks(object=FILE.key, locks=()),), "no call has told it"


@pytest.mark.parametrize("fds", [None, ()])
def test_while_a_process_ends_its_lock_is_still_its_own(
    monkeypatch: pytest.MonkeyPatch, fds: tuple[int, ...] | None
) -> None:
    """Its descriptors are out of sight before the kernel has closed them."""
    monkeypatch.setattr(procfs, "read_fd_numbers", lambda pid: fds)
    for now in ((UNCLAIMED,), ()):
        monkeypatch.setattr(locks, "locks_on", lambda *rest, now=now: now)
        assert LockLooks._match_holders(locked(HELD), FILE.key, (), ()) == (HELD,)
    monkeypatch.setattr(procfs, "read_fd_numbers", lambda pid: (3,))
    assert LockLooks._match_holders(locked(HELD), FILE.key, (), ()) == ()


def rwlock(**fields: int) -> bytes:
    names = (
        "readers",
        "writers",
        "phase",
        "line",
        "pad3",
        "pad4",
        "writer",
        "shared",
        "elision",
        "pad2",
        "flags",
        "end",
    )
    return struct.pack("=IIIIIIIIQQII", *(fields.get(name, 0) for name in names))


def test_what_can_be_a_read_write_lock() -> None:
    whole = {"readers": 0b1011, "phase": 3, "line": 3, "writer": 77}
    assert decode_rwlock(rwlock(**whole), private=True) == (0b1011, 3, 3, 77)
    assert decode_rwlock(rwlock(**whole, shared=1), private=False) == (0b1011, 3, 3, 77)
    for wrong in (
        {"shared": 1},
        {"pad3": 1},
        {"elision": 9},
        {"flags": 3},
        {"phase": 4},
        {"line": 9},
        {"readers": 1 << 31},
    ):
        assert decode_rwlock(rwlock(**{**whole, **wrong}), private=True) is None
    assert decode_rwlock(bytes(range(56)), private=True) is None


def test_what_can_be_a_barrier() -> None:
    def made(*words: int, value: int = 4, private: bool = True) -> tuple[int, int] | None:
        return decode_barrier(struct.pack("=IIIII", *words), value, private=private)

    assert made(6, 4, 3, 0, 0) == (2, 3)
    assert made(6, 4, 3, 128, 0, private=False) == (2, 3)
    assert made(6, 4, 3, 128, 0) is None
    assert made(6, 4, 3, 0, 0, value=5) is None
    assert made(4, 4, 3, 0, 0) is None, "nobody has come"
    assert made(7, 4, 3, 0, 0) is None, "all have come"


def memory_of(monkeypatch: pytest.MonkeyPatch, start: int, data: bytes) -> None:
    def read(pid: int, at: int, size: int) -> bytes | None:
        return data[at - start : at - start + size] if at >= start else None

    monkeypatch.setattr(futexes.memory, "read_bytes", read)
    monkeypatch.setattr(
        futexes,
        "locate_futex",
        lambda pid, address, private: Futex("k", offset=address, private=private),
    )


def look(at: int, op: int, value: int, libc: Libc = "glibc", **fates: str) -> Futex:
    raw = (at, op, value, 0, 0, 0)
    found = futexes.read_futex(
        10, 20, raw, lambda place: lambda owner: fates.get(f"t{owner}", "other"), libc
    )  # type: ignore[arg-type,return-value]
    assert found is not None
    return found


def test_a_mutex_whose_owner_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    memory_of(monkeypatch, 1000, struct.pack("=IIIII", 2, 0, 77, 1, 0))
    assert look(1000, 0x80, 2, t77="lives").owner == 77
    found = look(1000, 0x80, 2, t77="gone")
    assert (found.kind, found.owner, found.former) == ("mutex", 0, 77)
    found = look(1000, 0x80, 2, t77="other")
    assert (found.kind, found.owner, found.former) == (
        "mutex",
        0,
        0,
    ), "that id is somebody else's by now"
    robust = look(1000, 0, 0x80000000 | 77, t77="gone")
    assert (robust.kind, robust.former) == ("mutex", 77)


def test_what_musl_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its words mean something else than glibc's: 2 is a thread to join, or a condition variable;
    16 no thread's id.
    """
    waiters = 0x80000000

    def kept(value: int, kind: int = 0, count: int = 1) -> tuple[str, int, int]:
        memory_of(monkeypatch, 1000, struct.pack("=IIi", kind, value, count) + bytes(64))
        found = look(1004, 0x80, value, "musl", t16="gone", t77="lives", t78="gone")
        return found.kind, found.owner, found.former

    assert kept(waiters | 16) == ("mutex", 0, 0)
    assert kept(waiters | 77, kind=1) == ("mutex", 77, 0)
    assert kept(waiters | 78, kind=4 | 2) == ("mutex", 0, 78)
    assert kept(0xFFFFFFFF) == kept(waiters) == ("semaphore", 0, 0)
    assert kept(2) == kept(0) == kept(1) == kept(77) == ("", 0, 0)
    assert (
        kept(waiters | 77)
        == kept(waiters | 16, kind=0x12345)
        == kept(waiters | 16, count=0)
        == ("", 0, 0)
    )
    memory_of(monkeypatch, 1000, struct.pack("=IIIII", 2, 0, 77, 1, 0))
    assert look(1000, 0x80, 2, "", t77="lives").kind == "", "nobody knows whose memory this is"
    assert (
        words(look(1000, 0x80, 2, "go", t77="lives"))
        == "futex, Go's runtime (goroutines are not seen)"
    )
    assert look(1000, 0x86, 0, "", t2="lives").owner == 2, "the kernel's own rules hold for all"


def test_who_wants_what_of_a_read_write_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    memory_of(monkeypatch, 1000, rwlock(readers=0b1011, phase=3, line=3, writer=77) + bytes(64))
    found = look(1008, 0x189, 3, t77="lives")
    assert (found.kind, found.asks, found.owner, found.readers) == ("rwlock", "read", 77, 0)
    found = look(1012, 0x189, 3, t77="gone")
    assert (found.kind, found.asks, found.former) == ("rwlock", "write", 77)
    memory_of(monkeypatch, 1000, rwlock(readers=0b10010, phase=2, line=3) + bytes(64))
    found = look(1008, 0x189, 2)
    assert (found.kind, found.asks, found.readers) == ("rwlock", "write", 2)


def words(futex: Futex) -> str:
    state = reduce_all([Started(t=0.0), Forked(t=0.0, pid=10, parent=1, how="launched", name="a")])
    state = reduce(state, Waiting(t=1.0, pid=10, tid=10, call="futex", futex=futex))
    wait = wait_of(state, 10)
    assert wait is not None
    return describe_wait(state, wait)


def test_they_are_named_as_likely() -> None:
    assert (
        words(Futex("k", kind="barrier", arrived=2, parties=3))
        == "pthread_barrier_wait, probably a barrier: 2 of 3 have come"
    )
    assert (
        words(Futex("k", kind="rwlock", asks="read", readers=0))
        == "pthread_rwlock_rdlock, probably a read-write lock that others have"
    )
    assert (
        words(Futex("k", kind="rwlock", asks="write", readers=2))
        == "pthread_rwlock_wrlock, probably a read-write lock that 2 readers have"
    )
    assert (
        words(Futex("k", kind="mutex", former=99))
        == "pthread_mutex_lock, a mutex whose owner, thread 99, has ended"
    )


def test_who_has_come_is_brought_up_to_date() -> None:
    state = reduce_all([Started(t=0.0), Forked(t=0.0, pid=10, parent=1, how="launched", name="a")])
    state = reduce(
        state,
        Waiting(
            t=1.0,
            pid=10,
            tid=10,
            call="futex",
            futex=Futex("k", kind="barrier", arrived=1, parties=3),
        ),
    )
    state = reduce(
        state, Sample(t=2.0, futexes=(Futex("k", kind="barrier", arrived=2, parties=3),))
    )
    thread = state.threads[10]
    assert thread.waiting is not None
    assert thread.waiting.futex is not None
    assert thread.waiting.futex.arrived == 2


def test_who_has_a_lock_file() -> None:
    state = locked(HELD)
    args: dict[str, int | str] = {"flags": "O_WRONLY|O_CREAT|O_EXCL"}

    def refused(path: str, before: State) -> str:
        event = Call(
            t=4.0,
            pid=11,
            tid=11,
            name="openat",
            args={**args, "path": path},
            ret=-1,
            error="EEXIST",
        )
        sentence = narrate(event, before, reduce(before, event))
        assert sentence is not None
        return sentence.text

    assert refused("/s/f", state).endswith("lets only one make it; a[10] has it open")
    assert refused("./f", state).endswith("; a[10] has it open")
    assert refused("/s/other", state).endswith(
        "no watched process was seen to make it: it may be left over"
    )
    assert refused("/s/f", reduce(state, Exited(t=3.0, pid=10))).endswith(
        "no watched process has it open"
    )
