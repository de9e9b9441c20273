"""Handlers that threads enter and leave: by a return, or by a jump elsewhere (siglongjmp(3))."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ipcviz.events import HandlerReturned
from ipcviz.kernel import ptrace
from ipcviz.tracer.context import Context
from ipcviz.tracer.tasks import Task

LEAST_FRAME: Final = 1024
"""Bytes of stack that the kernel needs at least for a handler's frame: red zone, siginfo, context, registers."""


def enter(task: Task, flags: tuple[str, ...]) -> None:
    """A thread at a signal's delivery is about to run the handler, which has these flags."""
    at = ptrace.syscall_info(task.tid) if "SA_ONSTACK" not in flags else None
    task.frames.append(at.sp - LEAST_FRAME if at is not None else 0)


def leave(context: Context, task: Task, *, jumped: bool = False, go: Callable[[Task], None] | None = None) -> bool:
    """A thread has left the innermost of its handlers. Returns whether it goes on already, by `go`."""
    if task.frames:
        task.frames.pop()
    mask = ptrace.get_mask(task.tid)
    t, n = context.stamp()
    if go is not None:
        go(task)
    context.emit(HandlerReturned(t=t, n=n, pid=task.process.pid, tid=task.tid, blocked=mask or 0, jumped=jumped))
    return go is not None


def look_for_jump(context: Context, task: Task, sp: int) -> None:
    """A thread makes a call with its stack at `sp`: handlers whose stack stays below that were left by a jump."""
    while task.frames and 0 < task.frames[-1] <= sp:
        leave(context, task, jumped=True)
