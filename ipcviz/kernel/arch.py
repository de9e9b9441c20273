"""What differs between processor architectures, as a table: numbers, register layouts, the
breakpoint instruction.
"""

from __future__ import annotations

import os
import struct
from functools import cache
from typing import Final, NamedTuple

import system_calls


class Arch(NamedTuple):
    """One architecture's facts.

    Attributes:
        machine: `uname -m`.
        table: The name of its system call table.
        audit: AUDIT_ARCH_* (linux/audit.h), as seccomp and PTRACE_GET_SYSCALL_INFO report it.
        elf_machine: e_machine of its programs (elf.h).
        registers: struct format of NT_PRSTATUS (asm/ptrace.h), all words unsigned.
        pc: Index of the program counter among them.
        sp: Index of the stack pointer.
        result: Index of a call's result.
        number: Index of the register from which the kernel takes the call's number when it is made
            again.
        original: Index that holds the number of the interrupted call; -1 if there is none to read.
        arguments: Indices of the first four arguments of a C function.
        call_arguments: Indices of the six arguments of a system call.
        breakpoint: The instruction that traps.
        trap_skip: How far the program counter is past the breakpoint's address when it traps.
        syscall_length: Length of the instruction that makes a call, in bytes.
    """

    machine: str
    table: str
    audit: int
    elf_machine: str
    registers: str
    pc: int
    sp: int
    result: int
    number: int
    original: int
    arguments: tuple[int, int, int, int]
    call_arguments: tuple[int, int, int, int, int, int]
    breakpoint: bytes
    trap_skip: int
    syscall_length: int


X86_64: Final = Arch(
    machine="x86_64",
    table="x86_64",
    audit=0xC000003E,
    elf_machine="EM_X86_64",
    # r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss,
    # then fs_base gs_base ds es fs gs
    registers="=27Q",
    pc=16,
    sp=19,
    result=10,
    number=10,
    original=15,
    arguments=(14, 13, 12, 11),
    call_arguments=(14, 13, 12, 7, 9, 8),
    breakpoint=b"\xcc",
    trap_skip=1,
    syscall_length=2,
)

AARCH64: Final = Arch(
    machine="aarch64",
    table="arm64",
    audit=0xC00000B7,
    elf_machine="EM_AARCH64",
    # x0..x30 sp pc pstate
    registers="=34Q",
    pc=32,
    sp=31,
    result=0,
    number=8,
    original=8,
    arguments=(0, 1, 2, 3),
    call_arguments=(0, 1, 2, 3, 4, 5),
    breakpoint=struct.pack("<I", 0xD4200000),
    trap_skip=0,
    syscall_length=4,
)

ARCHES: Final = {arch.machine: arch for arch in (X86_64, AARCH64)}


@cache
def find_native_arch() -> Arch | None:
    """This machine's architecture; None if ipcviz has no table for it."""
    return ARCHES.get(os.uname().machine)


@cache
def call_numbers(table: str) -> dict[str, int]:
    """System call numbers by name for an architecture's table."""
    numbers: dict[str, int] = system_calls.syscalls().load_arch_table(table)
    return numbers


@cache
def call_names(table: str) -> dict[int, str]:
    """System call names by number for an architecture's table."""
    return {number: name for name, number in call_numbers(table).items()}
