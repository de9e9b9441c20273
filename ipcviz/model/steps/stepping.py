"""Step mode as the state has it: who can be let go, whose turn it is, and what each one will do.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from ipcviz.events import Poised
from ipcviz.events.signals import default_action, signal_name, signals_in
from ipcviz.model.state import State, Thread


def birth_order(state: State, thread: Thread) -> tuple[tuple[int, ...], int]:
    """What to sort threads by, so that elders come first: a process before its children."""
    process = state.processes.get(thread.pid)
    lineage = process.lineage if process is not None else ""
    return tuple(int(part) for part in lineage.split(".") if part.isdigit()), thread.number


def list_held(state: State) -> tuple[Thread, ...]:
    """The threads that can be let go, elders first: a process before its children."""
    found = [thread for thread in state.threads.values() if thread.poised is not None]
    return tuple(sorted(found, key=lambda thread: birth_order(state, thread)))


def find_next_in_turn(state: State, last: int = 0) -> int:
    """The thread whose turn it is when all take turns; 0 if none is held.

    Args:
        state: The moment.
        last: The thread that was let go last; 0 if none was.
    """
    threads = list_held(state)
    if not threads:
        return 0
    tids = [thread.tid for thread in threads]
    if last in tids:
        return tids[(tids.index(last) + 1) % len(tids)]
    gone = state.threads.get(last)
    if gone is not None:
        later = [
            thread.tid
            for thread in threads
            if birth_order(state, thread) > birth_order(state, gone)
        ]
        return later[0] if later else tids[0]
    return tids[0]


def name_thread(state: State, tid: int, roles: Mapping[int, str] | None = None) -> str:
    """A thread's name in a schedule, the same in every run: its role or its place in the family;
    `1.2/3` for the third thread of the process 1.2. Empty if it is not known.
    """
    thread = state.threads.get(tid)
    if thread is None:
        return ""
    process = state.processes.get(thread.pid)
    lineage = process.lineage if process is not None else ""
    name = (roles or {}).get(thread.pid, "") or lineage or str(thread.pid)
    return name if thread.number == 1 else f"{name}/{thread.number}"


def find_thread(state: State, name: str, roles: Mapping[int, str] | None = None) -> int:
    """The living thread of that name in a schedule; 0 if there is none."""
    for tid in state.threads:
        if name in (name_thread(state, tid, roles), name_thread(state, tid)):
            return tid
    return 0


def name_operation(poised: Poised) -> str:
    """What a held thread will do, in one word: the name of a call, a signal, `sem_wait`, `start`,
    `return`, `run`.
    """
    if poised.at == "entry":
        return poised.call
    if poised.at == "signal":
        return signal_name(poised.signo)
    if poised.at == "semaphore":
        return f"sem_{poised.op}"
    return {"start": "start", "return": "return", "running": "run", "access": "run"}[poised.at]


def name_place(poised: Poised) -> str:
    """Where a held thread stands, in one word: before the operation of that name, or behind a
    `load`, a `store` or an `update`.
    """
    return poised.op if poised.at == "access" else name_operation(poised)


def find_pending_signals(state: State, thread: Thread) -> int:
    """The signals that are pending for a thread or its process, as a set."""
    process = state.processes.get(thread.pid)
    sampled = process.sample.pending if process is not None and process.sample is not None else 0
    return thread.pending | sampled


def find_value(state: State, poised: Poised) -> int | None:
    """The value of the semaphore that a held thread is about to use, at this moment; others may
    have changed it since the thread came there. None if it is not known.
    """
    found = state.semaphores.get(poised.semaphore.key) if poised.semaphore is not None else None
    return found.value if found is not None and found.value is not None else poised.value


def comes_first(state: State, thread: Thread) -> int:
    """The signal that will act on a held thread before its call does, since it is pending and not
    blocked.

    0 if there is none. Of several it is the lowest; the kernel may choose another (signal(7) leaves
    the order open).
    """
    process = state.processes.get(thread.pid)
    if process is None or thread.poised is None or thread.poised.at != "entry":
        return 0
    for signo in signals_in(find_pending_signals(state, thread) & ~thread.blocked):
        how = process.handling.get(signo)
        if (how.action if how is not None else default_action(signo)) != "ignore":
            return signo
    return 0
