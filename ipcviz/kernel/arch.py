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
        call_set: The register set that holds the number of the call that a thread is in, and
            nothing else; 0 if that is among the registers. Where it is one of its own, the number
            comes behind the last of `registers`.
        pc: Index of the program counter among them.
        sp: Index of the stack pointer.
        result: Index of a call's result.
        number: Index of the register from which the kernel takes the call's number when it is made
            again.
        original: Index that holds the number of the call that a thread is in; all bits are set if
            it is in none.
        restart_shows: At the delivery of a signal the registers are still as the call has returned.
            Else the kernel has made them ready by then to begin a call again that a signal cuts
            short: the program counter is at the call, and the result is its first argument again
            (do_signal in arch/arm64/kernel/signal.c).
        arguments: Indices of the first four arguments of a C function.
        call_arguments: Indices of the six arguments of a system call.
        return_room: How many bytes a function takes from the stack when it returns.
        breakpoint: The instruction that traps.
        trap_skip: How far the program counter is past the breakpoint's address when it traps.
        syscall_length: Length of the instruction that makes a call, in bytes.
        syscall_code: That instruction.
        stops_before: A debug register stops a thread before it loads or stores, not behind.
    """

    machine: str
    table: str
    audit: int
    elf_machine: str
    registers: str
    call_set: int
    pc: int
    sp: int
    result: int
    number: int
    original: int
    restart_shows: bool
    arguments: tuple[int, int, int, int]
    call_arguments: tuple[int, int, int, int, int, int]
    return_room: int
    breakpoint: bytes
    trap_skip: int
    syscall_length: int
    syscall_code: bytes
    stops_before: bool


X86_64: Final = Arch(
    machine="x86_64",
    table="x86_64",
    audit=0xC000003E,
    elf_machine="EM_X86_64",
    # r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss,
    # then fs_base gs_base ds es fs gs
    registers="=27Q",
    call_set=0,
    pc=16,
    sp=19,
    result=10,
    number=10,
    original=15,
    restart_shows=True,
    arguments=(14, 13, 12, 11),
    call_arguments=(14, 13, 12, 7, 9, 8),
    return_room=8,
    breakpoint=b"\xcc",
    trap_skip=1,
    syscall_length=2,
    syscall_code=b"\x0f\x05",
    stops_before=False,
)

AARCH64: Final = Arch(
    machine="aarch64",
    table="arm64",
    audit=0xC00000B7,
    elf_machine="EM_AARCH64",
    # x0..x30 sp pc pstate
    registers="=34Q",
    call_set=0x404,  # NT_ARM_SYSTEM_CALL (linux/elf.h)
    pc=32,
    sp=31,
    result=0,
    number=8,
    original=34,
    restart_shows=False,
    arguments=(0, 1, 2, 3),
    call_arguments=(0, 1, 2, 3, 4, 5),
    return_room=0,
    breakpoint=struct.pack("<I", 0xD4200000),
    trap_skip=0,
    syscall_length=4,
    syscall_code=struct.pack("<I", 0xD4000001),
    stops_before=True,
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
