"""How operations on semaphores, and looks at them, change the state."""

from __future__ import annotations

import msgspec

from ipcviz.events import SemaphoreLevel, SemaphoreOp
from ipcviz.model.draft import Draft

replace = msgspec.structs.replace

_WAITS = ("wait", "timedwait", "clockwait", "trywait")


def take_semaphore_op(draft: Draft, event: SemaphoreOp) -> None:
    """A thread entered a semaphore function of libc, or got the semaphore that it waited for."""
    if event.op == "destroy":
        # Its memory may hold anything from now on.
        if event.semaphore.key in draft.semaphores:
            draft.semaphores = draft.semaphores.delete(event.semaphore.key)
        draft.note("semaphore", event.semaphore.key)
        return
    semaphore = draft.semaphore(event.semaphore)
    value = event.value
    touched = True
    thread = draft.thread(event.tid, event.pid)
    if event.op == "init":
        value = event.initial
    elif event.op == "post" and value is not None:
        value += 1
    elif event.op in _WAITS and value is not None:
        if value > 0:
            value -= 1
        else:
            touched = False
            if event.op != "trywait":
                draft.put_thread(replace(thread, semaphore=event.semaphore.key))
    elif event.op in ("getvalue", "close", "open"):
        touched = False
    if event.op == "acquired":
        draft.put_thread(replace(thread, semaphore="", waiting=None))
    draft.put_semaphore(
        replace(
            semaphore,
            value=value if value is not None else semaphore.value,
            at=event.t,
            last_pid=event.pid if touched else semaphore.last_pid,
            last_op=event.op if touched else semaphore.last_op,
            operations=semaphore.operations + 1,
        )
    )


def take_semaphore_level(draft: Draft, seen: SemaphoreLevel) -> None:
    """A look at a semaphore."""
    semaphore = draft.semaphore(seen.info)
    draft.put_semaphore(
        replace(
            semaphore,
            value=seen.value,
            waiters=seen.waiters,
            waiters_zero=seen.waiters_zero,
            at=draft.t,
            last_pid=seen.last_pid or semaphore.last_pid,
            last_op="semop" if seen.last_pid and seen.last_pid != semaphore.last_pid else semaphore.last_op,
        )
    )
