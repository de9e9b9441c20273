"""The short way of reads and writes tells just what the long one tells."""

import os
import random
import socket

import msgspec
import pytest

from ipcviz import events as ev
from ipcviz.kernel import memory, ptrace, seccomp
from ipcviz.kernel.arch import X86_64, call_numbers
from ipcviz.tracer.config import LaunchConfig
from ipcviz.tracer.emitter import Emitter
from ipcviz.tracer.stops.engine import Engine
from ipcviz.tracer.stops.transfers import Transfers

NUMBERS = call_numbers(X86_64.table)
ME = os.getpid()
PIPE = ev.ObjectInfo(key="pipe:[1]", kind="pipe")
STREAM = ev.ObjectInfo(key="socket:[2]", kind="unix socket", detail="stream", peer="socket:[3]")
PEER = ev.ObjectInfo(key="socket:[3]", kind="unix socket", detail="stream", peer="socket:[2]")
FILE = ev.ObjectInfo(key="file:1:4", kind="file", path="/f")
COUNTER = ev.ObjectInfo(key="anon:5", kind="eventfd")
DESCRIPTORS = (
    (0, PIPE, "r"),
    (1, PIPE, "w"),
    (2, FILE, "rw"),
    (3, STREAM, "rw"),
    (4, PEER, "rw"),
    (5, COUNTER, "rw"),
)
CALLS = ("read", "write", "pread64", "sendto", "recvfrom", "dup", "readv")
RESTART = -512


class Machine:
    """An engine whose kernel is made up, and what it does and tells, in order."""

    def __init__(self, channel: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine = Engine(X86_64, LaunchConfig(argv=("a",), full=True), Emitter(channel))
        self.done: list[object] = []
        self.waiting: dict[int, tuple[int, ptrace.SyscallInfo]] = {}
        self.info: dict[int, ptrace.SyscallInfo] = {}
        context = self.engine._context
        self.engine.add_root(ME)
        (root,) = context.tasks.values()
        root.process.executed = True
        for fd, thing, mode in DESCRIPTORS:
            opened = ev.Opened(fd=fd, ofd=fd + 100, mode=mode, object=thing)
            context.emit(ev.Call(pid=ME, tid=ME, name="open", ret=fd, effects=(opened,)))
        self.engine._adopt_thread(root.process, ME + 1)
        monkeypatch.setattr(ptrace, "resume_thread", self.resume)
        monkeypatch.setattr(ptrace, "syscall_info", lambda tid: self.info.get(tid))
        monkeypatch.setattr(ptrace, "has_pending", lambda tid: True)
        monkeypatch.setattr(memory, "read_bytes", lambda _, at, size: bytes([at % 251]) * size)
        monkeypatch.setattr(memory, "read_iovec", lambda *_: b"v")
        monkeypatch.setattr(ptrace, "wait_for_change", self.wait)
        emit = context.emit

        def note(event: ev.Event) -> None:
            emit(event)
            self.done.append(event)

        monkeypatch.setattr(context, "emit", note)

    def resume(self, tid: int, request: int, signo: int = 0) -> bool:
        self.done.append((tid, request, signo))
        return True

    def wait(self, tid: int) -> tuple[int, int] | None:
        """The stop of one thread, as ptrace.wait_for_change has it."""
        if tid not in self.waiting:
            return 0, 0
        status, self.info[tid] = self.waiting.pop(tid)
        return tid, status


def make_story(seed: int) -> list[tuple[int, str, tuple[int, ...], int, bool]]:
    """What two threads do: thread, call, arguments, result, and whether its return waits to be
    found when the other's stop is handled.
    """
    dice = random.Random(seed)
    story = []
    for _ in range(40):
        count = dice.choice((0, 1, 64, 5000))
        flags = dice.choice((0, 0, 2, 0x4000))
        raw = (dice.randrange(7), 4096, count, flags, dice.choice((0, 0, 8192)), 0)
        result = dice.choice((0, count, count, min(count, 7), -11, RESTART))
        story.append((dice.randrange(2), dice.choice(CALLS), raw, result, dice.random() < 0.3))
    return story


def play(machine: Machine, story: list) -> None:
    """Let the threads make their calls: each enters one once it is out of the one before."""
    inside: dict[int, tuple[int, bool]] = {}

    def leave(tid: int) -> None:
        result, _ = inside.pop(tid)
        info = ptrace.SyscallInfo(
            ptrace.SYSCALL_INFO_EXIT, X86_64.audit, 0, 0, result=result, is_error=result < 0
        )
        machine.waiting[tid] = ptrace.AT_CALL, info

    def handle(tid: int) -> None:
        came = machine.wait(tid)
        if came is not None and came[0]:
            machine.engine.handle_stop(*came)

    for who, name, raw, result, waits in story:
        tid = ME + who
        if tid in inside:
            leave(tid)
        handle(tid)
        info = ptrace.SyscallInfo(
            ptrace.SYSCALL_INFO_SECCOMP, X86_64.audit, 64, 0, NUMBERS[name], raw, data=seccomp.MARK
        )
        machine.waiting[tid] = ptrace.AT_MARK, info
        handle(tid)
        inside[tid] = result, waits
        for other in list(inside):
            if inside[other][1]:
                leave(other)


@pytest.mark.parametrize("seed", range(80))
def test_both_ways_tell_and_do_the_same(seed):
    told = []
    short = []
    for allowed in (True, False):
        ours, theirs = socket.socketpair()
        with pytest.MonkeyPatch.context() as monkeypatch, ours, theirs:
            if allowed:
                for name in ("enter_call", "leave_call"):
                    way = getattr(Transfers, name)
                    monkeypatch.setattr(
                        Transfers,
                        name,
                        lambda *a, way=way: short.append(way(*a)) or short[-1],
                    )
            else:
                for name in ("enter_call", "leave_call"):
                    monkeypatch.setattr(Transfers, name, lambda *_: False)
            machine = Machine(ours, monkeypatch)
            play(machine, make_story(seed))
        told.append([_without_times(what) for what in machine.done])
    assert told[0] == told[1]
    assert short.count(True) > 8, "the short way is taken"


def _without_times(what: object) -> object:
    if not isinstance(what, ev.Call | ev.Entered):
        return what
    slept = {"slept": float(what.slept > 0)}
    return msgspec.structs.replace(what, t=0.0, began=0.0, **slept)
