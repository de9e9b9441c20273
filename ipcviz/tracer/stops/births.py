"""What a process or thread is that has just been made: from the registers of the call that made it,
or from /proc.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ipcviz.kernel import descriptors, memory, procfs, ptrace
from ipcviz.tracer.context import Context
from ipcviz.tracer.tasks import Task

# linux/sched.h
CLONE_VM: Final = 0x100
CLONE_FILES: Final = 0x400
CLONE_VFORK: Final = 0x4000
CLONE_PARENT: Final = 0x8000
CLONE_THREAD: Final = 0x10000
CLONE_NEWPID: Final = 0x20000000


class Made(NamedTuple):
    """A new process or thread.

    Attributes:
        thread: It is a thread of the process that made it.
        parent: Its parent process.
        shares_files: It has the descriptor table of its maker.
        shares_memory: It has the memory of its maker.
        inner: Its numbers in PID namespaces within ours, outermost first.
    """

    thread: bool
    parent: int
    shares_files: bool
    shares_memory: bool
    inner: tuple[int, ...] = ()


def read_birth(context: Context, task: Task, tid: int, event: int) -> Made:
    """What a thread has made, which stands at the ptrace event that tells of it.

    Args:
        context: The session's.
        task: The maker.
        tid: What it made.
        event: ptrace's event.
    """
    pid = task.process.pid
    told = not task.process.foreign and not task.process.nests and context.policy.from_start
    flags = (
        _read_clone_flags(context, task.tid)
        if told and not context.numbers.is_nested(pid)
        else None
    )
    if flags is not None and not flags & (CLONE_PARENT | CLONE_NEWPID):
        return Made(
            bool(flags & CLONE_THREAD), pid, bool(flags & CLONE_FILES), bool(flags & CLONE_VM)
        )
    status = procfs.read_status(tid)
    return Made(
        thread=status is not None and status.tgid == pid,
        parent=status.ppid if status is not None and status.ppid in context.processes else pid,
        shares_files=bool(descriptors.same_table(pid, tid)),
        shares_memory=event == ptrace.EVENT_VFORK or bool(descriptors.same_memory(pid, tid)),
        inner=status.nspid[1:] if status is not None else (),
    )


def _read_clone_flags(context: Context, tid: int) -> int | None:
    """The flags of the call that a thread is inside, one that makes processes; None if it is none
    of those known.
    """
    arch = context.arch
    registers = ptrace.get_registers(tid, arch)
    if registers is None:
        return None
    name = context.names.get(registers[arch.original], "")
    if name == "clone":
        return registers[arch.arguments[0]]
    if name == "clone3":
        return memory.read_u64(tid, registers[arch.arguments[0]])
    return {"fork": 0, "vfork": CLONE_VFORK | CLONE_VM}.get(name)
