"""The tracer's heart: which stop of which thread goes where, and how the thread goes on; births and
deaths.
"""

from __future__ import annotations

import os
import time
from collections import deque
from typing import Final

from ipcviz.events import (
    Continued,
    Executed,
    Exited,
    Finished,
    Forked,
    Reaped,
    Stopped,
    ThreadCreated,
    ThreadExited,
)
from ipcviz.events import How as ForkedHow
from ipcviz.kernel import elf, procfs, ptrace
from ipcviz.kernel.arch import Arch
from ipcviz.kernel.ptrace import AT_CALL, AT_MARK, AT_TRAP
from ipcviz.tracer.budget import Budget
from ipcviz.tracer.config import AnyConfig
from ipcviz.tracer.context import Context
from ipcviz.tracer.emitter import Emitter
from ipcviz.tracer.sampling.families import orphans_of
from ipcviz.tracer.sampling.outsiders import OutsiderLooks
from ipcviz.tracer.sampling.sampler import Sampler
from ipcviz.tracer.sampling.untraced_tables import Tables
from ipcviz.tracer.stops import births, breakpoints, confinement, executions, handlers, linking
from ipcviz.tracer.stops.accesses import AccessStops
from ipcviz.tracer.stops.calls import CallStops
from ipcviz.tracer.stops.outcomes import (
    ENTERED,
    LEAVE,
    LISTEN,
    LISTENING,
    PASSED_BY,
    REPLACED,
    RESUME,
    RESUMED,
    Outcome,
    resume_then,
)
from ipcviz.tracer.stops.semaphores import SemaphoreStops
from ipcviz.tracer.stops.senders import killer_of
from ipcviz.tracer.stops.signals import STOPPED, SignalStops
from ipcviz.tracer.stops.stepping import Stepping
from ipcviz.tracer.stops.transfers import Transfers
from ipcviz.tracer.tasks import Task, TracedProcess

OPTIONS: Final = (
    ptrace.O_TRACESYSGOOD
    | ptrace.O_TRACEFORK
    | ptrace.O_TRACEVFORK
    | ptrace.O_TRACECLONE
    | ptrace.O_TRACEEXEC
    | ptrace.O_TRACEEXIT
    | ptrace.O_TRACESECCOMP
    | ptrace.O_EXITKILL
)

COUNTED_SECONDS: Final = 1.0
"""How often it is said how many stops were only counted."""

QUIET_SECONDS: Final = 1.0
"""How long a sampled process has to be below its budget before its calls are traced in full again.
"""

SIGKILL: Final = 9

BIRTHS: Final[dict[int, ForkedHow]] = {
    ptrace.EVENT_FORK: "fork",
    ptrace.EVENT_VFORK: "vfork",
    ptrace.EVENT_CLONE: "clone",
}
"""How a process was made, by ptrace's event."""

ENDED_KEPT: Final = 64
"""How many processes that have ended are kept for what their orphans need."""

GOES_ON: Final = (RESUMED, ENTERED, PASSED_BY)
"""What becomes of a thread that runs code of its own from here on."""

LAST_LOOKS: Final = 200.0
"""How many processes a second are looked at before they end, for what they have used in all."""
LAST_LOOKS_AT_ONCE: Final = 50.0
"""How many of them may end at once: each look takes as long as all else about the end."""

ORPHAN_SECONDS: Final = 0.04
TELLING_SECONDS: Final = 1.0
"""How long a new process may be known by its first stop alone before it counts as an orphan:
shorter if its parent, as /proc shows it, is none of ours, and so was given to it."""


