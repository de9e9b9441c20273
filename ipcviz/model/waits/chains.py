"""Who waits because of whom: from a wait to the process that could end it, and on to what that
waits for in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from ipcviz.model.state import State, Value
from ipcviz.model.waits.circles import Circle
from ipcviz.model.waits.values import Wait, Why

End = Literal[
    "circle", "again", "runs", "stopped", "idle", "busy", "asleep", "several", "outside", "unknown"
]


class Chain(Value, frozen=True):
    """From a wait on: each process is the only one that could end the wait before it, as far as the
    state shows.

    Attributes:
        pids: The processes, nearest first; in a circle the last one is named for the second time.
        end: What is at the end of it: a `circle`, one that was named before though others may step
            in (`again`), a process that `runs`, is `stopped` or waits for something else than
            others (`idle`), one with several threads of which some run (`busy`) or all wait for
            something (`asleep`), one of `several` that could end the last wait, somebody who is not
            watched (`outside`), or nobody that is known.
        last: The wait at the end of it.
        circle: The circle.
    """

    pids: tuple[int, ...]
    end: End
    last: Wait | None = None
    circle: Circle | None = None


def chain_of(
    state: State, tid: int, wait_of: Callable[[int], Wait | None], circles: tuple[Circle, ...] = ()
) -> Chain:
    """Follow the wait of a thread.

    Args:
        state: The moment.
        tid: The thread.
        wait_of: What a thread waits for, with its wakers.
        circles: Those of the state.
    """
    pids: list[int] = []
    tids: list[int] = []
    wait = wait_of(tid)
    while wait is not None:
        around = next((one for one in circles if tid in one.tids), None)
        if around is not None:
            others = around.beginning_with(tid).tids
            pids.extend(state.threads[other].pid for other in (*others[1:], tid))
            return Chain(tuple(pids), "circle", wait, around)
        tids.append(tid)
        pid, next_tid = _only_waker(state, wait)
        ready = wait.why is Why.READY
        if not wait.waker_pids and wait.outsiders and (ready or not wait.idle):
            return Chain(tuple(pids), "outside", wait)
        if wait.idle and not (pid and ready):
            return Chain(tuple(pids), "idle", wait)
        tid = next_tid
        if not pid:
            end: End = "several" if wait.waker_pids else "unknown"
            return Chain(tuple(pids), end, wait)
        pids.append(pid)
        if tid in tids:
            return Chain(tuple(pids), "again", wait)
        wait = wait_of(tid) if tid else None
        if wait is None:
            return Chain(tuple(pids), _end_at(state, pid, tid, wait_of))
    return Chain((), "runs")


def _end_at(state: State, pid: int, tid: int, wait_of: Callable[[int], Wait | None]) -> End:
    """What there is at the end of a chain: a process, and the thread of it that could end the wait,
    0 if not known.
    """
    if is_stopped(state, pid):
        return "stopped"
    if tid:
        return "runs"
    threads = state.processes[pid].threads if pid in state.processes else ()
    if running_threads(state, pid):
        return "busy"
    return (
        "asleep" if threads and all(wait_of(other) is not None for other in threads) else "unknown"
    )


def is_stopped(state: State, pid: int) -> bool:
    """Whether a process is stopped: as the kernel told, or by the looks at all of its threads."""
    process = state.processes.get(pid)
    if process is None or process.fate != "alive":
        return False
    threads = [state.threads[tid] for tid in process.threads if tid in state.threads]
    return bool(process.stopped_by) or (
        bool(threads) and all(thread.state == "T" for thread in threads)
    )


def list_halting_processes(
    state: State, tids: Iterable[int], wait_of: Callable[[int], Wait | None]
) -> dict[int, frozenset[int]]:
    """Stopped processes that keep others from going on, by pid, and which ones each of them
    keeps.
    """
    if not any(is_stopped(state, pid) for pid in state.processes):
        return {}
    found: dict[int, set[int]] = {}
    for tid in tids:
        chain = chain_of(state, tid, wait_of)
        if chain.end == "stopped" and chain.pids:
            found.setdefault(chain.pids[-1], set()).add(state.threads[tid].pid)
    return {pid: frozenset(kept) for pid, kept in sorted(found.items())}


def running_threads(state: State, pid: int) -> int:
    """How many threads of a process ran when they were looked at last."""
    process = state.processes.get(pid)
    threads = process.threads if process is not None else ()
    return sum(1 for tid in threads if tid in state.threads and state.threads[tid].state == "R")


def _only_waker(state: State, wait: Wait) -> tuple[int, int]:
    """The one process that could end a wait, and the one thread of it; 0 for what is not known."""
    pids = wait.waker_pids
    process = state.processes.get(pids[0]) if len(pids) == 1 else None
    if process is None or process.fate != "alive" or wait.outsiders or wait.wakers is None:
        return 0, 0
    known = [one for one in wait.wakers.known if one.pid == process.pid]
    if len(known) == 1 and known[0].tid in state.threads:
        return process.pid, known[0].tid
    threads = [tid for tid in process.threads if tid in state.threads]
    return process.pid, threads[0] if len(threads) == 1 else 0
