"""Signal-delivery-stops: what a signal does to a thread, and to the call that it cut short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from ipcviz.events import SignalDelivered
from ipcviz.events.signals import code_name, default_action
from ipcviz.kernel import procfs, ptrace
from ipcviz.model.mechanisms.signals import FIRST_REAL_TIME
from ipcviz.tracer.context import Context
from ipcviz.tracer.sampling.mappings import look_at_fault
from ipcviz.tracer.stops import handlers
from ipcviz.tracer.stops.calls import EINTR, CallStops
from ipcviz.tracer.stops.mend import RESTART_CODES, SIGCONT
from ipcviz.tracer.stops.senders import QUEUED, SI_TIMER, sender_of
from ipcviz.tracer.tasks import Entered, Task, TracedProcess

FAULTS: Final = (4, 5, 7, 8, 11)
"""SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV: their siginfo has an address (sigaction(2))."""

INVALID_ACCESS: Final = (7, 11)
"""SIGBUS and SIGSEGV."""

FORCED: Final = (*FAULTS, 31)
"""Signals that a thread's own instruction brings on: they can't be put off or ignored.

SIGSYS is a seccomp filter's.
"""

STOPPED: Final = 0x7F
"""The low byte of the wait status of a stop (waitpid(2))."""
LAST_REAL_TIME: Final = 64
"""The last signal (SIGRTMAX); a wait status with more behind its low byte is that of another kind
of stop.
"""

ERESTARTSYS: Final = 512
ERESTARTNOINTR: Final = 513
"""linux/errno.h"""

JOB_CONTROL: Final = frozenset({18, 19, 20, 21, 22})
"""SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU: to send one takes pending ones of the other kind
away, and SIGCONT continues (prepare_signal in kernel/signal.c)."""

SI_KERNEL: Final = 0x80
TO_PROCESS: Final = (0, 0x80, 1, 2, 3, 4, 5, 6)
"""SI_USER, SI_KERNEL and CLD_*: codes of signals that are sent to a process, and not to one of
its threads. The small numbers are also those of faults, which are left out by their own signals."""


class SignalStops:
    """Says which signals reach which threads.

    Args:
        context: The session's.
        calls: Is told what becomes of calls that a signal cut short.
    """

    def __init__(self, context: Context, calls: CallStops) -> None:
        self._context = context
        self._calls = calls
        self.go: Callable[[Task, int], None] = lambda task, signo: None
        """Lets a thread go on with a signal before that is said, once nothing more is asked of it.
        """

    def take(self, task: Task, signo: int) -> int:
        """A signal is about to be delivered.

        Returns:
            The signal to resume the thread with: this one, or 0 if another thread is to have it; -1
            if it goes on already (see `go`).
        """
        process = task.process
        if process.actions_stale:
            process.actions_stale = False
            self._calls.look_at_actions(process)
        if self._is_counted(task, signo):
            self._count(process, signo)
            return signo
        original = task.redirected.pop(signo, None)
        if original is not None:
            ptrace.set_signal_info(task.tid, original)
        info = ptrace.signal_info(task.tid)
        action, flags = self.action(process.pid, signo)
        if info is not None and signo in FORCED and info.code > 0:
            action = _forced(process.pid, signo, action)
        redirected = (
            original is None
            and self._belongs_to_leader(task, signo, info, action)
            and self._redirect(task, signo)
        )
        # Alone, the signal would never have reached this thread, nor cut its call short.
        unfelt = action in ("ignore", "continue") or redirected
        if signo == SIGCONT:
            # It continues what was stopped, and alone that is felt; to what runs it is as if
            # ignored.
            unfelt, task.continued = unfelt and not task.continued, 0
        if unfelt:
            self._undo(task)
        deferred, task.deferred = task.deferred, None
        held = deferred or task.interrupted
        back = held is not None and held[0].back
        interrupted = held[0] if held is not None and held[0].told and not unfelt else None
        if back and held is not None and action in ("handler", "stop"):
            # Alone, this one would have found it asleep in its call.
            entered, task.interrupted = held[0], None
            result = self._calls.mending.cut(task, entered)
            if -result in RESTART_CODES:
                task.interrupted = held = (entered, -result)
            else:
                deferred = held = (entered, result)
        if action == "stop":
            # Of all that comes with SIGCONT, nothing finds it asleep in that call any more.
            task.decided = self._calls.mending.has_returned(task)
        if redirected:
            if deferred is not None:
                self._calls.returned_early(task, deferred)
            return 0
        if action == "ignore" and deferred is None and self._over_budget(process):
            self._count(process, signo)
            return signo
        # Of a timer's signal, siginfo has the timer's number where others have their sender.
        timed = info is not None and info.code == SI_TIMER
        # A handler that was set before we came may have SA_RESTART: /proc does not say.
        known = not (self._context.attached or process.actions_unseen) or bool(flags)
        outcome = _outcome(held if interrupted is not None else None, action, flags, known=known)
        if action in ("handler", "stop") and task.interrupted is not None:
            # It is begun again as if it had just been made, now and alone.
            task.interrupted[0].begin_again(self._context.emitter.now())
            if interrupted is None:
                task.interrupted = None
        if action == "handler":
            handlers.enter(task, flags, attached=self._context.attached)
        t = self._context.now()
        # Of a call that it cut short the return is still to be said, and perhaps to be changed; a
        # fault is looked at.
        goes = held is None and signo not in INVALID_ACCESS and self._context.go_first
        if goes:
            self.go(task, signo)
        sender, sender_name = sender_of(self._context, process.pid, info, signo)
        event = SignalDelivered(
            t=t,
            pid=process.pid,
            tid=task.tid,
            signo=signo,
            code=code_name(signo, info.code) if info else "",
            sender=sender,
            sender_name=sender_name,
            action=action,
            address=info.address if info and signo in FAULTS and info.code > 0 else 0,
            interrupted=interrupted.name if interrupted and action != "ignore" else "",
            outcome=outcome,
            value=info.value if info and info.code in QUEUED else 0,
            timer=info.pid if info and timed else -1,
            overrun=info.uid if info and timed else 0,
            fault=(
                look_at_fault(self._context, process.pid, task.tid, info.address)
                if info and signo in INVALID_ACCESS and 0 < info.code < SI_KERNEL
                else None
            ),
        )
        self._context.emit(event)
        if deferred is not None:
            self._calls.returned_early(task, deferred)
        elif task.interrupted is not None and action == "handler":
            entered, _ = task.interrupted
            if outcome == "EINTR":
                task.interrupted = None
                self._calls.returned(task, entered, -1, EINTR)
            elif outcome == "again":
                # Whatever further handlers run first: the kernel has decided.
                task.interrupted = (entered, ERESTARTNOINTR)
        return -1 if goes else signo

    def _undo(self, task: Task) -> bool:
        """Something comes to a thread that is not to be felt.

        Returns whether what it cut short is made again.
        """
        if task.decided:
            return False
        pid = task.process.pid
        outcome = self._calls.mending.undo(task, lambda signo: self.action(pid, signo)[0])
        if (
            outcome is not None
            and not outcome.again
            and (held := task.deferred or task.interrupted) is not None
        ):
            task.deferred, task.interrupted = (held[0], outcome.result), None
        return outcome is not None and outcome.again

    def undo_stop(self, task: Task) -> bool:
        """The same for a stop without a signal (PTRACE_EVENT_STOP) that alone would not have been.

        SIGCONT makes such stops, too: of all threads that it has not found stopped (prepare_signal
        in kernel/signal.c).
        """
        if task.continued == 2:
            task.continued = 1
            return False
        task.continued = 0
        again = self._undo(task)
        if not again and task.deferred is not None and task.deferred[0].mended:
            deferred, task.deferred = task.deferred, None
            self._calls.returned_early(task, deferred)
        return again

    def pass_by(self, task: Task, status: int) -> bool:
        """Count the signal that a thread is about to be delivered, of a process that is over its
        budget.

        It is what `take` does with such a signal, for the many of a storm: `status` is that of
        waitpid.

        Returns:
            Whether it goes on already; else the stop is to be looked at.
        """
        signo, process = status >> 8, task.process
        if status & 0xFF != STOPPED or signo > LAST_REAL_TIME:
            return False
        if (
            process.actions_stale
            or self._context.notice is not None
            or not self._is_counted(task, signo)
        ):
            return False
        self._count(process, signo)
        task.stops = False
        ptrace.resume(task.tid, ptrace.CONT, signo)
        return True

    def _is_counted(self, task: Task, signo: int) -> bool:
        """Whether a signal is only counted: its process is over its budget, and just runs a handler
        of its own.

        A signal that it ignores must not be felt, and one of several threads may be another's:
        those are looked at, before the first kind is counted, too.
        """
        process = task.process
        if signo in FORCED or len(process.tasks) > 1 or task.entered is not None or task.semaphore:
            return False
        if task.redirected or task.deferred is not None or task.interrupted is not None:
            return False
        return self.action(process.pid, signo)[0] == "handler" and self._over_budget(process)

    def _over_budget(self, process: TracedProcess) -> bool:
        """Whether a signal is one too many to be told: what is done with it is done all the
        same.
        """
        if not process.counting and (reason := self._context.marks_over_budget(process)):
            self._context.count_marks(process, reason)
        return process.counting

    @staticmethod
    def _count(process: TracedProcess, signo: int) -> None:
        process.passed += 1
        process.counted_signals[signo] = process.counted_signals.get(signo, 0) + 1

    def passes(self, task: Task, signo: int) -> bool:
        """Whether a signal that is about to be delivered is not this thread's affair: it is
        ignored, or another's.
        """
        action, _ = self.action(task.process.pid, signo)
        if action in ("ignore", "continue"):
            return True
        info = ptrace.signal_info(task.tid)
        return signo not in task.redirected and self._belongs_to_leader(task, signo, info, action)

    def _belongs_to_leader(
        self, task: Task, signo: int, info: ptrace.SigInfo | None, action: str
    ) -> bool:
        """Whether the leading thread would have had a signal that was sent to the process as a
        whole.

        The kernel gives it to that thread if it does not block it (complete_signal in
        kernel/signal.c). But every thread that leaves a ptrace stop looks for pending signals anew,
        and one that makes many stops takes it first. Those of job control stay where they are: sent
        once more, they would undo what was sent after them.
        """
        leader = self._context.state.threads.get(task.process.pid)
        return (
            info is not None
            and info.code in TO_PROCESS
            and action == "handler"
            and signo < FIRST_REAL_TIME
            and signo not in FAULTS
            and signo not in JOB_CONTROL
            and task.tid != task.process.pid
            and task.process.pid in task.process.tasks
            and leader is not None
            and not leader.blocked >> (signo - 1) & 1
        )

    def _redirect(self, task: Task, signo: int) -> bool:
        """Send the signal on to the leading thread, with its siginfo as it was."""
        leader = task.process.tasks[task.process.pid]
        raw = ptrace.raw_signal_info(task.tid)
        if raw is None or not ptrace.tgkill(task.process.pid, leader.tid, signo):
            return False
        leader.redirected[signo] = raw
        return True

    def action(self, pid: int, signo: int) -> tuple[str, tuple[str, ...]]:
        """What a signal will do to a process, and the flags of its handler."""
        process = self._context.state.processes.get(pid)
        how = process.handling.get(signo) if process is not None else None
        if how is not None and how.action != "default":
            return ("handler" if how.action == "catch" else "ignore"), how.flags
        return default_action(signo), ()


def _forced(pid: int, signo: int, action: str) -> str:
    """What a fault does: the kernel sets it back to its default if it was blocked or ignored just
    then.

    It has done so before the tracer hears of the fault (force_sig_info_to_task in kernel/signal.c).
    """
    status = procfs.read_status(pid)
    caught = status is None or bool(status.caught >> (signo - 1) & 1)
    return action if caught and action == "handler" else default_action(signo)


def _outcome(
    held: tuple[Entered, int] | None, action: str, flags: tuple[str, ...], *, known: bool
) -> Literal["", "EINTR", "part", "again"]:
    """What becomes of a call that a signal cut short (signal(7), and handle_signal in the kernel).

    Args:
        held: The call, with its result or the kernel's restart code; None if there is none.
        action: What the signal does.
        flags: Those of its handler.
        known: Whether all of them are.
    """
    if held is None or action in ("ignore", "terminate", "core"):
        return ""
    code = held[1]
    if code == -EINTR:
        return "EINTR"
    if code <= 0 or code not in RESTART_CODES:
        return "part"
    if action != "handler" or code == ERESTARTNOINTR:
        return "again"
    if code != ERESTARTSYS:
        return "EINTR"
    return "again" if "SA_RESTART" in flags else "EINTR" if known else ""
