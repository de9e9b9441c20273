"""Who holds what a thread waits for, in the words of a wait. Pure."""

from __future__ import annotations

from ipcviz.events import Futex
from ipcviz.model.state import Hold, State, Thread


def name_of(state: State, pid: int, tid: int = 0) -> str:
    """A process or a thread by name and number."""
    process = state.processes.get(pid)
    name = process.name if process and process.name else "process"
    return f"{name}[{pid}/{tid}]" if tid and tid != pid else f"{name}[{pid}]"


def futex_words(state: State, thread: Thread, futex: Futex) -> tuple[str, str, tuple[int, ...]]:
    """(what the thread is in, why, who could end it) of a wait in futex(2)."""
    owner = state.threads.get(futex.owner)
    who = (
        name_of(state, owner.pid, owner.tid)
        if owner
        else f"thread {futex.owner}"
        if futex.owner
        else ""
    )
    enders = (owner.pid,) if owner else ()
    if futex.copied:
        return _copied_words(state, futex)
    if futex.kind == "thread":
        return "pthread_join", f"until thread {futex.owner} ends", enders
    watched = futex.former in state.processes
    ended = f"{name_of(state, futex.former) if watched else f'thread {futex.former}'}, has ended"
    if futex.kind == "rwlock":
        call = "pthread_rwlock_rdlock" if futex.asks == "read" else "pthread_rwlock_wrlock"
        if who:
            return call, f"probably a read-write lock that {who} has for writing", enders
        if futex.former:
            return call, f"probably a read-write lock whose writer, {ended}", ()
        many = (
            f"{futex.readers} reader{'s have' if futex.readers > 1 else ' has'}"
            if futex.readers
            else "others have"
        )
        return call, f"probably a read-write lock that {many}", ()
    if futex.kind == "barrier":
        return (
            "pthread_barrier_wait",
            f"probably a barrier: {futex.arrived} of {futex.parties} have come",
            (),
        )
    if futex.kind == "mutex" and futex.former:
        return "pthread_mutex_lock", f"a mutex whose owner, {ended}", ()
    if futex.kind == "mutex":
        if not who:
            return "futex", "probably a lock, whose owner is not known", ()
        return "pthread_mutex_lock", f"a mutex held by {who}", enders
    if futex.kind == "semaphore":
        return "futex", "probably a semaphore at 0", ()
    if futex.kind == "condition":
        return "futex", "probably a condition variable", ()
    if futex.kind == "go":
        return "futex", "Go's runtime (goroutines are not seen)", ()
    # std::latch, std::atomic::wait and other runtimes' locks
    value = thread.waiting.number("value") if thread.waiting is not None else None
    return "futex", "a futex" + (f" whose word was {value}" if value is not None else ""), ()


def copy_words(state: State, futex: Futex, what: str) -> str:
    """`a copy, made by fork, of a mutex that b[12/13] held; nobody here can release it`.

    Nobody who has the copy holds it: the thread that did has stayed where the original is.
    """
    holder = state.threads.get(futex.holder)
    where = name_of(state, futex.copied)
    if not futex.holder:
        # A handler of a signal could: of semaphores that is even allowed.
        end = "held; no other thread is here to release it"
        return f"probably a copy, made by fork, of {what} that another thread of {where} {end}"
    who = (
        name_of(state, holder.pid, holder.tid)
        if holder is not None
        else f"thread {futex.holder} of {where}"
    )
    return f"a copy, made by fork, of {what} that {who} held; nobody here can release it"


def _copied_words(state: State, futex: Futex) -> tuple[str, str, tuple[int, ...]]:
    """The words of a wait for what lies in copied memory."""
    if futex.kind == "thread":
        where = f"which stayed in {name_of(state, futex.copied)} at a fork"
        return (
            "pthread_join",
            f"until thread {futex.holder} ends, {where}: only there its end is told",
            (),
        )
    if futex.kind == "rwlock":
        call = "pthread_rwlock_rdlock" if futex.asks == "read" else "pthread_rwlock_wrlock"
        return call, copy_words(state, futex, "what is probably a read-write lock"), ()
    if futex.kind == "semaphore":
        return "futex", copy_words(state, futex, "a semaphore at 0, or a lock made of one,"), ()
    if futex.holder:
        return "pthread_mutex_lock", copy_words(state, futex, "a mutex"), ()
    return "futex", copy_words(state, futex, "a lock"), ()


def is_own(hold: Hold, thread: Thread) -> bool:
    """Whether a thread has taken it itself; of a System V semaphore, its process."""
    return hold.tid == thread.tid or (not hold.tid and hold.pid == thread.pid)


def holder_words(state: State, thread: Thread, reason: str) -> tuple[str, tuple[int, ...]]:
    """A reason to wait for a semaphore with who holds that, as far as it is known; and the living
    ones of those.
    """
    found = state.semaphores.get(thread.semaphore)
    if found is not None and not found.holds and found.info.kind == "system v" and found.last_pid:
        return f"{reason}, last changed by {name_of(state, found.last_pid)}", ()
    if found is None or found.signals or not found.holds:
        return reason, ()
    mine = [hold for hold in found.holds if is_own(hold, thread)]
    others = [hold for hold in found.holds if hold not in mine]
    names = ["itself"] if mine else []
    names += [
        name_of(state, h.pid, h.tid) + (", which has ended" if h.ended else "") for h in others[:3]
    ]
    if len(others) > 3:
        names.append(f"{len(others) - 3} more")
    # Who takes it twice waits for somebody to give it, as one does for a message: that can be
    # anybody.
    enders = () if mine else tuple(sorted({h.pid for h in others if not h.ended}))
    return f"{reason}, taken by {' and '.join(names)}", enders
