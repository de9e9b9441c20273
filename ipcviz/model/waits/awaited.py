"""Which children, signals and locks a thread waits for, in a few words. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from ipcviz.events.calls import CALLS, Waits
from ipcviz.events.signals import bit_of, names_of
from ipcviz.model.mechanisms.locks import blocking, lock_holders, wanted
from ipcviz.model.mechanisms.notifiers import signal_words
from ipcviz.model.state import CallInProgress, Process, State, Thread
from ipcviz.model.waits.outsiders import is_watched, names_words, outsiders_of

_OTHER: Final[dict[Waits, tuple[str, Literal["blocked", "idle"]]]] = {
    "word": ("a futex", "blocked"),
    "connection": ("for a connection", "idle"),
    "disk": ("for the disk", "blocked"),
    "lock": ("the lock is held", "blocked"),
    "message": ("empty", "blocked"),
    "program": ("until its child executes or exits", "blocked"),
}
"""Why a thread sleeps in a call, by what the call waits for, and whether another one must act."""
OTHER: Final = {name: _OTHER[call.waits] for name, call in CALLS.items() if call.waits in _OTHER}
"""The same by call."""

_P_PID: Final = 1
_P_PGID: Final = 2
_P_PIDFD: Final = 3
"""linux/wait.h"""


def children(state: State, thread: Thread, call: CallInProgress) -> tuple[Process, ...]:
    """The living children whose end a call of wait4 or waitid is about, in the order of their
    births.
    """
    number = call.number("pid") if "pid" in call.args else -1
    found = [p for p in state.processes.values() if p.parent == thread.pid and p.fate == "alive"]
    if number is not None:
        which = call.args.get("which")
        if which == _P_PID or (which is None and number > 0):
            found = [p for p in found if p.pid == number]
        elif which == _P_PGID or (which is None and number != -1):
            own = state.processes.get(thread.pid)
            group = abs(number) or (own.pgrp if own is not None else 0)
            found = [p for p in found if p.pgrp == group]
        elif which == _P_PIDFD:
            pid = _behind(state, thread.pid, number)
            found = [p for p in found if p.pid == pid] if pid else found
    return tuple(sorted(found, key=lambda p: (p.born, p.pid)))


def _behind(state: State, pid: int, fd: int) -> int:
    """The process that a pidfd is of; 0 if that is not known."""
    thing = state.object_at(pid, fd)
    return max(thing.notifier.pid, 0) if thing is not None and thing.notifier is not None else 0


def children_words(found: Iterable[Process]) -> str:
    """`sleep[12]`, `sleep[12] or cat[13]`, `one of sleep[12], cat[13] and 3 more`."""
    names = [f"{p.name or 'process'}[{p.pid}]" for p in found]
    if len(names) > 3:
        return f"one of {', '.join(names[:2])} and {len(names) - 2} more"
    return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def awaited_signals(state: State, thread: Thread, call: CallInProgress) -> str:
    """Which signals would end a wait for one: those of sigwait's set, or those that are caught and
    not blocked.

    Pending ones that its mask keeps away are named too: they are why such a wait can last for ever.
    """
    if call.name == "rt_sigtimedwait":
        wanted = call.number("set")
        return signal_words(wanted & _ALL) if wanted is not None else ""
    process = state.processes.get(thread.pid)
    asked = call.number("mask")
    mask = asked & _ALL if asked is not None else thread.blocked
    caught = (
        sum(bit_of(s) for s, how in process.handling.items() if how.action == "catch")
        if process
        else 0
    )
    words = signal_words(caught & ~mask)
    if not caught & ~mask:
        words = (
            "what it catches is blocked" if caught else "it catches none, so only one that ends it"
        )
    pending = thread.pending | (
        process.sample.pending if process is not None and process.sample is not None else 0
    )
    if kept := names_of(pending & mask):
        words += f"; {', '.join(kept[:3])} {'is' if len(kept) == 1 else 'are'} pending, but blocked"
    return words


_ALL: Final = (1 << 64) - 1


def lock_words(
    state: State, thread: Thread, call: CallInProgress, fd: int
) -> tuple[str, tuple[int, ...]]:
    """Why a thread sleeps in flock or fcntl, and who could end it."""
    descriptor = state.descriptor(thread.pid, fd)
    wish = wanted(call.args, thread.pid, descriptor.ofd if descriptor else 0)
    found = blocking(state, call.object, wish) if wish is not None else ()
    pids = sorted({pid for lock in found for pid in lock_holders(state, lock)})
    outsiders = outsiders_of(state, call.object, "lock")
    if outsiders:
        # Whom the kernel names took it, and may have ended since: those have it.
        pids = [pid for pid in pids if is_watched(state, pid)]
    if not outsiders and (not found or not pids):
        return "the lock is held", ()
    how = "shared" if found and all(lock.mode == "r" for lock in found) else "exclusively"
    words = [
        (
            f"{_named(state, pid)} itself, by another open file description"
            if pid == thread.pid
            else _named(state, pid)
        )
        for pid in pids[:3]
    ]
    more = f" and {len(pids) - 3} more" if len(pids) > 3 else ""
    named = ", ".join([*words, *([f"{names_words(outsiders)}, not watched"] if outsiders else ())])
    return f"held {how} by {named}{more}", tuple(pids)


def _named(state: State, pid: int) -> str:
    process = state.processes.get(pid)
    name = process.name if process is not None and process.name else "process"
    return f"{name}[{pid}]" if is_watched(state, pid) else f"{name}[{pid}], not watched"
