"""Which threads sleep in the calls that they have entered: asked of /proc once they have been
inside for a moment.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Final

from ipcviz.events import Waiting
from ipcviz.events.calls import where
from ipcviz.events.kinds import SOCKETS
from ipcviz.kernel import procfs
from ipcviz.model.waits.rules import list_vforked
from ipcviz.tracer.budget import Budget
from ipcviz.tracer.calls import deadlines
from ipcviz.tracer.context import Context
from ipcviz.tracer.sampling.sampler import Sampler
from ipcviz.tracer.sampling.sleeps import Inside, describe_sleep
from ipcviz.tracer.stops.semaphores import SemaphoreStops
from ipcviz.tracer.tasks import Entered, Task

ANNOUNCE_SECONDS: Final = 0.003
"""How long a thread has to be inside a call before a look at /proc asks whether it sleeps there."""
KERNEL_SECONDS: Final = 1.0
"""The same in uninterruptible sleep (D) inside a call that waits for nobody: there the kernel waits
for a lock of its own, which others have for a moment, or for a page of a file. fork(2) does while
somebody reads the process's mappings in /proc, however slow that one is.
"""
SECONDS: Final = 0.004
"""CPU time that looks may take before something else has its turn."""
LOOKS: Final = 400.0
"""How many threads a second are looked at: the others' turn comes later, if they still sleep then.
"""
LOOKS_AT_ONCE: Final = 200.0
"""How many of them may be looked at at once."""


class Waits:
    """Says of threads that they wait.

    Args:
        context: The session's.
        sampler: Looks at what they wait for.
        semaphores: Is told of threads that sleep on semaphores.
    """

    def __init__(self, context: Context, sampler: Sampler, semaphores: SemaphoreStops) -> None:
        self._context = context
        self._sampler = sampler
        self._semaphores = semaphores
        self._entered: dict[int, Task] = {}
        """Those who are inside a call that nothing was said of yet, who came last at the end."""
        self._looks = Budget(LOOKS, LOOKS_AT_ONCE)

    def watch_thread(self, task: Task) -> None:
        """A thread goes on inside its call."""
        self._entered.pop(task.tid, None)
        self._entered[task.tid] = task

    def forget_thread(self, tid: int) -> None:
        """A thread is inside no call any more."""
        self._entered.pop(tid, None)

    def announce_sleepers(self) -> None:
        """Say of every thread that has been inside its call for a moment whether it sleeps
        there.
        """
        now, until = self._context.emitter.now(), time.thread_time() + SECONDS
        for tid, task in list(self._entered.items()):
            entered = task.entered
            if entered is None or entered.announced:
                del self._entered[tid]
                continue
            if now - entered.began < ANNOUNCE_SECONDS:
                continue
            if not self._looks.spend() or time.thread_time() > until:
                break
            look = procfs.read_stat(task.process.pid, tid)
            if look is None or look.state not in _ASLEEP:
                continue
            if look.state == "D" and self._is_brief(task, entered, now):
                continue
            inside = Inside(
                task.process.pid,
                tid,
                entered.name,
                entered.raw,
                entered.args,
                entered.object,
                task.semaphore,
            )
            sleep = describe_sleep(
                self._sampler, self._context.state, inside, partial(_is_asleep, task)
            )
            if sleep is None:
                continue
            entered.announced = True
            del self._entered[tid]
            self._context.emit(
                Waiting(
                    pid=task.process.pid,
                    tid=tid,
                    call=entered.name,
                    began=entered.began,
                    args=sleep.args,
                    semaphore=sleep.semaphore,
                    object=sleep.object,
                    state=look.state,
                    wchan=sleep.wchan,
                    futex=sleep.futex,
                    deadline=self._find_deadline(task, entered, sleep.object),
                )
            )
            futex, semaphore = sleep.futex, sleep.semaphore
            if futex is not None and (semaphore or futex.kind == "semaphore"):
                self._semaphores.waits_unseen(task)

    def _is_brief(self, task: Task, entered: Entered, now: float) -> bool:
        """Whether a thread in uninterruptible sleep will go on by itself, as far as can be told."""
        if entered.name in _WAITS or now - entered.began >= KERNEL_SECONDS:
            return False
        thread = self._context.state.threads.get(task.tid)
        return thread is None or not list_vforked(self._context.state, thread)

    def _find_deadline(self, task: Task, entered: Entered, key: str) -> float | None:
        """Until when a call that was entered waits at most, in session seconds."""
        pid, tid, name, raw = task.process.pid, task.tid, entered.name, entered.raw
        seconds = deadlines.find_limit(tid, name, raw)
        thing = self._context.state.objects.get(key)
        if (
            seconds is None
            and thing is not None
            and thing.info.kind in SOCKETS
            and self._context.policy.may_touch
        ):
            seconds = deadlines.find_socket_limit(pid, entered.args.get("fd"), name)
        if seconds is not None:
            return entered.began + seconds
        left = deadlines.find_time_left(pid, deadlines.find_moment(tid, name, raw))
        return self._context.emitter.now() + left if left is not None else None

    @property
    def pending(self) -> bool:
        """Whether some thread's call is still to be looked at by `announce_sleepers`."""
        return bool(self._entered)


_WAITS: Final = where(lambda call: bool(call.waits or call.flow))
"""Calls that wait for something else than the kernel's own doing."""
_ASLEEP: Final = "SD"
"""State letters of /proc/PID/stat."""


def _is_asleep(task: Task) -> bool:
    """Whether a thread sleeps, as /proc says now."""
    look = procfs.read_stat(task.process.pid, task.tid)
    return look is not None and look.state in _ASLEEP
