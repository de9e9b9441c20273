"""A program's own seccomp, as it is without ours: strict mode, its filters, and what it is told of
them.

What a program is launched with is a filter (`ipcviz.kernel.seccomp`), and for an ordinary user
`no_new_privs`. Both are inherited, so the kernel would answer a program that uses seccomp(2) itself
otherwise than alone:

* Strict mode fails with EINVAL, since the thread is in filter mode already. So a filter is
  installed in its place that lets the same four calls through, and has the tracer end the thread at
  any other one.
* A call that the program's own filter answers with SECCOMP_RET_TRACE would be made, since there is
  a tracer. Without one it fails with ENOSYS (seccomp(2)), and so it does here. The filter's data
  tells whose mark it is.
* PR_GET_SECCOMP and PR_GET_NO_NEW_PRIVS tell of the program's own alone.
* A filter without `no_new_privs` fails with EACCES for an ordinary user, since ours is not the
  program's own.

What /proc/PID/status says (`Seccomp`, `Seccomp_filters`, `NoNewPrivs`) is not changed.
"""

from __future__ import annotations

import enum
import errno
import os
import signal
import struct
from collections.abc import Mapping, Sequence
from typing import Final

from ipcviz.events import Trouble
from ipcviz.events.calls import having
from ipcviz.kernel import memory, procfs, ptrace, seccomp
from ipcviz.kernel.arch import Arch, call_numbers
from ipcviz.kernel.seccomp import Condition, OneOf
from ipcviz.tracer.calls.table import (
    PR_SET_SECCOMP,
    SECCOMP_SET_MODE_FILTER,
    SECCOMP_SET_MODE_STRICT,
)
from ipcviz.tracer.context import Context
from ipcviz.tracer.tasks import Task

# linux/prctl.h
PR_GET_SECCOMP: Final = 21
PR_SET_TSC: Final = 26
PR_TSC_SIGSEGV: Final = 2
PR_SET_NO_NEW_PRIVS: Final = 38
PR_GET_NO_NEW_PRIVS: Final = 39

MODE_STRICT: Final = 1
MODE_FILTER: Final = 2
"""linux/seccomp.h"""

ASKED: Final = OneOf(0, (PR_GET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS))
"""Uses of prctl that are marked for what is done here alone, and are not told."""

CALLS: Final = having("confines")

RED_ZONE: Final = 128
"""Bytes below the stack pointer that a function may use (x86-64 psABI, 3.2.2)."""


class Verdict(enum.Enum):
    """What is to become of a thread that stands at a marked call."""

    PASSES = enum.auto()
    """The call is made as usual."""
    PASSES_UNTOLD = enum.auto()
    """The call is made, and is no event of the stream."""
    ANSWERED = enum.auto()
    """The call is not made: its result is set already."""
    ANSWERED_UNTOLD = enum.auto()
    """The same of one that is no event of the stream."""
    MADE = enum.auto()
    """The call has been made in another form and has succeeded: the thread stands at its return."""
    KILLED = enum.auto()
    """The thread has been sent SIGKILL."""


