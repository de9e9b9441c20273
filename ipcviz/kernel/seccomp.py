"""A seccomp filter that stops a process, for its tracer, at marked system calls and lets all others
pass.

The filter is classic BPF (seccomp(2), linux/filter.h) and is installed in the child before it
executes the command. With SECCOMP_RET_TRACE a marked call needs a tracer: without one it fails with
ENOSYS, so what was launched with the filter can't be left to run on alone.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from ipcviz.events.calls import having
from ipcviz.kernel.arch import Arch, call_numbers

_libc = ctypes.CDLL(None, use_errno=True)

RET_ALLOW: Final = 0x7FFF0000
RET_TRACE: Final = 0x7FF00000

MARK: Final = 0x1C5C
FORBIDDEN: Final = 0x1C5D
"""What our filters return besides RET_TRACE (SECCOMP_RET_DATA): a call to stop at, and one that
strict mode forbids. A program's own filter that returns RET_TRACE has other data, and that of
the filter installed last is what comes."""

_LD_W_ABS: Final = 0x20
_AND: Final = 0x54
_JEQ: Final = 0x15
_JSET: Final = 0x45
_JGE: Final = 0x35
_RET: Final = 0x06

_NUMBER: Final = 0
_ARCH: Final = 4
_ARGS: Final = 16

PR_SET_NO_NEW_PRIVS: Final = 38
SECCOMP_SET_MODE_FILTER: Final = 1
SECCOMP_GET_ACTION_AVAIL: Final = 2


class AnyBits(NamedTuple):
    """Mark a call only if an argument has one of these bits set (low 32 bits)."""

    argument: int
    bits: int


class Masked(NamedTuple):
    """Mark a call only if an argument has this value where these bits are looked at alone (low 32
    bits).
    """

    argument: int
    bits: int
    value: int


class OneOf(NamedTuple):
    """Mark a call only if an argument is one of these values (low 32 bits)."""

    argument: int
    values: tuple[int, ...]


Condition = AnyBits | Masked | OneOf


def is_condition_met(condition: Condition, raw: Sequence[int]) -> bool:
    """Whether a call with these arguments meets a condition."""
    value = raw[condition.argument] & 0xFFFFFFFF
    if isinstance(condition, OneOf):
        return value in condition.values
    if isinstance(condition, Masked):
        return value & condition.bits == condition.value
    return value & condition.bits != 0


def _encode_instruction(code: int, k: int, true: int = 0, false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, true, false, k & 0xFFFFFFFF)


def build_filter(
    arch: Arch, marks: Iterable[str], conditions: Mapping[str, tuple[Condition, ...]]
) -> bytes:
    """The filter's program.

    Args:
        arch: The only architecture that it marks calls of; calls of another one pass unseen.
        marks: Names of the calls to stop at; names that the architecture does not have are passed
            over.
        conditions: For some of them, when: if any of these holds.

    Returns:
        An array of struct sock_filter.
    """
    numbers = call_numbers(arch.table)
    program = [
        _encode_instruction(_LD_W_ABS, _ARCH),
        _encode_instruction(_JEQ, arch.audit, 1, 0),
        _encode_instruction(_RET, RET_ALLOW),
        _encode_instruction(_LD_W_ABS, _NUMBER),
    ]
    for name in sorted(set(marks) & set(numbers)):
        body = _build_condition(conditions.get(name))
        program.append(_encode_instruction(_JEQ, numbers[name], 0, len(body)))
        program.extend(body)
    program.append(_encode_instruction(_RET, RET_ALLOW))
    return b"".join(program)


def _build_condition(conditions: tuple[Condition, ...] | None) -> list[bytes]:
    """What follows a matching number: it ends in a return on every path."""
    trace, allow = _encode_instruction(_RET, RET_TRACE | MARK), _encode_instruction(_RET, RET_ALLOW)
    if conditions is None:
        return [trace]
    body: list[bytes] = []
    for condition in conditions:
        load = _encode_instruction(_LD_W_ABS, _ARGS + 8 * condition.argument)
        # A test that holds returns at once: the instruction behind it is skipped where it does not.
        if isinstance(condition, OneOf):
            for value in condition.values:
                body += [load, _encode_instruction(_JEQ, value, 0, 1), trace]
        elif isinstance(condition, Masked):
            only = _encode_instruction(_AND, condition.bits)
            body += [load, only, _encode_instruction(_JEQ, condition.value, 0, 1), trace]
        else:
            body += [load, _encode_instruction(_JSET, condition.bits, 0, 1), trace]
    return [*body, allow]


STRICT_CALLS: Final = having("strict")
STRICT_CALLS_32: Final = {"x86_64": (0x40000003, (3, 4, 1, 119))}
"""The same of 32-bit calls: AUDIT_ARCH_I386, and its read, write, exit and sigreturn
(mode1_syscalls_32).
"""


def build_strict(arch: Arch) -> bytes:
    """A filter that lets through what strict mode does (seccomp(2)), and has all else decided by
    the tracer.
    """
    numbers = call_numbers(arch.table)
    allowed = {arch.audit: tuple(numbers[name] for name in sorted(STRICT_CALLS))}
    if arch.machine in STRICT_CALLS_32:
        audit, others = STRICT_CALLS_32[arch.machine]
        allowed[audit] = others
    program = []
    for audit, calls in allowed.items():
        body = [_encode_instruction(_LD_W_ABS, _NUMBER)]
        for call in calls:
            body += [_encode_instruction(_JEQ, call, 0, 1), _encode_instruction(_RET, RET_ALLOW)]
        body.append(_encode_instruction(_RET, RET_TRACE | FORBIDDEN))
        program += [
            _encode_instruction(_LD_W_ABS, _ARCH),
            _encode_instruction(_JEQ, audit, 0, len(body)),
            *body,
        ]
    program.append(_encode_instruction(_RET, RET_TRACE | FORBIDDEN))
    return b"".join(program)


class Confinement(NamedTuple):
    """What a thread is confined by, as /proc/PID/task/TID/status has it.

    Attributes:
        mode: Its seccomp mode: 0, 1 (strict), 2 (filters).
        filters: How many filters it has; 0 also where the kernel does not say (before Linux 5.9).
        no_new_privs: It gains no privileges by execve(2).
        is_admin: It has CAP_SYS_ADMIN.
    """

    mode: int = 0
    filters: int = 0
    no_new_privs: bool = False
    is_admin: bool = False


CAP_SYS_ADMIN: Final = 21
"""linux/capability.h"""


def read_confinement(pid: int, tid: int) -> Confinement:
    """A thread's confinement; that of a thread that is gone is none."""
    try:
        with open(f"/proc/{pid}/task/{tid}/status", errors="replace") as file:
            rows = dict(line.split(":\t", 1) for line in file if ":\t" in line)
    except OSError:
        return Confinement()
    return Confinement(
        mode=int(rows.get("Seccomp", "0")),
        filters=int(rows.get("Seccomp_filters", "0")),
        no_new_privs=rows.get("NoNewPrivs", "0").strip() == "1",
        is_admin=bool(int(rows.get("CapEff", "0"), 16) >> CAP_SYS_ADMIN & 1),
    )


def seccomp_number(arch: Arch) -> int:
    """The number of the seccomp call itself."""
    return call_numbers(arch.table)["seccomp"]


def install_filter(program: bytes, number: int) -> None:
    """Install a filter for the calling thread and what it will execute.

    It sets no_new_privs only if the kernel asks for it: with CAP_SYS_ADMIN it does not. Raises
    OSError.
    """
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
    fprog = ctypes.create_string_buffer(header, len(header))
    for attempt in range(2):
        if _libc.syscall(number, SECCOMP_SET_MODE_FILTER, 0, fprog) == 0:
            return
        code = ctypes.get_errno()
        if code == errno.EACCES and attempt == 0:
            _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            continue
        raise OSError(code, os.strerror(code))


def is_available(arch: Arch) -> bool:
    """Whether a process can be stopped for its tracer by a filter: the kernel knows how, and no
    sandbox forbids it.
    """
    action = ctypes.c_uint32(RET_TRACE)
    return (
        int(_libc.syscall(seccomp_number(arch), SECCOMP_GET_ACTION_AVAIL, 0, ctypes.byref(action)))
        == 0
    )
