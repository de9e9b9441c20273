"""Threads that wait for each other in a circle, so that none of them can go on by itself. Pure."""

from __future__ import annotations

from ipcviz.model.locks import blocking, lock_holders, wanted
from ipcviz.model.query import table_of
from ipcviz.model.semaphores import waited_on
from ipcviz.model.state import State, Thread


def blockers(state: State, thread: Thread) -> tuple[int, ...]:
    """The threads that could end a wait, each by itself: those that have what it waits for; empty if not all are known.

    Of a semaphore those that hold it, if nobody else gives it; of a mutex or a read-write lock the owner; of a thread's
    end that thread; of a file lock all threads of its holders.
    """
    call = thread.waiting
    if call is None:
        return ()
    if thread.semaphore:
        found = waited_on(state, thread.semaphore)
        if any(hold.ended for hold in found):
            return ()
        pids = [hold.pid for hold in found if not hold.tid]
        return tuple(sorted({*(hold.tid for hold in found if hold.tid), *_threads(state, pids)}))
    if call.futex is not None:
        return (call.futex.owner,) if call.futex.owner else ()
    if call.name in ("flock", "fcntl"):
        number = call.args.get("fd")
        descriptor = table_of(state, thread.pid).get(number) if isinstance(number, int) else None
        wish = wanted(call.args, thread.pid, descriptor.ofd if descriptor is not None else 0)
        locks = blocking(state, call.object, wish) if wish is not None else ()
        holders = [lock_holders(state, lock) for lock in locks]
        return _threads(state, [pid for pids in holders for pid in pids]) if all(holders) else ()
    return ()


def _threads(state: State, pids: list[int]) -> tuple[int, ...]:
    """All threads of some processes."""
    return tuple(sorted({tid for pid in pids if pid in state.processes for tid in state.processes[pid].threads}))


def circle(state: State, tid: int) -> tuple[int, ...]:
    """The threads of a circle that a thread is part of, in the order in which each waits for the next one.

    Empty if there is none, or if somebody else could let one of them go on as far as is known.
    """
    reached: dict[int, tuple[int, ...]] = {}
    todo = [tid]
    while todo:
        one = todo.pop()
        if one in reached:
            continue
        thread = state.threads.get(one)
        found = blockers(state, thread) if thread is not None else ()
        if not found:
            return ()
        reached[one] = found
        todo.extend(found)
    path = [tid]
    while True:
        following = reached[path[-1]]
        if tid in following:
            return tuple(path)
        fresh = [one for one in following if one not in path]
        if not fresh:
            return ()
        path.append(fresh[0])


def circles(state: State) -> tuple[tuple[int, ...], ...]:
    """All circles, each once, beginning with its smallest thread."""
    found: dict[frozenset[int], tuple[int, ...]] = {}
    for tid, thread in sorted(state.threads.items()):
        if thread.waiting is not None:
            one = circle(state, tid)
            if one:
                found.setdefault(frozenset(one), one)
    return tuple(found.values())