class Engine:
    """Drives the traced threads of one session.

    Args:
        arch: This machine's.
        config: Modes and budgets.
        emitter: Where events go.
        always: Stop at every call: there is no seccomp filter that marks some.
    """

    def __init__(
        self, arch: Arch, config: AnyConfig, emitter: Emitter, *, always: bool = False
    ) -> None:
        self._context = Context(arch, config, emitter)
        self._tasks = self._context.tasks
        self._always = always
        self._full = config.full
        self._all_marked = config.full and not always
        """The filter marks data calls, too."""
        self._context.stops_always = always
        self._early: dict[int, tuple[int, float]] = {}
        self._ended_lately: deque[TracedProcess] = deque(maxlen=ENDED_KEPT)
        self._root = 0
        self._ended_with: tuple[int, int] | None = None
        self.sampler = Sampler(self._context)
        self._outsiders = OutsiderLooks(self._context)
        self._tables = Tables(self._context, self.sampler)
        self._last_looks = Budget(LAST_LOOKS, LAST_LOOKS_AT_ONCE)
        self._looked_at = time.monotonic()
        self._told = [0.0, 0.0]
        self._semaphores = SemaphoreStops(self._context, self.sampler)
        self._accesses = AccessStops(self._context)
        self._calls = CallStops(
            self._context, self.sampler, self._semaphores, self._accesses, self.handle_stop
        )
        self._transfers = Transfers(self._context, self._calls.exits, self._calls.waits)
        self._signals = SignalStops(self._context, self._calls, self._semaphores, self._accesses)
        self.stepping = Stepping(
            self._context,
            self._calls,
            self._signals,
            self._semaphores,
            self._accesses,
            self.sampler,
            self._tables,
            self.carry_out,
        )

    @property
    def processes(self) -> dict[int, TracedProcess]:
        """The traced processes by pid."""
        return self._context.processes

    # Beginning and end of processes.

    def add_root(self, pid: int) -> None:
        """The launched command's process, seized and held before its execve."""
        self._root = pid
        process = self._context.new_process(pid)
        process.executed = False
        task = self._adopt_thread(process, pid)
        name = self._context.config.argv[0].rpartition("/")[2]
        self._context.emit(
            Forked(
                pid=pid,
                parent=os.getpid(),
                how="launched",
                name=name,
                argv=self._context.config.argv,
            )
        )
        if self._context.config.hold:
            self.stepping.begin(task)

    def _adopt_thread(self, process: TracedProcess, tid: int, *, fresh: bool = False) -> Task:
        task = Task(tid, process, fresh=fresh)
        process.tasks[tid] = task
        self._context.processes[process.pid] = process
        self._context.tasks[tid] = task
        return task

    def is_watching(self) -> bool:
        """Whether anything is still traced."""
        return bool(self._context.tasks) or bool(self._early)

    def is_traced(self, tid: int) -> bool:
        """Whether a thread is one of those traced."""
        return tid in self._context.tasks

    def list_unborn(self) -> tuple[int, ...]:
        """Threads that have stopped for the first time before their makers told of them."""
        return tuple(self._early)

    def sample(self) -> None:
        """Look at what can only be sampled, and at what was sampled so far."""
        self._sample_counted()
        self.sampler.sample()
        self._calls.exits.fifos.check_opens()
        for task in list(self._context.tasks.values()):
            if task.semaphore and self.sampler.left_futex(task):
                self._semaphores.seen_running(task)
        self._adopt_orphans()
        self._reconsider_sampled()
        self._outsiders.continue_search()

    def check_rest(self) -> None:
        """Hold everything if a breakpoint was reached; in step mode, see whether all is at rest."""
        self.stepping.check_tripwire()
        if self.stepping.unsettled:
            self.stepping.check_settled(unborn=bool(self._early))

    def announce_waits(self) -> None:
        """See `Waits.announce`."""
        self._calls.waits.announce_sleepers()

    def next_limit(self) -> float | None:
        """In how many seconds a call that was made again is to end (`Mending.next_limit`)."""
        return self._calls.mending.next_limit()

    def end_limits(self) -> None:
        """See `Mending.end_limits`."""
        self._calls.mending.end_limits()

    def pending_waits(self) -> bool:
        """See `Waits.pending`."""
        return self._calls.waits.pending

    # Stops.

    def handle_stop(self, tid: int, status: int) -> None:
        """Handle one result of waitpid."""
        task = self._tasks.get(tid)
        if status & 0xFF != STOPPED:
            self._end_thread(tid, status)
        elif task is None:
            # A child's first stop can come before its parent's fork event.
            self._early[tid] = (status, time.monotonic())
        else:
            process = task.process
            decodes = process.executed and not process.foreign and not self._context.holding
            if decodes and status == AT_MARK:
                outcome = self._calls.count_mark(task) if process.counting else None
                if outcome is None:
                    info = ptrace.syscall_info(tid)
                    if self._all_marked and info and self._transfers.enter_call(task, info):
                        return
                    outcome = self._calls.handle_mark(task, info)
            elif decodes and status == AT_CALL:
                info = ptrace.syscall_info(tid)
                if self._all_marked and info and self._transfers.leave_call(task, info):
                    return
                outcome = self._calls.handle_call(task, info)
            else:
                outcome = self._decide_outcome(task, status)
            self.carry_out(task, outcome)

    def handle_and_price(self, tid: int, status: int) -> None:
        """Handle one result of waitpid, and note what it cost if anything was told."""
        emitter = self._context.emitter
        emitted, began = emitter.emitted, time.thread_time()
        self.handle_stop(tid, status)
        if emitter.emitted > emitted:
            self._context.price.note(time.thread_time() - began)

    def _decide_outcome(self, task: Task, status: int) -> Outcome:
        """What becomes of a thread that has stopped, not at a call of a live run: those are by far
        the most.
        """
        process, context = task.process, self._context
        if status == AT_TRAP and process.linking and linking.handle_trap(task, context.arch):
            return RESUME
        if context.holding:
            outcome = self.stepping.handle_stop(task, status)
            if outcome is not None:
                return outcome
        elif process.counting and process.executed and not process.foreign:
            outcome = self._signals.count_signal(task, status)
            if outcome is not None:
                return outcome
        if status in (AT_CALL, AT_MARK):
            if process.executed and status == AT_MARK:
                self._calls.fail_foreign_mark(task)
            return RESUME
        signo, event = os.WSTOPSIG(status), status >> 16
        if event == ptrace.EVENT_STOP:
            return self._handle_event_stop(task, signo)
        return (
            self._handle_event(task, event) if event else self._signals.handle_signal(task, signo)
        )

    @staticmethod
    def _is_decodable(process: TracedProcess) -> bool:
        """Whether a process's calls mean anything: it runs the command, on this architecture."""
        return process.executed and not process.foreign

    # How threads go on.

    def carry_out(self, task: Task, outcome: Outcome) -> None:
        """Let a thread go on, or leave it, as was decided at its stop: all are resumed here but
        those that `transfers` sees to.

        What was put off until it runs is done then; just before where it may be held, since what it
        did may be what it is held for.
        """
        how, value, after = outcome
        if not self._context.go_first:
            if after is not None:
                after()
                after = None
            if self._accesses.active and how in GOES_ON:
                self._accesses.arm_watchpoints(task)
        if how is RESUMED:
            self._resume_thread(task, value)
        elif how is ENTERED:
            task.stops = True
            ptrace.resume_thread(task.tid, ptrace.SYSCALL)
        elif how is PASSED_BY:
            task.stops = False
            ptrace.resume_thread(task.tid, ptrace.CONT, value)
        elif how is LISTENING:
            ptrace.resume_thread(task.tid, ptrace.LISTEN)
        elif how is REPLACED:
            self.handle_stop(task.tid, value)
        if after is not None:
            after()

    def _resume_thread(self, task: Task, signo: int) -> None:
        """Let a thread go on, to the return of its call, its next call, or its next marked call."""
        context = self._context
        if context.tripwire.points and self.stepping.check_tripwire(task):
            return
        if task.entered is not None:
            self._calls.entries.begin_call(task)
            traced = True
        elif task.interrupted is not None or task.semaphore or task.decided:
            traced = True
        elif self._all_marked and not context.holding:
            traced = False
        else:
            process = task.process
            traced = (
                self._stops_at_calls(process)
                and process.executed
                and not process.foreign
                and not process.linking
            )
        task.stops = traced or self._full
        # If it was killed meanwhile, its end comes by waitpid.
        ptrace.resume_thread(task.tid, ptrace.SYSCALL if traced else ptrace.CONT, signo)

    def _stops_at_calls(self, process: TracedProcess) -> bool:
        """Whether a process's threads stop at every call."""
        # In full mode the filter marks data calls too, where there is a filter.
        return (
            self._always
            or self._context.holding
            or (process.full and not self._context.config.full)
        )

    # Calls that are only counted.

    def _sample_counted(self) -> None:
        """Read the tables of processes whose calls are only counted, and say how many those
        were.
        """
        counting = [process for process in self._context.processes.values() if process.counting]
        if not counting:
            return
        if self._context.policy.from_start:
            self._tables.update_tables(
                [process.pid for process in counting if process.executed and not process.ending]
            )
        now = time.monotonic()
        for process in counting:
            if now - process.counted_at >= COUNTED_SECONDS:
                self._context.emit_counted(process)

    def _reconsider_sampled(self) -> None:
        """Trace sampled processes in full again once they have been quiet, from their next stop on.

        Only so many come back as the session's budgets have room for: 1,000 quiet ones can be too
        much together.
        """
        now = time.monotonic()
        passed = max(now - self._looked_at, 1e-3)
        self._looked_at = now
        budgets = (self._context.session_calls, self._context.session_marks)
        # Smoothed, since a look is short.
        self._told = [
            told + (budget.spent / passed - told) * min(1.0, passed / QUIET_SECONDS)
            for told, budget in zip(self._told, budgets, strict=True)
        ]
        for budget in budgets:
            budget.spent = 0.0
        room = [budget.rate / 2 - told for told, budget in zip(self._told, budgets, strict=True)]
        least = self._context.config.budget / 4
        price = self._context.price.units
        for process in self._context.processes.values():
            if (process.full and not process.counting) or process.catching or process.foreign:
                continue
            calls, marks = self.sampler.data_calls(process.pid), process.passed
            units = price / max(now - process.seen_at, 1e-3)
            rates = ((calls - process.seen_calls) * units, (marks - process.seen_passed) * units)
            process.seen_calls, process.seen_passed, process.seen_at = calls, marks, now
            if max(rates) > least or not process.quiet_since:
                process.quiet_since = now
            elif now - process.quiet_since > QUIET_SECONDS and not self._context.emitter.late:
                left = [free - rate for free, rate in zip(room, rates, strict=True)]
                if min(left) >= 0:
                    room = left
                    self._trace_again(process)

    def _trace_again(self, process: TracedProcess) -> None:
        self._tables.trace_in_full(process, "quiet again")

    # Processes and threads.

    def _handle_event_stop(self, task: Task, signo: int) -> Outcome:
        """PTRACE_EVENT_STOP: a group-stop, its end, or a new thread's first stop."""
        fresh, task.fresh = task.fresh, False
        state = self._context.state.processes.get(task.process.pid)
        if signo == ptrace.SIGTRAP:
            if not fresh and self._is_decodable(task.process):
                self._signals.undo_stop(task)
            if state is not None and state.stopped_by:
                self._context.emit(Continued(pid=task.process.pid))
            return RESUME
        task.continued = 2
        if state is not None and state.stopped_by != signo:
            self._context.emit(Stopped(pid=task.process.pid, signo=signo))
        return LISTEN

    def _handle_event(self, task: Task, event: int) -> Outcome:
        if event == ptrace.EVENT_EXIT:
            self._semaphores.end_thread(task)
        self._calls.entries.settle_deferred(task)
        if event in BIRTHS or event == ptrace.EVENT_EXEC:
            message = ptrace.event_message(task.tid)
            if message is None:
                return LEAVE
            if event == ptrace.EVENT_EXEC:
                return self._handle_execve(task, message)
            return self._handle_birth(task, message, event)
        if event == ptrace.EVENT_EXIT and task.process.executed:
            return self._handle_exit(task)
        return RESUME

    def _handle_exit(self, task: Task) -> Outcome:
        """A thread is about to end: what its process has can be read for the last time."""
        process = task.process
        self._calls.forget_call(task.tid)
        # /proc/PID/fd shows the leader's table, which is gone with it even if other threads go on.
        process.ending |= len(process.tasks) == 1 or task.tid == process.pid
        if len(process.tasks) == 1:
            self.sampler.memory_now(process.pid)
            if self._last_looks.spend():
                last = self.sampler.read_process(process.pid)
                return resume_then(lambda: self.sampler.emit_process(last))
        return RESUME

    def _handle_birth(self, task: Task, tid: int, event: int) -> Outcome:
        """A thread has made process or thread `tid`."""
        if tid in self._context.tasks:
            return RESUME
        made = births.read_birth(self._context, task, tid, event)
        t = self._context.now()
        return resume_then(lambda: self._adopt_child(task, tid, made, BIRTHS[event], t))

    def _adopt_child(
        self, maker: Task, tid: int, made: births.Made, how: ForkedHow, t: float
    ) -> None:
        """Know what a thread has made, and handle its first stop if that has come already."""
        parent = maker.process
        self._context.numbers.add_thread(tid, parent.pid, made.inner)
        if made.thread:
            parent.alone = False
            self._adopt_thread(parent, tid, fresh=True).no_new_privs = maker.no_new_privs
            self._context.emit(ThreadCreated(t=t, pid=parent.pid, tid=tid, by=maker.tid))
        else:
            process = self._adopt_process(maker, tid, made)
            reason = self._context.too_many_processes() if process.full else ""
            if reason and parent.full and self._context.births_over_budget():
                self.sampler.process_now(parent.pid)
                self._context.set_coverage(parent, full=False, reason=reason)
            self._context.emit(
                Forked(
                    t=t,
                    pid=tid,
                    parent=made.parent,
                    by=maker.tid,
                    how=how,
                    shares_files=made.shares_files,
                    shares_memory=made.shares_memory,
                )
            )
            self._accesses.inherit_variables(parent.pid, tid)
            told = self._context.state.processes[tid].full
            if reason and told:
                self._context.set_coverage(process, full=False, reason=reason)
            elif reason:
                process.full, process.doubted = False, True
            elif process.full and not told:
                self._context.set_coverage(process, full=True, reason="it has a budget of its own")
        early = self._early.pop(tid, None)
        if early is not None:
            self.handle_stop(tid, early[0])

    def _adopt_process(self, maker: Task, tid: int, made: births.Made) -> TracedProcess:
        """Know a new process, which has what it inherits from its maker."""
        parent, process = maker.process, self._context.new_process(tid)
        executions.inherit_program(process, parent)
        process.shares_files = made.shares_files
        parent.shares_files |= made.shares_files
        if not self._context.policy.from_start:
            process.full, process.catching = parent.full, parent.catching
        if parent.counting:
            process.full, process.counting, process.counted_at = False, True, time.monotonic()
        process.actions_unseen = parent.actions_unseen
        process.actions_stale = parent.actions_stale
        process.inherit_breakpoints(parent, shared=made.shares_memory)
        if not made.shares_memory:
            process.copy_memory(parent, maker.tid)
        child = self._adopt_thread(process, tid, fresh=True)
        child.no_new_privs = maker.no_new_privs
        handlers.inherit_stacks(child, maker)
        process.loader, process.linked = parent.loader, parent.linked
        process.linking = dict(parent.linking)
        self.sampler.semaphores.inherit_mappings(parent.pid, tid)
        return process

    def _adopt_orphans(self) -> None:
        """Know children whose makers were killed before they could tell of them: nobody else would
        let them go on.
        """
        now = time.monotonic()
        for tid, (first_stop, since) in list(self._early.items()):
            status = procfs.read_status(tid)
            if status is None or status.tgid != tid:
                continue
            if now - since < (
                TELLING_SECONDS if status.ppid in self._context.processes else ORPHAN_SECONDS
            ):
                continue
            del self._early[tid]
            process = self._context.new_process(tid)
            self._context.numbers.add_thread(tid, status.ppid, status.nspid[1:])
            # Which process made it is not known, but its breakpoints are in the memory that it was
            # given.
            for other in (*reversed(self._ended_lately), *self._context.processes.values()):
                if other.breakpoints and breakpoints.are_in(other, tid, self._context.arch):
                    process.inherit_breakpoints(other)
                    process.foreign = other.foreign
                    break
            self._adopt_thread(process, tid, fresh=True)
            self._context.emit(Forked(pid=tid, parent=status.ppid, how="fork", name=status.name))
            self.sampler.tables.check_table(tid, "attached")
            self.sampler.process_now(tid)
            self.handle_stop(tid, first_stop)

    def _handle_execve(self, task: Task, former: int) -> Outcome:
        process = task.process
        moving = any(other.steps.moving for other in process.tasks.values())
        for tid in list(process.tasks):
            if tid != process.pid:
                del process.tasks[tid]
                self._context.tasks.pop(tid, None)
                self._calls.forget_call(tid)
        leader = self._context.tasks.get(process.pid) or self._adopt_thread(process, process.pid)
        leader.forget_program()
        leader.no_new_privs |= task.no_new_privs
        leader.steps.moving = moving
        self._calls.forget_call(process.pid)
        process.forget_program()
        self.sampler.forget_memory(process.pid)
        self._semaphores.forget_places(process.pid)
        self._accesses.forget_process(process.pid)
        first = not process.executed
        process.executed = True
        path = procfs.read_exe(process.pid) or ""
        t = self._context.now()
        kind = elf.machine_class(f"/proc/{process.pid}/exe")
        # Where all calls are marked its linker stops at some, before libraries need breakpoints or
        # it renames itself.
        decodes = elf.runs_on(kind, self._context.arch.elf_machine) and not (
            first or process.foreign or process.doubted
        )
        goes = (
            self._context.config.full
            and decodes
            and self._semaphores.has_to_load(kind)
            and not self._accesses.active
        )

        def tell() -> None:
            self._introduce_program(leader, path, kind, former, t, first=first)

        if not goes:
            tell()
        self.carry_out(leader, resume_then(tell) if goes else RESUME)
        return LEAVE

    def _introduce_program(
        self,
        leader: Task,
        path: str,
        kind: elf.ElfClass | None,
        former: int,
        t: float,
        *,
        first: bool,
    ) -> None:
        """Emit that a process has executed a program, and put into that what is needed there."""
        process = leader.process
        self._context.emit(
            Executed(
                t=t,
                pid=process.pid,
                path=path,
                argv=tuple(procfs.read_cmdline(process.pid) or ()),
                name=procfs.read_comm(process.pid) or path.rpartition("/")[2],
                former=former if former != process.pid else 0,
            )
        )
        executions.introduce_program(self._context, process, path, kind, first=first)
        if self._accesses.active and not process.foreign:
            self._accesses.locate_variables(process)
        if first and not self._always:
            self._context.imposes_no_new_privs = confinement.is_imposed(process.pid)
        if process.counting:
            self._tables.read_table(process.pid)
            self.sampler.process_now(process.pid)
        elif first or process.doubted:
            self.sampler.tables.check_table(process.pid, "launched" if first else "exec")
            self.sampler.process_now(process.pid)
        if not process.foreign:
            harmless = not self._always and self._semaphores.may_break(process.pid)
            linking.begin_linking(self._context, leader, kind, harmless=harmless)
            self._semaphores.handle_execve(leader, f"/proc/{process.pid}/exe", kind)

    def _end_thread(self, tid: int, status: int) -> None:
        task = self._context.tasks.pop(tid, None)
        self._early.pop(tid, None)
        if task is None:
            return
        process = task.process
        process.tasks.pop(tid, None)
        self._calls.forget_call(tid)
        if tid == process.pid:
            self._context.emit_counted(process)
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 0
        if tid != process.pid:
            if process.executed:
                self._context.emit(ThreadExited(pid=process.pid, tid=tid, code=code))
            return
        self._context.processes.pop(tid, None)
        self._tables.forget_process(tid)
        self._ended_lately.append(process)
        self.sampler.end_process(tid)
        self._semaphores.forget_places(tid)
        self._accesses.forget_process(tid)
        signo = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        core = bool(signo) and os.WCOREDUMP(status)
        orphans = orphans_of(self._context, tid)
        self._context.emit(
            Exited(
                pid=tid,
                code=code,
                signo=signo,
                core=core,
                orphans=orphans,
                sender=killer_of(self._context, tid) if signo == SIGKILL else 0,
                forbidden=process.forbidden if signo == SIGKILL else "",
            )
        )
        if tid == self._root:
            self._context.emit(Reaped(pid=tid, by=os.getpid()))
            self._ended_with = (128 + signo if signo else code, signo)
            if self._context.processes:
                self._emit_finished()

    def _emit_finished(self) -> None:
        if self._ended_with is not None:
            code, signo = self._ended_with
            self._context.emit(Finished(code=code, signo=signo, left=len(self._context.processes)))

    @property
    def ended(self) -> bool:
        """Whether the command itself has ended."""
        return self._ended_with is not None

    def emit_detached(self) -> None:
        """Say that what the command left running runs on without being watched."""
        if self._ended_with is not None:
            code, signo = self._ended_with
            detached = len(self._context.processes)
            self._context.emit(Finished(code=code, signo=signo, detached=detached))

    def all_gone(self) -> None:
        """Nothing is traced any more: say so, if the command's own end did not."""
        if self._ended_with is not None and not self._context.state.finished:
            self._emit_finished()
