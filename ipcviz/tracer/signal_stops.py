"""Signal-delivery-stops: what a signal does to a thread, and to the call that it cut short."""

from __future__ import annotations

from typing import Final

from ipcviz.events import SignalDelivered
from ipcviz.events.signals import code_name, default_action
from ipcviz.kernel import ptrace
from ipcviz.tracer import mend
from ipcviz.tracer.call_stops import EINTR, CallStops
from ipcviz.tracer.context import Context
from ipcviz.tracer.tasks import Task

FAULTS: Final = (4, 5, 7, 8, 11)
"""SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV: their siginfo has an address (sigaction(2))."""

SIGCHLD: Final = 17
QUEUED: Final = (-1, -2, -3)
"""SI_QUEUE, SI_TIMER, SI_MESGQ: their siginfo has a value."""


class SignalStops:
    """Says which signals reach which threads.

    Args:
        context: The session's.
        calls: Is told what becomes of calls that a signal cut short.
    """

    def __init__(self, context: Context, calls: CallStops) -> None:
        self._context = context
        self._calls = calls

    def take(self, task: Task, signo: int) -> None:
        """A signal is about to be delivered; the thread is resumed with it by the caller."""
        process = task.process
        info = ptrace.signal_info(task.tid)
        action, flags = self.action(process.pid, signo)
        deferred, task.deferred = task.deferred, None
        held = deferred or task.interrupted
        interrupted = held[0] if held is not None else None

        def other_action(other: int) -> str:
            return self.action(process.pid, other)[0]

        if action == "ignore" and mend.undo(
            task, self._context.arch, signo, deferred, other_action, self._context.names
        ):
            # Alone, an ignored signal would never have reached the process, nor cut its call short.
            deferred = None
        t, n = self._context.stamp()
        self._context.emit(
            SignalDelivered(
                t=t,
                n=n,
                pid=process.pid,
                tid=task.tid,
                signo=signo,
                code=code_name(signo, info.code) if info else "",
                sender=info.pid if info and (info.code <= 0 or signo == SIGCHLD) else 0,
                action=action,
                address=info.address if info and signo in FAULTS and info.code > 0 else 0,
                interrupted=interrupted.name if interrupted and action != "ignore" else "",
                value=info.value if info and info.code in QUEUED else 0,
            )
        )
        if deferred is not None:
            self._calls.returned_early(task, deferred)
        elif task.interrupted is not None and action == "handler":
            entered, code = task.interrupted
            if code == 514 or code == 516 or (code == 512 and "SA_RESTART" not in flags):
                task.interrupted = None
                self._calls.returned(task, entered, -1, EINTR)

    def action(self, pid: int, signo: int) -> tuple[str, tuple[str, ...]]:
        """What a signal will do to a process, and the flags of its handler."""
        process = self._context.state.processes.get(pid)
        how = process.handling.get(signo) if process is not None else None
        if how is not None:
            return ("handler" if how.action == "catch" else "ignore"), how.flags
        return default_action(signo), ()
