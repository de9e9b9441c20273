"""Signal-delivery-stops: what a signal does to a thread, and to the call that it cut short."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from ipcviz.events import SignalDelivered
from ipcviz.events.signals import code_name, default_action
from ipcviz.kernel import procfs, ptrace
from ipcviz.model.mechanisms.signals import FIRST_REAL_TIME
from ipcviz.model.state import State
from ipcviz.tracer.context import Context
from ipcviz.tracer.sampling.mappings import examine_fault
from ipcviz.tracer.stops import handlers
from ipcviz.tracer.stops.accesses import AccessStops
from ipcviz.tracer.stops.calls import CallStops
from ipcviz.tracer.stops.exits import EINTR
from ipcviz.tracer.stops.mend import RESTART_CODES, SIGCONT
from ipcviz.tracer.stops.outcomes import (
    RESUME,
    Outcome,
    handle_instead,
    pass_by_with,
    resume_with,
)
from ipcviz.tracer.stops.semaphores import SemaphoreStops
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


Fate = Literal["", "EINTR", "part", "again"]
"""What becomes of a call that a signal cut short: see `_find_fate`."""


class Delivery(NamedTuple):
    """A signal that a thread is delivered.

    Attributes:
        task: The thread.
        signo: The signal.
        info: What siginfo says of it.
        action: What it does to the process.
        cut: The call that it cut short.
        fate: What becomes of that.
    """

    task: Task
    signo: int
    info: ptrace.SigInfo | None
    action: str
    cut: str
    fate: Fate


class SignalStops:
    """Handles stops at which signals are about to be delivered: which signals reach which threads.

    Args:
        context: The session's.
        calls: Is told what becomes of calls that a signal cut short.
        semaphores: Knows the breakpoints, whose traps are signals, too.
    """

    def __init__(
        self,
        context: Context,
        calls: CallStops,
        semaphores: SemaphoreStops,
        accesses: AccessStops,
    ) -> None:
        self._context = context
        self._calls = calls
        self._semaphores = semaphores
        self._accesses = accesses

    def handle_signal(self, task: Task, signo: int) -> Outcome:
        """A thread stands before a signal's delivery, or at a breakpoint."""
        if not task.process.executed:
            return resume_with(signo)
        accesses = self._accesses.handle_trap(task) if signo == ptrace.SIGTRAP else None
        if accesses is not None:
            return handle_instead(accesses) if isinstance(accesses, int) else RESUME
        address = self._semaphores.find_breakpoint(task) if signo == ptrace.SIGTRAP else 0
        if address:
            if not self._semaphores.is_nested(task, address):
                self._calls.entries.settle_deferred(task)
            return self._semaphores.pass_breakpoint(task, address)
        if signo in INVALID_ACCESS:
            self._semaphores.leave_copy(task)
        return self.deliver_signal(task, signo)

    def deliver_signal(self, task: Task, signo: int) -> Outcome:
        """A signal is about to be delivered.

        The thread is resumed with it, or with none if another thread is to have it.
        """
        process = task.process
        self._learn_actions(process)
        if self._is_counted(task, signo):
            self._count_delivery(process, signo)
            return resume_with(signo)
        original = task.redirected.pop(signo, None)
        if original is not None:
            ptrace.set_signal_info(task.tid, original)
        info = ptrace.signal_info(task.tid)
        action, flags = self.find_action(process.pid, signo)
        if info is not None and signo in FORCED and info.code > 0:
            action = _find_forced_action(process.pid, signo, action)
        redirected = (
            original is None
            and self._belongs_to_leader(task, signo, info, action)
            and self._redirect_signal(task, signo)
        )
        unfelt = self._undo_unfelt(task, signo, action, redirected=redirected)
        deferred, task.deferred = task.deferred, None
        held = deferred or task.interrupted
        interrupted = held[0] if held is not None and held[0].told and not unfelt else None
        if held is not None and held[0].back and action in ("handler", "stop"):
            held = self._cut_short(task, held[0])
            deferred = held if task.interrupted is None else deferred
        if action == "stop":
            # Of all that comes with SIGCONT, nothing finds it asleep in that call any more.
            task.decided = self._calls.mending.has_returned(task)
        if redirected:
            if deferred is not None:
                self._calls.exits.emit_held_back(task, deferred)
            return RESUME
        if action == "ignore" and deferred is None and self._over_budget(process):
            self._count_delivery(process, signo)
            return resume_with(signo)
        # A handler that was set before we came may have SA_RESTART: /proc does not say.
        known = (self._context.policy.from_start and not process.actions_unseen) or bool(flags)
        fate = _find_fate(held if interrupted is not None else None, action, flags, known=known)
        if action in ("handler", "stop") and task.interrupted is not None:
            # It is begun again as if it had just been made, now and alone.
            task.interrupted[0].begin_again(self._context.now())
            if interrupted is None:
                task.interrupted = None
        if action == "handler":
            handlers.enter_handler(task, flags, from_start=self._context.policy.from_start)
        cut = interrupted.name if interrupted and action != "ignore" else ""
        t = self._context.now()
        delivery = Delivery(task, signo, info, action, cut, fate)
        if held is None and signo not in INVALID_ACCESS:
            return resume_with(signo, lambda: self._emit_delivery(delivery, t))
        # Of a call that it cut short the return is still to be emitted, and perhaps to be changed;
        # a fault is looked at.
        self._emit_delivery(delivery, t)
        self._conclude_call(task, deferred, action, fate)
        return resume_with(signo)

    def _undo_unfelt(self, task: Task, signo: int, action: str, *, redirected: bool) -> bool:
        """Whether a signal is not to be felt: alone, it would never have reached this thread, nor
        cut its call short. What it cut short is then made again.
        """
        unfelt = action in ("ignore", "continue") or redirected
        if signo == SIGCONT:
            # It continues what was stopped, and alone that is felt; to what runs it is as if
            # ignored.
            unfelt, task.continued = unfelt and not task.continued, 0
        if unfelt:
            self._undo_cut(task)
        return unfelt

    def _cut_short(self, task: Task, entered: Entered) -> tuple[Entered, int]:
        """A thread is about to make a call again, and is delivered a signal that, alone, would have
        found it asleep there: the call, and what the kernel would have returned.
        """
        task.interrupted = None
        result = self._calls.mending.cut_call(task, entered)
        if -result in RESTART_CODES:
            task.interrupted = (entered, -result)
            return task.interrupted
        return entered, result

    def _emit_delivery(self, delivery: Delivery, t: float) -> None:
        task, signo, info, action, cut, fate = delivery
        pid = task.process.pid
        sender, sender_name = sender_of(self._context, pid, info, signo)
        # Of a timer's signal, siginfo has the timer's number where others have their sender.
        timed = info is not None and info.code == SI_TIMER
        self._context.emit(
            SignalDelivered(
                t=t,
                pid=pid,
                tid=task.tid,
                signo=signo,
                code=code_name(signo, info.code) if info else "",
                sender=sender,
                sender_name=sender_name,
                action=action,
                address=info.address if info and signo in FAULTS and info.code > 0 else 0,
                interrupted=cut,
                outcome=fate,
                value=info.value if info and info.code in QUEUED else 0,
                timer=info.pid if info and timed else -1,
                overrun=info.uid if info and timed else 0,
                fault=(
                    examine_fault(self._context, pid, task.tid, info.address)
                    if info and signo in INVALID_ACCESS and 0 < info.code < SI_KERNEL
                    else None
                ),
            )
        )

    def _conclude_call(
        self, task: Task, deferred: tuple[Entered, int] | None, action: str, fate: Fate
    ) -> None:
        """What becomes of the call that a delivered signal cut short."""
        if deferred is not None:
            self._calls.exits.emit_held_back(task, deferred)
        elif task.interrupted is not None and action == "handler":
            entered, _ = task.interrupted
            if fate == "EINTR":
                task.interrupted = None
                self._calls.exits.emit_return(task, entered, -1, EINTR)
            elif fate == "again":
                # Whatever further handlers run first: the kernel has decided.
                task.interrupted = (entered, ERESTARTNOINTR)

    def _undo_cut(self, task: Task) -> bool:
        """Something comes to a thread that is not to be felt.

        Returns whether what it cut short is made again.
        """
        if task.decided:
            return False
        pid = task.process.pid
        outcome = self._calls.mending.undo_cut(task, lambda signo: self.find_action(pid, signo)[0])
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
        self._learn_actions(task.process)
        again = self._undo_cut(task)
        if not again and task.deferred is not None and task.deferred[0].mended:
            deferred, task.deferred = task.deferred, None
            self._calls.exits.emit_held_back(task, deferred)
        return again

    def count_signal(self, task: Task, status: int) -> Outcome | None:
        """Count the signal that a thread is about to be delivered, of a process that is over its
        budget; None if the stop is to be looked at.

        It is what `deliver_signal` does with such a signal, for the many of a storm: `status` is
        that of waitpid.
        """
        signo, process = status >> 8, task.process
        if status & 0xFF != STOPPED or signo > LAST_REAL_TIME:
            return None
        if (
            self._may_be_stale(process)
            or self._context.tripwire.points
            or not self._is_counted(task, signo)
        ):
            return None
        self._count_delivery(process, signo)
        return pass_by_with(signo)

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
        return self.find_action(process.pid, signo)[0] == "handler" and self._over_budget(process)

    def _over_budget(self, process: TracedProcess) -> bool:
        """Whether a signal is one too many to be told: what is done with it is done all the
        same.
        """
        if not process.counting and (reason := self._context.marks_over_budget(process)):
            self._context.count_marks(process, reason)
        return process.counting

    @staticmethod
    def _count_delivery(process: TracedProcess, signo: int) -> None:
        process.passed += 1
        process.counted_signals[signo] = process.counted_signals.get(signo, 0) + 1

    def is_passed_on(self, task: Task, signo: int) -> bool:
        """Whether a signal that is about to be delivered is not this thread's affair: it is
        ignored, or another's.
        """
        self._learn_actions(task.process)
        action, _ = self.find_action(task.process.pid, signo)
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

    def _redirect_signal(self, task: Task, signo: int) -> bool:
        """Send the signal on to the leading thread, with its siginfo as it was."""
        leader = task.process.tasks[task.process.pid]
        raw = ptrace.raw_signal_info(task.tid)
        if raw is None or not ptrace.tgkill(task.process.pid, leader.tid, signo):
            return False
        leader.redirected[signo] = raw
        return True

    def _may_be_stale(self, process: TracedProcess) -> bool:
        """Whether a process may have set what it does with signals by a call that was not told.

        Attached, a process that is sampled stops at none of its calls, rt_sigaction neither: there
        is no filter that marks it.
        """
        return process.actions_stale or not (process.full or self._context.policy.from_start)

    def _learn_actions(self, process: TracedProcess) -> None:
        """Ask /proc what a process does with signals, if that may not be what is known.

        A signal that it ignores must not be felt, so this can't wait for the next sample.
        """
        if self._may_be_stale(process) and (
            process.actions_stale or not _are_actions_known(self._context.state, process.pid)
        ):
            process.actions_stale = False
            self._calls.refresh_dispositions(process)

    def find_action(self, pid: int, signo: int) -> tuple[str, tuple[str, ...]]:
        """What a signal will do to a process, and the flags of its handler."""
        process = self._context.state.processes.get(pid)
        how = process.handling.get(signo) if process is not None else None
        if how is not None and how.action != "default":
            return ("handler" if how.action == "catch" else "ignore"), how.flags
        return default_action(signo), ()


