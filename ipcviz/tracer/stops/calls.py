"""Stops at system calls: which stop is an entry, a return, or a mark that is only counted, and what
a program's own confinement makes of it.

What happens at an entry is in `entries`, at a return in `exits`, and inside a call in `waits`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from ipcviz.kernel import ptrace, seccomp
from ipcviz.kernel.arch import call_numbers
from ipcviz.tracer.calls.table import NO_RETURN, UNCOUNTED
from ipcviz.tracer.context import Context
from ipcviz.tracer.sampling.sampler import Sampler
from ipcviz.tracer.stops import confinement
from ipcviz.tracer.stops.accesses import AccessStops
from ipcviz.tracer.stops.confinement import Verdict
from ipcviz.tracer.stops.entries import Entries
from ipcviz.tracer.stops.exits import EINTR, Exits
from ipcviz.tracer.stops.mend import RESTART_CODES, Mending
from ipcviz.tracer.stops.outcomes import LEAVE, LET_IN, PASS_BY, RESUME, Outcome, handle_instead
from ipcviz.tracer.stops.semaphores import SemaphoreStops
from ipcviz.tracer.stops.waits import Waits
from ipcviz.tracer.tasks import Task, TracedProcess


class CallStops:
    """Handles stops at system calls.

    Args:
        context: The session's.
        sampler: Is told what calls bring to light.
        semaphores: Is told when a wait is over.
        handle_stop: Handles a stop of another thread (its id, the status of waitpid) while one is
            at the entry or the return of a call.
    """

    def __init__(
        self,
        context: Context,
        sampler: Sampler,
        semaphores: SemaphoreStops,
        accesses: AccessStops,
        handle_stop: Callable[[int, int], None],
    ) -> None:
        self._context = context
        self._sampler = sampler
        self._semaphores = semaphores
        self._uncounted = frozenset(
            n for n, name in context.names.items() if name in UNCOUNTED or name in confinement.CALLS
        )
        self._no_return = frozenset(n for n, name in context.names.items() if name in NO_RETURN)
        self._confining = frozenset(
            call_numbers(context.arch.table)[name] for name in confinement.CALLS
        )
        self._sigaction = call_numbers(context.arch.table)["rt_sigaction"]
        self.mending = Mending(context)
        self.waits = Waits(context, sampler, semaphores)
        self.exits = Exits(context, sampler, semaphores, accesses, self.mending, handle_stop)
        self.entries = Entries(context, sampler, semaphores, self.exits, self.mending, self.waits)

    def forget_call(self, tid: int) -> None:
        """A thread is gone, or runs another program: it is inside no call."""
        self.waits.forget_thread(tid)
        self.exits.fifos.forget_thread(tid)
        self._context.exchanges.end_call(tid)
        cut = self._context.moving.end_thread(tid)
        if cut:
            self._sampler.levels_now(cut)
        task = self._context.tasks.get(tid)
        if task is not None:
            entered, task.entered = task.entered, None
            if (
                entered
                and entered.told
                and entered.inside
                and entered.args.get("signal") == "SIGKILL"
            ):
                # It has killed itself, and so never returns.
                self.exits.emit_return(task, entered, 0, 0)

    def handle_call(self, task: Task, info: ptrace.SyscallInfo | None) -> Outcome:
        """A thread stands at the entry or the return of a call (PTRACE_SYSCALL), of which the
        kernel says `info`; None if it is gone.
        """
        if info is None:
            return RESUME
        task.within = info.op == ptrace.SYSCALL_INFO_ENTRY
        counted, task.counted = task.counted, -1
        if counted >= 0 and info.op == ptrace.SYSCALL_INFO_EXIT and task.entered is None:
            if info.is_error and -info.result not in RESTART_CODES:
                task.process.counted_errors[counted] = -info.result
            return RESUME
        if task.within:
            return self.entries.handle_entry(task, info)
        if info.op != ptrace.SYSCALL_INFO_EXIT:
            return RESUME
        self.waits.forget_thread(task.tid)
        if task.wait.sleeps:
            return self._leave_futex(task, info)
        return self.exits.handle_return(task, info)

    def _leave_futex(self, task: Task, info: ptrace.SyscallInfo) -> Outcome:
        """A thread comes out of futex(2), in which it slept for a semaphore."""
        outcome = self.exits.handle_return(task, info)
        code = -info.result if info.is_error else 0
        error = EINTR if code in RESTART_CODES else code
        if outcome.after is None:
            self._semaphores.leaves_futex(task, error)
            return outcome

        def finish() -> None:
            outcome.finish()
            self._semaphores.leaves_futex(task, error)

        return outcome._replace(after=finish)

    def handle_mark(self, task: Task, info: ptrace.SyscallInfo | None) -> Outcome:
        """A thread stands at the entry of a marked call (PTRACE_EVENT_SECCOMP), of which the kernel
        says `info`; None if it is gone.
        """
        entered = task.entered
        if info is None:
            return RESUME
        if info.data != seccomp.MARK or info.number in self._confining:
            return self._handle_confinement(task, info)
        if entered is None or info.number not in (entered.number, entered.making):
            return self.entries.handle_entry(task, info)
        return RESUME

    def count_mark(self, task: Task) -> Outcome | None:
        """Count the marked call that a thread stands at, of a process that makes too many of them
        to look at each; None if it is to be looked at all the same.
        """
        process = task.process
        busy = task.entered is not None or task.interrupted is not None or task.deferred is not None
        if busy or task.semaphore or process.linking:
            return None
        found = ptrace.marked_call(task.tid)
        if found is None or found[2] != seccomp.MARK or found[1] in self._uncounted:
            return None
        number = found[1]
        counted = process.counted
        if number in counted and number != self._sigaction:
            process.passed += 1
            counted[number] += 1
            return PASS_BY
        # The first of each kind since they were told last is let in so that it stops at its return:
        # see `handle_call`.
        looks = number not in counted and number not in self._no_return
        self.entries.count_call(process, number)
        if looks:
            task.counted = number
        return LET_IN if looks else PASS_BY

    def refresh_dispositions(self, process: TracedProcess) -> None:
        """Ask /proc what a process does with signals: it may have changed that by a call that was
        only counted.
        """
        self._sampler.process_now(process.pid)

    def fail_foreign_mark(self, task: Task) -> None:
        """A thread whose calls are not decoded stands at one that its own filter has marked: it
        fails, as alone.
        """
        info = ptrace.syscall_info(task.tid)
        if info is not None and info.data != seccomp.MARK:
            confinement.answer_call(task.tid, self._context.arch, -errno.ENOSYS)

    def _handle_confinement(self, task: Task, info: ptrace.SyscallInfo) -> Outcome:
        """A thread stands at a call about its confinement, or marked by its own filter."""
        try:
            verdict = confinement.decide_verdict(self._context, task, info)
        except confinement.Cut as cut:
            task.entered = None
            return handle_instead(cut.status)
        if verdict is Verdict.KILLED:
            return LEAVE
        if verdict in (Verdict.PASSES_UNTOLD, Verdict.ANSWERED_UNTOLD):
            return RESUME
        if verdict is not Verdict.PASSES:
            self.entries.note_answered(task, info)
            if verdict is Verdict.ANSWERED:
                return RESUME
            return self.exits.handle_return(
                task, info._replace(op=ptrace.SYSCALL_INFO_EXIT, result=0)
            )
        if task.entered is None or task.entered.number != info.number:
            return self.entries.handle_entry(task, info)
        return RESUME
