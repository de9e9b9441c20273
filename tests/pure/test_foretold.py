"""Which calls' effects are told before they are made: only of those that cannot fail."""

from __future__ import annotations

import struct

import pytest

from ipcviz.events import AnyEffect, Disposition, Mask
from ipcviz.kernel import memory, ptrace
from ipcviz.tracer import foretold

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
    monkeypatch.setattr(memory, "read", lambda tid, address, length: held.get(address, b"")[:length] or None)
    monkeypatch.setattr(ptrace, "get_mask", lambda tid: 0b011)


def of(name: str, *args: int) -> tuple[AnyEffect, ...] | None:
    six = (*args, 0, 0, 0)[:6]
    return foretold.effects(1, name, ptrace.SyscallInfo(ptrace.SYSCALL_INFO_SECCOMP, 0, 0, SP, 14, six))


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
