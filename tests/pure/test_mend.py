"""Mending calls that being traced cut short, on made-up registers."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from ipcviz.kernel import ptrace
from ipcviz.kernel.arch import X86_64, call_numbers
from ipcviz.tracer.budget import Budget
from ipcviz.tracer.calls import deadlines
from ipcviz.tracer.calls.remainders import Leg
from ipcviz.tracer.config import LaunchConfig
from ipcviz.tracer.context import Context
from ipcviz.tracer.emitter import Emitter
from ipcviz.tracer.stops import mend
from ipcviz.tracer.stops.mend import CutCall, Mending
from ipcviz.tracer.tasks import Entered, Task, TracedProcess

NUMBERS = call_numbers(X86_64.table)
WRITE, EPOLL_WAIT = NUMBERS["write"], NUMBERS["epoll_wait"]
WHOLE = (3, 0x1000, 500, 0, 0, 0)
REST = (3, 0x1064, 400, 0, 0, 0)
WAIT = (5, 0x2000, 1, 500, 0, 0)
NONE = (1 << 64) - 1


class Machine:
    """A thread's registers."""

    def __init__(self, number: int, args: tuple[int, ...], result: int) -> None:
        self.registers = [0] * 27
        self.registers[X86_64.pc] = 0x400000
        self.registers[X86_64.original] = number % (1 << 64)
        self.registers[X86_64.result] = result % (1 << 64)
        for index, value in zip(X86_64.call_arguments, args, strict=True):
            self.registers[index] = value

    @property
    def args(self) -> tuple[int, ...]:
        return tuple(self.registers[index] for index in X86_64.call_arguments)

    @property
    def result(self) -> int:
        value = self.registers[X86_64.result]
        return value - (1 << 64) if value >> 63 else value


@pytest.fixture
def mending() -> Iterator[Mending]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Mending(Context(X86_64, LaunchConfig(argv=("a",)), Emitter(ours)))


@pytest.fixture
def task(monkeypatch: pytest.MonkeyPatch) -> Task:
    monkeypatch.setattr(ptrace, "has_pending", lambda tid: False)
    return Task(5, TracedProcess(5, Budget(1), Budget(1), Budget(1)))


def put(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    monkeypatch.setattr(ptrace, "get_registers", lambda tid, arch: list(machine.registers))

    def keep(tid: int, arch: object, registers: list[int]) -> bool:
        machine.registers = registers
        return True

    monkeypatch.setattr(ptrace, "set_registers", keep)


def a_write(*, back: bool = False) -> Entered:
    """A write whose first 100 bytes have gone, and whose rest is being made."""
    legs = (Leg("write", REST, 400),)
    return Entered(
        "write",
        WRITE,
        WHOLE,
        {},
        0.0,
        carried=100,
        mended=True,
        legs=legs,
        making=WRITE,
        back=back,
        last=100,
    )


@pytest.mark.parametrize(
    ("back", "result", "seen"),
    [
        pytest.param(False, 30, 130, id="a part of the rest was written"),
        pytest.param(False, -512, 100, id="nothing of the rest was written"),
        pytest.param(True, WRITE, 100, id="the rest was not begun yet"),
    ],
)
def test_a_write_that_nobody_will_finish_returns_all_that_it_has_written(
    monkeypatch: pytest.MonkeyPatch,
    mending: Mending,
    task: Task,
    back: bool,
    result: int,
    seen: int,
) -> None:
    machine = Machine(-1 if back else WRITE, REST, result)
    put(monkeypatch, machine)
    assert mending.cut_call(task, a_write(back=back)) == machine.result == seen
    assert machine.args == WHOLE  # as the program left them
    assert machine.registers[X86_64.pc] == 0x400000 + 2 * back


@pytest.mark.parametrize(("result", "whole"), [(400, 500), (-errno.EPIPE, 100), (50, 150)])
def test_at_the_end_the_program_sees_the_whole(
    monkeypatch: pytest.MonkeyPatch, mending: Mending, task: Task, result: int, whole: int
) -> None:
    machine = Machine(WRITE, REST, result)
    put(monkeypatch, machine)
    assert mending.handle_return(task, a_write(), result) == machine.result == whole
    assert machine.args == WHOLE


def test_a_call_with_a_limit_is_made_again_until_that_is_up(
    monkeypatch: pytest.MonkeyPatch, mending: Mending, task: Task
) -> None:
    machine = Machine(EPOLL_WAIT, WAIT, -errno.EINTR)
    put(monkeypatch, machine)
    now = mending._context.emitter.now()
    entered = Entered("epoll_wait", EPOLL_WAIT, WAIT, {}, now - 0.2)
    task.deferred = (entered, -errno.EINTR)
    assert mending.undo_cut(task, lambda signo: "ignore") == CutCall(True)
    assert (machine.args, machine.registers[X86_64.pc]) == (WAIT, 0x400000 - 2)
    assert (machine.result, machine.registers[X86_64.original]) == (EPOLL_WAIT, NONE)
    assert entered.until == pytest.approx(now + 0.3)  # it began 0.2 s ago, and lasts 0.5 s
    assert task.interrupted == (entered, -errno.EINTR)
    # Once more, when it is late already: it comes back as if its time had passed.
    task.interrupted, entered.back, entered.until = None, False, now
    machine = Machine(EPOLL_WAIT, WAIT, -errno.EINTR)
    put(monkeypatch, machine)
    assert mending.handle_return(task, entered, -errno.EINTR) == machine.result == 0


def test_what_the_kernel_begins_again_by_itself_is_left_to_it(
    monkeypatch: pytest.MonkeyPatch, mending: Mending, task: Task
) -> None:
    machine = Machine(NUMBERS["wait4"], (1, 0, 0, 0, 0, 0), -512)
    before = list(machine.registers)
    put(monkeypatch, machine)
    assert mending.undo_cut(task, lambda signo: "ignore") is None
    assert machine.registers == before


@pytest.mark.parametrize(("left", "over"), [(0.0, True), (0.2, False)])
def test_a_recvmmsg_whose_time_is_up_waits_for_no_further_message(
    monkeypatch: pytest.MonkeyPatch, mending: Mending, task: Task, left: float, over: bool
) -> None:
    """It asks after each message whether its time is up, and writes how much of it is left."""
    number = NUMBERS["recvmmsg"]
    raw = (3, 0x4000, 3, 0, 0x5000, 0)
    machine = Machine(number, raw, 1)
    put(monkeypatch, machine)
    socket_that_waits = SimpleNamespace(
        read_file=lambda _: SimpleNamespace(blocks=True), forget_error=lambda _: None
    )
    monkeypatch.setattr(mend, "_Look", lambda _: socket_that_waits)
    monkeypatch.setattr(deadlines, "read_length", lambda *_: left)
    monkeypatch.setattr(ptrace, "poke_memory", lambda *_: True)
    entered = Entered("recvmmsg", number, raw, {}, mending._context.emitter.now() - 1.0)
    task.deferred = (entered, 1)
    found = mending.undo_cut(task, lambda signo: "ignore")
    assert found == (CutCall(False, 1) if over else CutCall(True))
    assert machine.result == (1 if over else number)