def _are_actions_known(state: State, pid: int) -> bool:
    """Whether what is known of a process's signals is what SigIgn and SigCgt of /proc/PID/status
    say now.
    """
    process, status = state.processes.get(pid), procfs.read_status(pid)
    if process is None or status is None:
        return status is None
    sets = {"ignore": 0, "catch": 0, "default": 0}
    for signo, how in process.handling.items():
        sets[how.action] |= 1 << (signo - 1)
    # Set back by the kernel when its handler began (SA_RESETHAND): /proc may not show it yet.
    sure = ~sets["default"]
    return (sets["ignore"], sets["catch"]) == (status.ignored & sure, status.caught & sure)


def _find_forced_action(pid: int, signo: int, action: str) -> str:
    """What a fault does: the kernel sets it back to its default if it was blocked or ignored just
    then.

    It has done so before the tracer hears of the fault (force_sig_info_to_task in kernel/signal.c).
    """
    status = procfs.read_status(pid)
    caught = status is None or bool(status.caught >> (signo - 1) & 1)
    return action if caught and action == "handler" else default_action(signo)


def _find_fate(
    held: tuple[Entered, int] | None, action: str, flags: tuple[str, ...], *, known: bool
) -> Fate:
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
    if "SA_RESTART" in flags:
        return "again"
    return "EINTR" if known else ""
