"""Which of its threads' waits a process is said to be in. Pure.

A process is what its leader does, its first thread. Others count where they wait for something that
somebody else could give; not the workers of a pool, which have nothing to do: they would hide what
a server, an interpreter or a virtual machine waits for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ipcviz.model.mechanisms.semaphores import PRIVATE
from ipcviz.model.state import Process
from ipcviz.model.waits.values import Asleep, SemaphoreTaken, Wait, Why

_RESTING: Final = frozenset({"condition", "semaphore", "go", ""})
"""What a worker without work sleeps on, as far as a futex tells; a mutex is somebody's to give
back.
"""
_SERVING: Final = frozenset({Why.READY, Why.CONNECTION})


def rests_in_pool(wait: Wait) -> bool:
    """Whether a wait is one that only a thread of the same process ends, and of which nobody is
    known who owes that.

    So waits a worker for work: on a condition variable, a private futex or semaphore, or in a
    runtime (Go, the JVM, the interpreter of Python).
    """
    if wait.semaphore:
        taken = isinstance(wait.facts, SemaphoreTaken) and wait.facts.owners
        return not taken and wait.semaphore.startswith(PRIVATE)
    if not isinstance(wait.facts, Asleep):
        return wait.why is Why.FUTEX
    futex = wait.facts.futex
    return not futex.object and not futex.owner and futex.kind in _RESTING


def find_leading_wait(process: Process, waits: Sequence[Wait]) -> Wait | None:
    """The wait that says what a process waits for; None if it has none.

    Args:
        process: The process.
        waits: What its threads wait for, the leader's first.
    """
    if not waits:
        return None
    leader = _follow_joins(process, waits)
    # Whoever waits for the end of another thread does what that one does.
    busy = [wait for wait in waits if wait.why is not Why.JOIN and not rests_in_pool(wait)]
    blocked = [wait for wait in busy if wait.blocked]
    if leader in blocked or (leader in busy and not blocked):
        return leader
    if blocked:
        return blocked[0]
    # The threads of a runtime are all alike, and the first is often one that rests: who serves
    # tells more.
    return next((wait for wait in busy if wait.why in _SERVING), busy[0] if busy else leader)


def _follow_joins(process: Process, waits: Sequence[Wait]) -> Wait:
    """The leader's wait; where it waits for the end of another of its threads, as Java's does, that
    one's.
    """
    by_thread = {wait.tid: wait for wait in waits}
    wait = by_thread.get(process.pid, waits[0])
    seen = set()
    while wait.why is Why.JOIN and wait.tid not in seen:
        seen.add(wait.tid)
        owner = wait.facts.futex.owner if isinstance(wait.facts, Asleep) else 0
        following = by_thread.get(owner)
        if following is None:
            break
        wait = following
    return wait
