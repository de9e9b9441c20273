"""Which calls' effects are told before they are made: only of those that cannot fail."""

from __future__ import annotations

import struct

import pytest

from ipcviz.events import (
    AnyEffect,
    Call,
    Closed,
    Disposition,
    Duplicated,
    FileLock,
    Forked,
    Locks,
    Mask,
    ObjectInfo,
    Opened,
    Started,
)
from ipcviz.events.objects import Mode
from ipcviz.kernel import identity, memory, ptrace
from ipcviz.model.reduce import reduce, reduce_all
from ipcviz.tracer.budget import Budget
from ipcviz.tracer.stops import foretold
from ipcviz.tracer.tasks import Task, TracedProcess

SP = 0x7FFD00000000
SET = 0x1000
ACTION = 0x2000
KILL = 1 << 8
"""SIGKILL in a set."""


@pytest.fixture(autouse=True)
def _memory(monkeypatch: pytest.MonkeyPatch) -> None:
    held = {
        SET: (0b110 | KILL).to_bytes(8, "little"),
        ACTION: struct.pack("=QQQQ", 0x401000, 0x14000000, 0x402000, 0),
    }
    monkeypatch.setattr(
        memory, "read_bytes", lambda tid, address, length: held.get(address, b"")[:length] or None
    )
    monkeypatch.setattr(ptrace, "get_mask", lambda tid: 0b011)


def of(name: str, *args: int) -> tuple[AnyEffect, ...] | None:
    six = (*args, 0, 0, 0)[:6]
    found = foretold.foretell_call(
        1, name, ptrace.SyscallInfo(ptrace.SYSCALL_INFO_SECCOMP, 0, 0, SP, 14, six)
    )
    return None if found is None else (found.effect,)


@pytest.mark.parametrize(("how", "blocked"), [(0, 0b111), (1, 0b001), (2, 0b110)])
def test_a_mask(how: int, blocked: int) -> None:
    assert of("rt_sigprocmask", how, SET, 0, 8) == (Mask(blocked=blocked),)
    assert of("rt_sigprocmask", how, SET, SP + 16, 8) == (Mask(blocked=blocked),)


@pytest.mark.parametrize(
    "args",
    [
        pytest.param((3, SET, 0, 8), id="no such way"),
        pytest.param((0, 0x3000, 0, 8), id="unreadable"),
        pytest.param((0, SET, 0, 4), id="another size"),
        pytest.param((0, SET, 0x5000, 8), id="perhaps nowhere to put the old one"),
        pytest.param((0, SET, SP - 8, 8), id="below the stack"),
    ],
)
def test_a_mask_in_doubt(args: tuple[int, ...]) -> None:
    assert of("rt_sigprocmask", *args) is None


def test_a_handler() -> None:
    (found,) = of("rt_sigaction", 17, ACTION, 0, 8) or ()
    assert isinstance(found, Disposition)
    assert (found.signo, found.action) == (17, "catch")


@pytest.mark.parametrize(
    "args",
    [
        pytest.param((9, ACTION, 0, 8), id="SIGKILL"),
        pytest.param((19, ACTION, 0, 8), id="SIGSTOP"),
        pytest.param((5, ACTION, 0, 8), id="breakpoints have to go first"),
        pytest.param((65, ACTION, 0, 8), id="no signal"),
        pytest.param((0, ACTION, 0, 8), id="zero"),
        pytest.param((17, 0x3000, 0, 8), id="unreadable"),
        pytest.param((17, ACTION, 0x5000, 8), id="perhaps nowhere to put the old one"),
    ],
)
def test_a_handler_in_doubt(args: tuple[int, ...]) -> None:
    assert of("rt_sigaction", *args) is None


FILE = ObjectInfo(key="8:5", kind="file", path="/s/f", dev=8, ino=5)
PIPE = ObjectInfo(key="pipe:[7]", kind="pipe", ino=7)
TMPFS = 0x01021994


def closing(
    thing: ObjectInfo = FILE,
    mode: Mode = "r",
    *more: AnyEffect,
    threads: int = 1,
    magic: int = TMPFS,
    monkeypatch: pytest.MonkeyPatch,
    **facts: bool,
) -> Closed | None:
    """What closing descriptor 3 of a process will do that has opened `thing` there; `facts` of the
    process.
    """
    monkeypatch.setattr(identity, "file_system", lambda dev, path: magic)
    state = reduce_all([Started(t=0.0), Forked(t=0.0, pid=10, parent=1, how="launched", name="a")])
    opened = Opened(fd=3, ofd=4, object=thing, mode=mode)
    state = reduce(
        state, Call(t=1.0, pid=10, tid=10, name="openat", ret=3, effects=(opened, *more))
    )
    process = TracedProcess(10, calls=Budget(1.0), operations=Budget(1.0), marks=Budget(1.0))
    process.tasks = {10 + n: Task(10 + n, process) for n in range(threads)}
    process.full = True
    for name, value in facts.items():
        setattr(process, name, value)
    return foretold.foretell_close(state, process, 3)


def test_a_close_that_only_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert closing(monkeypatch=monkeypatch) == Closed(fd=3)
    assert closing(PIPE, "w", Duplicated(fd=5, source=3), monkeypatch=monkeypatch) == Closed(fd=3)


def test_a_close_that_others_may_notice(monkeypatch: pytest.MonkeyPatch) -> None:
    locked = Locks(FILE.key, (FileLock(kind="flock", mode="r", pid=10, ofd=4),))
    assert closing(FILE, "r", locked, monkeypatch=monkeypatch) is None
    assert closing(FILE, "rw", monkeypatch=monkeypatch) is None, (
        "what was written may fail to get there"
    )
    assert closing(PIPE, "w", monkeypatch=monkeypatch) is None, "its reader may be at the end"
    assert (
        closing(
            ObjectInfo(key="socket:[9]", kind="unix socket", ino=9), "rw", monkeypatch=monkeypatch
        )
        is None
    )
    assert closing(magic=identity.FUSE_MAGIC, monkeypatch=monkeypatch) is None
    assert closing(magic=0, monkeypatch=monkeypatch) is None


def test_a_close_of_what_is_not_known_for_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    assert closing(threads=2, monkeypatch=monkeypatch) is None
    assert closing(shares_files=True, monkeypatch=monkeypatch) is None
    assert closing(doubted=True, monkeypatch=monkeypatch) is None
    assert closing(full=False, monkeypatch=monkeypatch) is None
    assert closing(FILE, "r", Closed(fd=3), monkeypatch=monkeypatch) is None, (
        "EBADF is for the kernel to say"
    )
