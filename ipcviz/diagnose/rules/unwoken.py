"""Waits in memory, or for what only oneself could make ready, that nobody is left to end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ipcviz.diagnose.findings import Evidence, Finding
from ipcviz.diagnose.moment import CaseMoment
from ipcviz.diagnose.rules.ends import LASTS_SECONDS
from ipcviz.diagnose.rules.locks import find_own_hold
from ipcviz.diagnose.words import PartyNames, join_and
from ipcviz.events.signals import SIGCHLD, SIGINT, signal_name
from ipcviz.model.mechanisms.signals import let_in_handlers
from ipcviz.model.state import State
from ipcviz.model.waits.hangs import Hang
from ipcviz.model.waits.values import Asleep, Ready, Wait, Why
from ipcviz.narrate.words import label_of

_IN_MEMORY: Final = frozenset(
    {Why.SEMAPHORE, Why.FUTEX, Why.MUTEX, Why.RWLOCK, Why.CONDITION, Why.BARRIER}
)
_TOLD: Final = 3
"""So many waits, or descriptors, are told."""


def find_own_readiness(moment: CaseMoment, hang: Hang) -> Finding | None:
    """A process's only thread that polls what it alone could make ready."""
    state = moment.state
    (wait, *others) = hang.waits or (None,)
    if wait is None or others or wait.why is not Why.READY or hang.ways[wait.tid].tids:
        return None
    if not isinstance(wait.facts, Ready) or _has_rested_briefly(moment, [wait]):
        return None
    handlers = _list_handlers(state, [wait])
    if handlers - {SIGINT}:
        return None
    names = moment.name_parties(wait.pid)
    labels = [label_of(state, one.key) for one in wait.facts.things]
    what = join_and(labels[:_TOLD]) if len(labels) <= _TOLD else f"{len(labels)} descriptors"
    return moment.make_finding(
        "nobody-left",
        (wait.pid,),
        f"{names.name_at(wait.pid, wait.tid)} waits in {wait.call} for {what}, and only itself"
        f" could make {'that' if len(labels) == 1 else 'one of those'} ready.",
        "Let somebody else write, close or signal what it waits for. In an event loop, see that"
        " each future that is awaited is set, also when its task fails.",
        waits=(wait,),
        objects=(one.key for one in wait.facts.things),
        evidence=tuple(_list_ended(moment, [wait.pid])),
        probable=_tell_doubt(state, [wait], handlers),
        about=str(wait.tid),
    )


def find_nobody_left(moment: CaseMoment, hang: Hang) -> Finding | None:
    """Threads that wait for what only a running thread that has their memory could do, and there is
    none: it has ended, or there never was one.

    A program that rests until a signal comes looks the same: so who has a handler that may go on is
    left out. Python and many others have one for SIGINT that only ends them.
    """
    state = moment.state
    waits = list(hang.waits)
    if not waits or hang.stopped or not all(wait.why in _IN_MEMORY for wait in waits):
        return None
    if _has_rested_briefly(moment, waits):
        return None
    handlers = _list_handlers(state, waits)
    if handlers - {SIGINT}:
        return None
    pids = sorted({wait.pid for wait in waits})
    names = moment.name_parties(*pids)
    return moment.make_finding(
        "nobody-left",
        pids,
        f"{_tell_waits(state, names, waits)}, and nobody is left who could"
        f" {_tell_end(state, waits)}.",
        "Release it on every way out, also when a worker fails. A lock that one thread takes twice"
        " must be reentrant (RLock, PTHREAD_MUTEX_RECURSIVE)."
        if all(_is_lock(state, wait) for wait in waits)
        else "Wake it on every way out, also when a worker fails, or wait with a time limit.",
        waits=waits,
        objects=(wait.semaphore or wait.object for wait in waits),
        evidence=tuple(_list_ended(moment, pids)),
        probable=_tell_doubt(state, waits, handlers),
        about=",".join(str(wait.tid) for wait in waits),
    )


def _has_rested_briefly(moment: CaseMoment, waits: list[Wait]) -> bool:
    return any(moment.now - wait.since < LASTS_SECONDS for wait in waits)


def _list_handlers(state: State, waits: list[Wait]) -> set[int]:
    """The signals at which one of these threads would run a handler; who hangs has no children that
    go on, so SIGCHLD is none.
    """
    found = (let_in_handlers(state, state.threads[wait.tid]) for wait in waits)
    return set[int]().union(*found) - {SIGCHLD}


def _tell_waits(state: State, names: PartyNames, waits: list[Wait]) -> str:
    """Who waits for what: `a (a.c:3) waits for the semaphore m1`."""
    if len(waits) == 1:
        (wait,) = waits
        return f"{names.name_at(wait.pid, wait.tid)} waits for {_name_thing(state, wait)}"
    who = [names.name_thread(wait.pid, wait.tid) for wait in waits[:_TOLD]]
    if len(waits) > _TOLD:
        who.append(f"{len(waits) - _TOLD} more threads")
    return f"{join_and(who)} wait to be woken"


def _name_thing(state: State, wait: Wait) -> str:
    found = state.semaphores.get(wait.semaphore)
    if found is not None:
        return f"the {'lock' if _is_lock(state, wait) else 'semaphore'} {found.label}"
    futex = wait.facts.futex if isinstance(wait.facts, Asleep) else None
    kind = _KINDS.get(futex.kind, "a wake-up (futex)") if futex is not None else "a lock"
    if futex is not None and futex.object:
        return f"{kind} in {label_of(state, futex.object)}"
    return kind


_KINDS: Final = {
    "mutex": "a lock",
    "rwlock": "a read-write lock",
    "condition": "a condition variable",
    "semaphore": "a semaphore",
    "barrier": "others at a barrier",
    "go": "a wake-up by the Go runtime",
}


def _tell_end(state: State, waits: list[Wait]) -> str:
    if len(waits) > 1:
        return "let one of them go on"
    (wait,) = waits
    if wait.why in (Why.MUTEX, Why.RWLOCK) or _is_lock(state, wait):
        return "release it"
    if wait.why is Why.SEMAPHORE:
        return "post it"
    return "come to it" if wait.why is Why.BARRIER else "wake it"


def _is_lock(state: State, wait: Wait) -> bool:
    """Whether a semaphore is used as a lock: who waits for it, or another one, has taken it."""
    found = state.semaphores.get(wait.semaphore)
    return found is not None and bool(found.holds)


def _list_ended(moment: CaseMoment, pids: list[int]) -> Iterator[Evidence]:
    """Children of these that have ended: one of them may have been meant to wake them."""
    for process in moment.state.processes.values():
        if process.parent in pids and process.fate in ("zombie", "gone") and not process.executed:
            how = (
                f"was ended by {signal_name(process.exit_signal)}"
                if process.exit_signal
                else f"exited with status {process.exit_code}"
            )
            name = moment.name_parties(process.pid).name_process(process.pid)
            yield Evidence(f"{name}[{process.pid}], a child, {how}")
            return


def _tell_doubt(state: State, waits: list[Wait], handlers: set[int]) -> str:
    named = [state.semaphores.get(wait.semaphore) for wait in waits]
    if any(one is not None and one.info.name for one in named):
        return "whoever knows the name could still come"
    if handlers:
        return "the handler of SIGINT could let it go on"
    if any(not state.processes[wait.pid].full for wait in waits):
        return "only sampled"
    if all(find_own_hold(state, wait) is not None for wait in waits):
        return ""
    return "what is to wake it lies in memory, and can't be seen"
