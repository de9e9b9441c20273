"""Hangs about locks, stopped processes, and circles of any kind."""

from __future__ import annotations

from typing import Final

from ipcviz.diagnose.findings import Evidence, Finding
from ipcviz.diagnose.moment import CaseMoment
from ipcviz.model.waits.hangs import Hang
from ipcviz.model.waits.values import Why

_LOCKS: Final = (Why.LOCK, Why.SEMAPHORE, Why.MUTEX, Why.RWLOCK)
"""Waits for what another one has taken."""


def find_stopped(moment: CaseMoment, hang: Hang) -> Finding | None:
    """Somebody waits for a process that is stopped, and nobody known goes on to continue it."""
    waiting = tuple(dict.fromkeys(wait.pid for wait in (*hang.waits, *hang.victims)))
    if not hang.stopped or not waiting:
        return None
    names = moment.name(*hang.stopped, *waiting)
    stopped = names.join(hang.stopped)
    waits = "waits" if len(waiting) == 1 else "wait"
    state = "is stopped" if len(hang.stopped) == 1 else "are stopped"
    return moment.make_finding(
        "stopped",
        (*hang.stopped, *waiting),
        f"{stopped} {state} by a signal, and {names.join(waiting)} {waits} for it.",
        f"Let it go on: kill -CONT {' '.join(map(str, hang.stopped))}; or 'fg' in its shell.",
        waits=(*hang.waits, *hang.victims),
        evidence=[Evidence(f"process {pid} is in state T") for pid in hang.stopped],
        doubts=hang.doubts,
    )


def find_lock_order(moment: CaseMoment, hang: Hang) -> Finding | None:
    """Two threads or more, each of which waits for a lock that another one of them has."""
    if len(hang.waits) < 2 or any(wait.why not in _LOCKS for wait in hang.waits):
        return None
    pids = tuple(dict.fromkeys(wait.pid for wait in hang.waits))
    names = moment.name(*pids)
    told = [names.name_thread(wait.pid, wait.tid) for wait in hang.waits]
    who = f"{', '.join(told[:-1])} and {told[-1]}"
    return moment.make_finding(
        "lock-order",
        pids,
        f"{who} wait for each other: each has a lock that another one of them wants.",
        "Take the locks in the same order everywhere, or both at once.",
        waits=hang.waits,
        objects=[wait.semaphore or wait.object for wait in hang.waits],
        doubts=hang.doubts,
    )


def find_circle(moment: CaseMoment, hang: Hang) -> Finding | None:
    """Any other circle of two processes or more."""
    pids = tuple(dict.fromkeys(wait.pid for wait in hang.waits))
    if len(pids) < 2:
        return None
    names = moment.name(*pids)
    return moment.make_finding(
        "circle",
        pids,
        f"{names.join(pids)} wait for each other, and no other watched process can wake them.",
        "Let one of them go on before it waits: the evidence says what each one waits for.",
        waits=hang.waits,
        objects=[wait.semaphore or wait.object for wait in hang.waits],
        doubts=hang.doubts,
    )
