"""Handlers that threads enter and leave: by a return, or by a jump elsewhere (siglongjmp(3))."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from ipcviz.events import HandlerReturned
from ipcviz.kernel import memory, ptrace
from ipcviz.tracer.context import Context
from ipcviz.tracer.tasks import Task

LEAST_FRAME: Final = 1024
"""Bytes of stack that the kernel needs at least for a handler's frame: red zone, siginfo, context,
registers.
"""

_STACK: Final = struct.Struct("=QIIQ")
"""stack_t: where it begins, flags, padding, its size (sigaltstack(2))."""
_DISABLE: Final = 2
_LEAST: Final = 2048
"""SS_DISABLE, MINSIGSTKSZ: the kernel takes no smaller one."""
_ANYWHERE: Final = (0, 1 << 64)
NO_STACK: Final = (0, 0)


def stack_set(task: Task, info: ptrace.SyscallInfo) -> None:
    """A thread at the entry of sigaltstack(2) says on which stack handlers with SA_ONSTACK are to
    run.

    While it is on that stack itself, the kernel refuses.
    """
    raw = memory.read_bytes(task.tid, info.args[0], _STACK.size)
    if raw is None or len(raw) < _STACK.size or task.alternate[0] <= info.sp < task.alternate[1]:
        return
    start, flags, _, size = _STACK.unpack(raw)
    if flags & _DISABLE:
        task.alternate = NO_STACK
    elif size >= _LEAST:
        task.alternate = (start, start + size)


def inherit_stacks(task: Task, maker: Task) -> None:
    """A new process's thread goes on where its maker is, with the same stacks."""
    task.frames, task.alternate = list(maker.frames), maker.alternate


def enter_handler(task: Task, flags: tuple[str, ...], *, from_start: bool) -> None:
    """A thread at a signal's delivery is about to run the handler, which has these flags.

    Of processes that were attached to, flags and stacks of before are not known.
    """
    at = ptrace.syscall_info(task.tid)
    low, high = task.alternate
    if at is None or (not from_start and (not flags or ("SA_ONSTACK" in flags and not high))):
        task.frames.append(_ANYWHERE)
    elif "SA_ONSTACK" in flags and high and not low <= at.sp < high:
        task.frames.append((low, high))
    else:
        task.frames.append((low if low <= at.sp < high else 0, at.sp - LEAST_FRAME))


def leave_handler(context: Context, task: Task, *, jumped: bool = False) -> Callable[[], None]:
    """A thread has left the innermost of its handlers.

    Returns what emits that.
    """
    if task.frames:
        task.frames.pop()
    mask = ptrace.get_mask(task.tid)
    event = HandlerReturned(
        t=context.now(), pid=task.process.pid, tid=task.tid, blocked=mask or 0, jumped=jumped
    )
    return lambda: context.emit(event)


def detect_jump(context: Context, task: Task, sp: int) -> None:
    """A thread makes a call with its stack at `sp`: handlers that can't have theirs there were left
    by a jump.
    """
    while task.frames and not task.frames[-1][0] <= sp < task.frames[-1][1]:
        leave_handler(context, task, jumped=True)()