class Cut(Exception):
    """Another stop came before a call was made in another form; the thread stands before it again.

    Attributes:
        status: That stop, as waitpid(2) gives it.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def add_marks(conditions: Mapping[str, tuple[Condition, ...]]) -> dict[str, tuple[Condition, ...]]:
    """The conditions of the marks, with those of the calls that are looked at here alone."""
    return {**conditions, "prctl": (*conditions["prctl"], ASKED)}


def is_imposed(pid: int) -> bool:
    """Whether a process that was launched has no_new_privs because our filter needed it."""
    ours = seccomp.read_confinement(os.getpid(), os.getpid())
    return seccomp.read_confinement(pid, pid).no_new_privs and not ours.no_new_privs


def decide_verdict(context: Context, task: Task, info: ptrace.SyscallInfo) -> Verdict:
    """Decide what becomes of a call at which a filter has stopped a thread: one of `CALLS`, or one
    not marked by us.

    Args:
        context: The session's.
        task: The thread.
        info: The call, at the seccomp stop.

    Raises:
        Cut: Something else stopped the thread meanwhile.
    """
    arch = context.arch
    if info.data == seccomp.FORBIDDEN and task.strict:
        return _end_thread(context, task, info)
    if info.data != seccomp.MARK:
        # Without a tracer such a call fails. The mark is the program's own, and of the two the
        # kernel gives its.
        return Verdict.ANSWERED if answer_call(task.tid, arch, -errno.ENOSYS) else Verdict.PASSES
    if info.number == call_numbers(arch.table)["seccomp"]:
        operation, flags, pointer = (value & 0xFFFFFFFF for value in info.args[:3])
        if operation == SECCOMP_SET_MODE_STRICT and not flags and not info.args[2]:
            return _decide_strict(context, task, info)
        return (
            _decide_filter(context, task)
            if operation == SECCOMP_SET_MODE_FILTER and pointer
            else Verdict.PASSES
        )
    return _decide_prctl(context, task, info)


def answer_call(tid: int, arch: Arch, result: int) -> bool:
    """At the entry of a call: let it not be made, and return this.

    False if that can't be done here.
    """
    registers = ptrace.get_registers(tid, arch)
    if registers is None:
        return False
    registers[arch.original] = ptrace.NO_CALL
    registers[arch.result] = result & ptrace.NO_CALL
    return ptrace.set_registers(tid, arch, registers)


def _decide_prctl(context: Context, task: Task, info: ptrace.SyscallInfo) -> Verdict:
    option = info.args[0] & 0xFFFFFFFF
    rest = info.args[1:5]
    if option == PR_SET_SECCOMP:
        if info.args[1] == MODE_STRICT:
            return _decide_strict(context, task, info)
        return _decide_filter(context, task) if info.args[1] == MODE_FILTER else Verdict.PASSES
    if option == PR_SET_NO_NEW_PRIVS:
        task.no_new_privs |= rest == (1, 0, 0, 0)
        return Verdict.PASSES_UNTOLD
    if option == PR_GET_NO_NEW_PRIVS and context.imposes_no_new_privs and not any(rest):
        return _answered_untold(context, task, int(task.no_new_privs))
    if option == PR_GET_SECCOMP:
        own = _has_own_filter(task)
        mode = MODE_FILTER if own else seccomp.read_confinement(os.getpid(), os.getpid()).mode
        return _answered_untold(context, task, mode)
    # Those that are told: a signal at the parent's death, orphans.
    return Verdict.PASSES if option not in ASKED.values else Verdict.PASSES_UNTOLD


def _answered_untold(context: Context, task: Task, result: int) -> Verdict:
    done = answer_call(task.tid, context.arch, result)
    return Verdict.ANSWERED_UNTOLD if done else Verdict.PASSES_UNTOLD


def _has_own_filter(task: Task) -> bool:
    """Whether a thread has another filter than what it was launched with."""
    ours = seccomp.read_confinement(os.getpid(), os.getpid()).filters + 1
    return seccomp.read_confinement(task.process.pid, task.tid).filters > ours


def _decide_filter(context: Context, task: Task) -> Verdict:
    """A filter of the program's own: who has neither privileges nor given them up may not install
    one.
    """
    if not context.imposes_no_new_privs or task.no_new_privs:
        return Verdict.PASSES
    if seccomp.read_confinement(task.process.pid, task.tid).is_admin:
        return Verdict.PASSES
    return (
        Verdict.ANSWERED if answer_call(task.tid, context.arch, -errno.EACCES) else Verdict.PASSES
    )


def _decide_strict(context: Context, task: Task, info: ptrace.SyscallInfo) -> Verdict:
    """Strict mode, by a filter in its place; where the thread has one of its own, alone too, the
    kernel refuses it.
    """
    if _has_own_filter(task):
        return Verdict.PASSES
    if _install_strict(context.arch, task, info):
        task.strict = True
        return Verdict.MADE
    message = (
        f"{procfs.read_comm(task.process.pid)} asked for seccomp's strict mode and was refused it"
        " (EINVAL), which it would not be alone: watch it with --no-seccomp."
    )
    context.emit(Trouble(pid=task.process.pid, message=message))
    return Verdict.PASSES


def _install_strict(arch: Arch, task: Task, info: ptrace.SyscallInfo) -> bool:
    """Have a thread install the filter that stands for strict mode.

    It is left at the return of its call.

    As the kernel's strict mode does on x86, reading the time stamp counter is forbidden, too. The
    filter needs no_new_privs of who has no privileges, and who may execute nothing any more loses
    nothing by it.
    """
    numbers = call_numbers(arch.table)
    program = seccomp.build_strict(arch)
    header = struct.Struct("=HxxxxxxQ")
    room = header.size + len(program)
    address = (info.sp - RED_ZONE - room) & ~0xF
    before = memory.read_bytes(task.tid, address, room)
    if before is None or len(before) < room:
        # The stack ends there: within the page of its pointer there is room, too, and all is put
        # back.
        address = info.sp & -memory.PAGE_SIZE
        before = memory.read_bytes(task.tid, address, room)
        if before is None or len(before) < room:
            return False
    written = header.pack(len(program) // 8, address + header.size) + program
    if not ptrace.poke_memory(task.tid, address, written):
        return False
    try:
        results = make_calls(
            task.tid,
            arch,
            (
                (numbers["prctl"], (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)),
                (numbers["prctl"], (PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0)),
                (numbers["seccomp"], (SECCOMP_SET_MODE_FILTER, 0, address, 0, 0)),
            ),
        )
    finally:
        ptrace.poke_memory(task.tid, address, before)
    return results[-1] == 0


def make_calls(tid: int, arch: Arch, calls: Sequence[tuple[int, tuple[int, ...]]]) -> list[int]:
    """Have a thread, which stands at the seccomp stop of a call, make others in its place.

    Its registers are then those of a call that has returned the last result. Signals wait
    meanwhile.

    Returns:
        The results; negative error numbers of what failed.

    Raises:
        Cut: Another stop came first. The thread will make its own call again.
    """
    saved, mask = ptrace.get_registers(tid, arch), ptrace.get_mask(tid)
    results: list[int] = []
    if saved is None or mask is None:
        return [-errno.ESRCH]
    own = saved[arch.original]
    ptrace.set_mask(tid, ptrace.NO_CALL)
    try:
        for number, arguments in calls:
            registers = list(saved)
            if results:
                registers[arch.pc] -= arch.syscall_length
            registers[arch.original] = ptrace.NO_CALL if results else number
            registers[arch.number] = number
            for index, value in zip(arch.call_arguments, arguments, strict=False):
                registers[index] = value
            ptrace.set_registers(tid, arch, registers)
            results.append(_run_to_return(tid))
        saved[arch.result] = results[-1] & ptrace.NO_CALL
        ptrace.set_registers(tid, arch, saved)
    except Cut:
        saved[arch.pc] -= arch.syscall_length
        saved[arch.original], saved[arch.number] = ptrace.NO_CALL, own
        ptrace.set_registers(tid, arch, saved)
        raise
    finally:
        ptrace.set_mask(tid, mask)
    return results


def _run_to_return(tid: int) -> int:
    """Let a thread run until the call returns that it makes first; its result."""
    while True:
        ptrace.resume_thread(tid, ptrace.SYSCALL)
        came = ptrace.wait_for_change(tid, block=True)
        status = came[1] if came is not None else 0
        info = ptrace.syscall_info(tid) if status in (ptrace.AT_CALL, ptrace.AT_MARK) else None
        if info is None:
            raise Cut(status)
        if info.op == ptrace.SYSCALL_INFO_EXIT:
            return info.result


def _end_thread(context: Context, task: Task, info: ptrace.SyscallInfo) -> Verdict:
    """End a thread in strict mode that makes another call, as the kernel does: the thread alone, as
    by SIGKILL.
    """
    pid, arch = task.process.pid, context.arch
    native = info.arch == arch.audit
    if len(task.process.tasks) == 1:
        unnamed = f"system call {info.number}" if native else f"32-bit system call {info.number}"
        task.process.forbidden = context.names.get(info.number, unnamed) if native else unnamed
        os.kill(pid, signal.SIGKILL)
        return Verdict.KILLED
    registers = ptrace.get_registers(task.tid, arch)
    if registers is not None:
        # How one of several threads ended is seen by nobody but its tracer.
        registers[arch.original] = call_numbers(arch.table)["exit"]
        registers[arch.call_arguments[0]] = signal.SIGKILL
        ptrace.set_registers(task.tid, arch, registers)
    return Verdict.PASSES_UNTOLD
