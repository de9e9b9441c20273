"""Locks for which a thread waits in a signal handler, and which the interrupted code has. Pure."""

from __future__ import annotations

from ipcviz.model.state import State
from ipcviz.model.waits.values import Asleep, Wait, Why


def find_handler(state: State, wait: Wait) -> int:
    """The signal in whose handler a thread waits for a lock that nobody but itself can have: the
    handler has interrupted the code that took it (malloc, printf; signal-safety(7)).

    0 if it is in no handler, or if another thread may have the lock.
    """
    thread = state.threads.get(wait.tid)
    futex = wait.facts.futex if isinstance(wait.facts, Asleep) else None
    if thread is None or not thread.handlers or futex is None or wait.why is Why.JOIN:
        return 0
    if futex.object and not futex.private:
        return 0
    alone = len(state.processes[wait.pid].threads) == 1
    is_own = futex.owner == wait.tid or (not futex.owner and alone)
    return thread.handlers[-1] if is_own else 0
