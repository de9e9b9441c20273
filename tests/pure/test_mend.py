"""Mending calls that being traced cut short, on made-up registers."""

from __future__ import annotations

import pytest

from ipcviz.kernel import ptrace
from ipcviz.kernel.arch import X86_64
from ipcviz.tracer import mend
from ipcviz.tracer.tasks import Entered

WRITE = 1


@pytest.mark.parametrize(
    ("number", "result", "seen"),
    [
        pytest.param(WRITE, 30, 130, id="a part of the rest was written"),
        pytest.param(WRITE, -512, 100, id="nothing of the rest was written"),
        pytest.param(-1, 7, 7, id="it has returned already"),
    ],
)
def test_a_write_that_nobody_will_finish_returns_all_that_it_has_written(
    monkeypatch: pytest.MonkeyPatch, number: int, result: int, seen: int
) -> None:
    registers = [0] * 27
    registers[X86_64.original] = number % (1 << 64)
    registers[X86_64.result] = result % (1 << 64)
    registers[X86_64.arguments[1]], registers[X86_64.arguments[2]] = 0x1064, 400
    kept = list(registers)
    monkeypatch.setattr(ptrace, "get_registers", lambda tid, arch: list(registers))
    monkeypatch.setattr(ptrace, "set_registers", lambda tid, arch, found: kept.__setitem__(slice(None), found))
    entered = Entered(name="write", number=WRITE, raw=(3, 0x1000, 500, 0, 0, 0), args={}, began=0.0, carried=100)
    mend.cut(5, X86_64, entered)
    assert kept[X86_64.result] == seen
    if number == WRITE:
        # As the program left them.
        assert (kept[X86_64.arguments[1]], kept[X86_64.arguments[2]]) == (0x1000, 500)
