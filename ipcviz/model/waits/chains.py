"""Who waits because of whom: from a wait to the process that could end it, and on to what that
waits for in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Literal

from ipcviz.events.calls import FOR_READY
from ipcviz.model.query import Wait, describe_wait
from ipcviz.model.state import State, Value
from ipcviz.model.waits.circles import Circle, doubt_words, limit_of
from ipcviz.model.waits.outsiders import names_words

CHILD: Final = "for a child"
NAMED: Final = 3
"""How many of several are named."""

LONGEST: Final = 6
"""How many of a chain are."""

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
        wait_of: What a thread waits for, with its `enders`.
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
        pid, next_tid = _ender(state, wait)
        if not wait.enders and wait.outsiders and (wait.kind != "idle" or wait.call in FOR_READY):
            return Chain(tuple(pids), "outside", wait)
        if wait.kind == "idle" and not (pid and wait.call in FOR_READY):
            return Chain(tuple(pids), "idle", wait)
        tid = next_tid
        if not pid:
            end: End = "several" if wait.enders else "unknown"
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
    if _running(state, pid):
        return "busy"
    return (
        "asleep" if threads and all(wait_of(other) is not None for other in threads) else "unknown"
    )


def _running(state: State, pid: int) -> int:
    """How many threads of a process ran when they were looked at last."""
    process = state.processes.get(pid)
    threads = process.threads if process is not None else ()
    return sum(1 for tid in threads if tid in state.threads and state.threads[tid].state == "R")


def is_stopped(state: State, pid: int) -> bool:
    """Whether a process is stopped: as the kernel told, or by the looks at all of its threads."""
    process = state.processes.get(pid)
    if process is None or process.fate != "alive":
        return False
    threads = [state.threads[tid] for tid in process.threads if tid in state.threads]
    return bool(process.stopped_by) or (
        bool(threads) and all(thread.state == "T" for thread in threads)
    )


def halted(
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


def _ender(state: State, wait: Wait) -> tuple[int, int]:
    """The one process that could end a wait, and the one thread of it; 0 for what is not known."""
    thread = state.threads.get(wait.tid)
    futex = thread.waiting.futex if thread is not None and thread.waiting is not None else None
    owner = state.threads.get(futex.owner) if futex is not None else None
    if owner is not None:
        return owner.pid, owner.tid
    if len(wait.enders) != 1 or wait.outsiders:
        return 0, 0
    process = state.processes.get(wait.enders[0])
    if process is None or process.fate != "alive":
        return 0, 0
    threads = [tid for tid in process.threads if tid in state.threads]
    return process.pid, threads[0] if len(threads) == 1 else 0


def chain_words(state: State, wait: Wait, chain: Chain, now: float | None = None) -> str:
    """Because of whom somebody waits: `for b[2], that for c[3], which goes on`; empty if the wait
    says it all.

    Args:
        state: The moment.
        wait: What somebody waits for.
        chain: What that leads to.
        now: The moment in session seconds, for what is left of limits; that of the last event if it
            is not given.
    """
    if chain.end not in ("circle", "outside") and (
        wait.reason == CHILD or (wait.kind == "idle" and not chain.pids)
    ):
        return ""
    names = [_name(state, pid) for pid in chain.pids]
    if len(names) > LONGEST:
        names[LONGEST - 1 : -1] = [f"{len(names) - LONGEST} others one after the other"]
    words = ", that ".join(f"for {name}" for name in names)
    if chain.end in ("circle", "again"):
        again = "itself" if len(names) == 1 else f"{names[-1]} again"
        head = ", that ".join(f"for {name}" for name in names[:-1])
        words = f"{head}, that for {again}" if head else "for itself"
        if chain.circle is None:
            return words
        probably = "probably " if chain.circle.doubts else ""
        what = "a circle" if head else "nobody else of those watched could end it"
        return (
            f"{words}:"
            f" {probably}{what}{doubt_words(chain.circle)}{limit_of(state, chain.circle, now)}"
        )
    if chain.end == "several" and chain.last is not None:
        enders = chain.last.enders
        some = " or ".join(_name(state, pid) for pid in enders[:NAMED])
        if chain.last.outsiders:
            some += f" or {names_words(chain.last.outsiders)}, not watched"
        more = f" or {len(enders) - NAMED} more" if len(enders) > NAMED else ""
        return f"{words}, that for {some}{more}" if words else f"for {some}{more}"
    if chain.end == "outside" and chain.last is not None:
        whom = f"for {names_words(chain.last.outsiders)}, not watched"
        return f"{words}, that {whom}" if words else whom
    if not words or (len(names) == 1 and chain.end == "unknown" and names[0] in wait.reason):
        return ""
    if chain.end == "idle" and chain.last is not None:
        return f"{words}, which is in {describe_wait(state, chain.last)}"
    ends = {"runs": "which goes on", "stopped": "which is stopped"}
    if chain.end in ("busy", "asleep"):
        count, running = (
            len(state.processes[chain.pids[-1]].threads),
            _running(state, chain.pids[-1]),
        )
        ends["busy"] = f"{running} of whose {count} threads run{'s' if running == 1 else ''}"
        ends["asleep"] = f"all of whose {count} threads wait"
    return f"{words}, {ends[chain.end]}" if chain.end in ends else words


def _name(state: State, pid: int) -> str:
    process = state.processes.get(pid)
    return f"{process.name or 'process'}[{pid}]" if process is not None else f"process {pid}"
