"""The seccomp filter, executed by a small BPF machine of the test's own."""

import struct

import pytest

from ipcviz.kernel.arch import AARCH64, X86_64, call_numbers
from ipcviz.kernel.seccomp import (
    FORBIDDEN,
    MARK,
    RET_ALLOW,
    RET_TRACE,
    build_filter,
    build_strict,
    is_condition_met,
)
from ipcviz.tracer.calls.table import CONDITIONS, DATA, FULL_CONDITIONS, STRUCTURAL

MARKED = RET_TRACE | MARK


def run(program, arch_code, number, args=(0,) * 6):
    """linux/filter.h, the instructions that a seccomp filter of ours may have."""
    data = struct.pack("=iIQ6Q", number, arch_code, 0, *args)
    code = list(struct.iter_unpack("=HBBI", program))
    pc = value = 0
    while True:
        op, true, false, k = code[pc]
        pc += 1
        if op == 0x20:
            (value,) = struct.unpack_from("=I", data, k)
        elif op == 0x15:
            pc += true if value == k else false
        elif op == 0x45:
            pc += true if value & k else false
        elif op == 0x54:
            value &= k
        elif op == 0x06:
            return k
        else:
            raise AssertionError(hex(op))


@pytest.mark.parametrize("arch", [X86_64, AARCH64], ids=lambda a: a.machine)
def test_structural_calls_are_marked_and_data_calls_are_not(arch):
    program = build_filter(arch, STRUCTURAL, CONDITIONS)
    numbers = call_numbers(arch.table)
    always = (7, 0xFFFF, 5, 3, 2, 1)
    for name in STRUCTURAL:
        if name in numbers and name not in CONDITIONS:
            assert run(program, arch.audit, numbers[name], always) == MARKED, name
    for name in DATA:
        if name in numbers:
            assert run(program, arch.audit, numbers[name], always) == RET_ALLOW, name
    assert run(program, arch.audit, numbers["getpid"]) == RET_ALLOW


def test_calls_of_another_architecture_pass():
    program = build_filter(X86_64, STRUCTURAL, CONDITIONS)
    assert run(program, 0x40000003, call_numbers("x86_64")["close"]) == RET_ALLOW


@pytest.mark.parametrize(
    ("name", "args", "marked"),
    [
        ("fcntl", (3, 0, 10), True),
        ("fcntl", (3, 3, 0), False),
        ("fcntl", (3, 1031, 4096), True),
        ("fcntl", (3, 1030, 0), True),
        ("mmap", (0, 4096, 3, 0x22, 0xFFFFFFFF, 0), False),
        ("mmap", (0, 4096, 3, 0x21, 0xFFFFFFFF, 0), True),
        ("mmap", (0, 4096, 5, 0x02, 3, 0), True),
        ("rt_sigaction", (2, 0, 0x7FFF0000, 8), False),
        ("rt_sigaction", (2, 0x7FFF1234, 0, 8), True),
        ("ioctl", (1, 0x5401, 0), False),
        ("ioctl", (1, 0x5421, 0), True),
    ],
)
def test_conditions(name, args, marked):
    program = build_filter(X86_64, STRUCTURAL, CONDITIONS)
    padded = tuple(args) + (0,) * (6 - len(args))
    expected = MARKED if marked else RET_ALLOW
    assert run(program, X86_64.audit, call_numbers("x86_64")[name], padded) == expected


def test_every_jump_stays_inside_the_program():
    program = build_filter(X86_64, {**STRUCTURAL, **DATA}, CONDITIONS)
    code = list(struct.iter_unpack("=HBBI", program))
    assert len(code) < 4096, "BPF_MAXINSNS"
    for index, (op, true, false, _) in enumerate(code):
        if op & 7 == 5:
            assert index + 1 + max(true, false) < len(code)


@pytest.mark.parametrize(
    ("flags", "prot", "marked"),
    [
        (0x02, 1, True),
        (0x802, 1, False),
        (0x812, 5, True),
        (0x812, 3, False),
        (0x22, 3, False),
        (0x32, 3, True),
        (0x01, 1, True),
        (0x801, 1, True),
    ],
)
def test_in_full_mode_private_mappings_of_files_are_marked_but_not_the_linkers(flags, prot, marked):
    args = (0, 4096, prot, flags, 3, 0)
    program = build_filter(X86_64, STRUCTURAL, FULL_CONDITIONS)
    assert run(program, X86_64.audit, call_numbers("x86_64")["mmap"], args) == (
        MARKED if marked else RET_ALLOW
    )
    assert any(is_condition_met(condition, args) for condition in FULL_CONDITIONS["mmap"]) == marked


STRICT = {"read", "write", "exit", "rt_sigreturn"}


def test_strict_mode_lets_four_calls_through():
    program = build_strict(X86_64)
    for name, number in call_numbers("x86_64").items():
        expected = RET_ALLOW if name in STRICT else RET_TRACE | FORBIDDEN
        assert run(program, X86_64.audit, number) == expected, name
        x32 = run(program, X86_64.audit, number | 0x40000000)
        assert x32 == RET_TRACE | FORBIDDEN, name


@pytest.mark.parametrize(
    ("number", "allowed"), [(3, True), (4, True), (1, True), (119, True), (0, False), (20, False)]
)
def test_strict_mode_of_32_bit_calls(number, allowed):
    expected = RET_ALLOW if allowed else RET_TRACE | FORBIDDEN
    assert run(build_strict(X86_64), 0x40000003, number) == expected


def test_strict_mode_allows_nothing_of_other_architectures():
    assert (
        run(build_strict(X86_64), AARCH64.audit, call_numbers("arm64")["read"])
        == RET_TRACE | FORBIDDEN
    )
