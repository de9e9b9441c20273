"""Which of its threads' waits a process is said to be in. Pure.

A process is what its leader does, its first thread. Others count where they wait for something that
somebody else could give; not the workers of a pool, which have nothing to do: they would hide what
a server, an interpreter or a virtual machine waits for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ipcviz.events.calls import ACCEPTS, FOR_CHILD, FOR_READY
from ipcviz.model.query import Wait
from ipcviz.model.state import Process, State

_RESTING: Final = frozenset({"condition", "semaphore", "go", ""})
"""What a worker without work sleeps on, as far as a futex tells; a mutex is somebody's to give
back.
"""
_JOIN: Final = "pthread_join"
_SERVING: Final = FOR_READY | ACCEPTS


def rests_in_pool(state: State, wait: Wait) -> bool:
    """Whether a wait is one that only a thread of the same process ends, and of which nobody is
    known who owes that.

    So waits a worker for work: on a condition variable, a private futex or semaphore, or in a
    runtime (Go, the JVM, the interpreter of Python).
    """
    if wait.enders:
        return False
    if wait.semaphore:
        return wait.semaphore.startswith("sem:vm:")
    thread = state.threads.get(wait.tid)
    futex = thread.waiting.futex if thread is not None and thread.waiting is not None else None
    if wait.call != "futex" and futex is None:
        return False
    return futex is None or (not futex.object and not futex.owner and futex.kind in _RESTING)


def telling_wait(state: State, process: Process, waits: Sequence[Wait]) -> Wait | None:
    """The wait that says what a process waits for; None if it has none.

    Args:
        state: The moment.
        process: The process.
        waits: What its threads wait for, the leader's first.
    """
    if not waits:
        return None
    leader = _followed(state, process, waits)
    # Whoever waits for the end of another thread does what that one does.
    busy = [wait for wait in waits if wait.call != _JOIN and not rests_in_pool(state, wait)]
    blocked = [wait for wait in busy if is_blocked(wait)]
    if leader in blocked or (leader in busy and not blocked):
        return leader
    if blocked:
        return blocked[0]
    # The threads of a runtime are all alike, and the first is often one that rests: who serves
    # tells more.
    return next((wait for wait in busy if wait.call in _SERVING), busy[0] if busy else leader)


def _followed(state: State, process: Process, waits: Sequence[Wait]) -> Wait:
    """The leader's wait; where it waits for the end of another of its threads, as Java's does, that
    one's.
    """
    by_thread = {wait.tid: wait for wait in waits}
    wait = by_thread.get(process.pid, waits[0])
    seen = set()
    while wait.call == _JOIN and wait.tid not in seen:
        seen.add(wait.tid)
        thread = state.threads.get(wait.tid)
        futex = thread.waiting.futex if thread is not None and thread.waiting is not None else None
        following = by_thread.get(futex.owner) if futex is not None else None
        if following is None:
            break
        wait = following
    return wait


def is_blocked(wait: Wait) -> bool:
    """Whether somebody else must act: waiting for one's child is what a shell does all day."""
    return wait.kind == "blocked" and wait.call not in FOR_CHILD
