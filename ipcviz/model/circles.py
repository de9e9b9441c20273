"""Threads that wait for each other in a circle, so that none of them can go on by itself. Pure."""

from __future__ import annotations

from typing import Final

from ipcviz.model.addresses import KINDS as SOCKETS
from ipcviz.model.addresses import takes_datagrams
from ipcviz.model.calls import READS, WRITES
from ipcviz.model.holding import is_own
from ipcviz.model.locks import blocking, lock_holders, wanted
from ipcviz.model.query import table_of
from ipcviz.model.semaphores import waited_on
from ipcviz.model.sockets import awaited, under_way
from ipcviz.model.state import CallInProgress, State, Thread

_ROWS: Final = 1000
"""Descriptors that are looked through for one wait."""


def blockers(state: State, thread: Thread) -> tuple[int, ...]:
    """The threads that could end a wait, each by itself: those that have what it waits for; empty if not all are known.

    Of a semaphore those that hold it, if nobody else gives it; of a mutex or a read-write lock the owner; of a thread's
    end that thread; of a file lock all threads of its holders; of bytes or room in a pipe or a connection all threads
    of those who have the other end.
    """
    call = thread.waiting
    if call is None:
        return ()
    if thread.semaphore:
        found = waited_on(state, thread.semaphore)
        if any(hold.ended or is_own(hold, thread) for hold in found):
            # Who takes it twice waits for somebody to give it, as one does for a message: that can be anybody.
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
    return _at_the_other_end(state, thread, call)


def _at_the_other_end(state: State, thread: Thread, call: CallInProgress) -> tuple[int, ...]:
    """All threads of the processes that could read what a call writes, or write what it reads.

    Empty as well if it may have been woken already: what is told of another's call can be older than what it did.
    """
    thing = state.objects.get(call.object)
    writes = call.name in WRITES
    if thing is None or not state.processes[thread.pid].full or (not writes and call.name not in READS):
        return ()
    modes: tuple[str, ...] = ("r", "rw") if writes else ("w", "rw")
    key, source = thing.info.key, thing
    if thing.info.kind in SOCKETS:
        other = awaited(state, call, writes=writes)
        if other is None or takes_datagrams(other.info):
            return ()
        key, modes, source = other.info.key, ("rw",), other
    elif thing.info.kind != "pipe":
        return ()
    if under_way(state, key):
        return ()
    if writes:
        channel = state.channels.get(key)
        if channel is None or not channel.known or channel.read_until > call.began:
            return ()
    elif source.shut or not source.exact or not thing.exact or source.bytes_in != thing.bytes_out:
        return ()
    return _holders(state, key, modes)


def _holders(state: State, key: str, modes: tuple[str, ...]) -> tuple[int, ...]:
    """All threads of the processes that have one end of an object; empty if others may have it, or that takes long."""
    pids = []
    rows = 0
    for process in state.processes.values():
        if process.fate != "alive":
            continue
        table = table_of(state, process.pid)
        rows += len(table)
        if rows > _ROWS:
            return ()
        files = (state.open_files.get(row.ofd) for row in table.values())
        mine = [file for file in files if file is not None and file.object == key and file.mode in modes]
        if any(not file.opened_by for file in mine):
            return ()
        if mine:
            pids.append(process.pid)
    return _threads(state, pids)


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
