"""What a call of aarch64 has returned when a signal is delivered.

The kernel forgets the call's number before that, and has brought the thread back already to a call
that it begins again (do_signal in arch/arm64/kernel/signal.c).
"""

from __future__ import annotations

import pytest

from ipcviz.kernel import memory, ptrace
from ipcviz.kernel.arch import AARCH64, X86_64
from ipcviz.tracer.stops import mend

SVC, ADD = AARCH64.syscall_code, b"\x20\x00\x02\x8b"
READ, PC = 63, 0x4000


def make_registers(*, result, call=ptrace.NO_CALL, number=READ):
    registers = [0] * 35
    registers[AARCH64.pc], registers[AARCH64.original] = PC, call
    registers[AARCH64.number] = number
    registers[AARCH64.result] = result & ptrace.NO_CALL
    return registers


@pytest.fixture
def code(monkeypatch):
    """The instructions around the thread, by address."""
    words = {}
    monkeypatch.setattr(memory, "read_bytes", lambda tid, address, size: words.get(address))
    return words


def test_behind_the_call_that_it_made(code):
    code |= {PC - 4: SVC, PC: ADD}
    registers = make_registers(result=-4)
    assert mend._read_result(1, AARCH64, registers) == -4
    assert not mend._is_before_call(1, AARCH64, registers)


def test_brought_back_to_a_call_that_is_begun_again(code):
    code |= {PC - 4: ADD, PC: SVC}
    registers = make_registers(result=3)  # the descriptor: its first argument again
    assert mend._read_result(1, AARCH64, registers) == -512
    assert mend._is_before_call(1, AARCH64, registers)


def test_code_that_cannot_be_read_is_no_call(code):
    assert not mend._is_before_call(1, AARCH64, make_registers(result=-4))


def test_at_a_calls_own_stops_the_kernel_knows_it(code):
    code |= {PC - 4: SVC, PC: SVC}
    registers = make_registers(result=7, call=READ)
    assert mend._read_result(1, AARCH64, registers) == 7
    assert not mend._is_before_call(1, AARCH64, registers)


def test_on_x86_64_the_registers_say_it(code):
    code |= {PC - 2: X86_64.syscall_code, PC: X86_64.syscall_code}
    registers = [0] * 27
    registers[X86_64.pc], registers[X86_64.original] = PC, ptrace.NO_CALL
    registers[X86_64.result] = -512 & ptrace.NO_CALL
    assert not mend._is_before_call(1, X86_64, registers)
    assert mend._read_result(1, X86_64, registers) == -512
