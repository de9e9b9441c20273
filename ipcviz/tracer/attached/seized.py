"""Tracing the calls of processes that run already, so that they don't notice and nothing of it
stays behind.

There are no breakpoints, no seccomp filter and no PTRACE_O_EXITKILL. Detaching is the tracer's end:
the kernel lets go of every thread where it is, in a call, stopped or running (exit_ptrace in
kernel/ptrace.c), without stopping it first.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from typing import Final

from ipcviz.events import Finished, Trouble
from ipcviz.events.calls import having
from ipcviz.kernel import elf, procfs, ptrace
from ipcviz.kernel.arch import Arch
from ipcviz.kernel.ptrace import AT_CALL
from ipcviz.tracer.attached import attach
from ipcviz.tracer.attached.attach import AttachError
from ipcviz.tracer.calls.decode import decode_arguments
from ipcviz.tracer.calls.table import KNOWN
from ipcviz.tracer.config import AttachConfig
from ipcviz.tracer.emitter import Emitter
from ipcviz.tracer.stops.engine import OPTIONS, Engine
from ipcviz.tracer.stops.mend import RESTART_CODES
from ipcviz.tracer.stops.outcomes import Outcome
from ipcviz.tracer.tasks import Entered, Task, TracedProcess

ATTACH_OPTIONS: Final = OPTIONS & ~(ptrace.O_EXITKILL | ptrace.O_TRACESECCOMP)
"""No O_TRACESECCOMP: a program's own filter may count on the calls that it marks failing where
nobody traces it.
"""

WHY: Final = "threads that sleep in a call are left there until they come out of it"

RESTARTED: Final = having("restarts")
"""Calls that the kernel starts again, as they were, after PTRACE_INTERRUPT (ERESTARTSYS and its
like; signal(7)). read(2) of a pipe is one too, since it sleeps only while nothing has moved."""

LETTING_GO_SECONDS: Final = 0.5
"""How long threads are given, at the end, to come out of what ipcviz has brought them into."""
COMING_SECONDS: Final = 0.02
"""How long of it threads that run are given to come to a stop by themselves before they are asked
to.
"""

PARTIAL: Final = having("parts")
"""Calls that come back with what they have moved so far if they are cut short.

A thread that was seen asleep in one is never asked to stop, not even while it runs: it may have
been woken for the rest of that very call."""

COUNTED_SECONDS: Final = 0.5
"""How long a thread is looked at for that."""
LEAST_CALLS: Final = 100
"""With fewer calls a second it is not the stops that keep it from running."""
MOST_LOST: Final = 0.25
"""The part of its time that a thread may lose to its stops."""
TICK_SECONDS: Final = 1.0 / os.sysconf("SC_CLK_TCK")

LOOKS_FIRST: Final = 4
"""How many samples look at a thread before it may be asked to stop while it runs."""

LOOK_SECONDS: Final = 0.002
"""How long one sample waits for a thread that works to come out of its call."""
LOOKS: Final = 4
"""For how many threads it does."""


class SeizedEngine(Engine):
    """Drives the threads of processes that were attached to.

    Args:
        arch: This machine's.
        config: Which processes.
        emitter: Where events go.
    """

    def __init__(self, arch: Arch, config: AttachConfig, emitter: Emitter) -> None:
        super().__init__(arch, config, emitter)
        self._config = config
        self._patience = 0
        self._leaving = False
        self._cutting = False

    def begin(self) -> None:
        """Seize every thread.

        Raises AttachError if one can't be, or if nothing is left to be watched.
        """
        spare = frozenset((*self._config.spare, os.getpid()))
        seen: set[int] = set()
        while True:
            # What a seized process forks is traced from its birth, and its fork's stop tells of it.
            pids = (
                attach.list_family(self._config.pids, spare)
                if self._config.tree
                else self._config.pids
            )
            new = [pid for pid in pids if pid not in seen]
            if not new:
                break
            seen.update(new)
            for pid in new:
                self._seize_process(pid)
        if not self._context.processes:
            names = ", ".join(map(str, self._config.pids))
            raise AttachError(f"The process {names} ended before it could be watched.")

    def watch(self, pid: int) -> None:
        """Trace one more process, and with `--tree` its descendants.

        Raises AttachError if that can't be.
        """
        spare = frozenset((*self._config.spare, os.getpid()))
        attach.check_processes((pid,), trace=True, spare=spare)
        for one in attach.list_family((pid,), spare) if self._config.tree else (pid,):
            if one not in self._context.processes:
                self._seize_process(one)

    def _seize_process(self, pid: int) -> None:
        process = self._context.new_process(pid)
        process.full, process.why_sampled = False, WHY
        tried: set[int] = set()
        while new := [tid for tid in procfs.list_threads(pid) if tid not in tried]:
            tried.update(new)
            for tid in new:
                try:
                    ptrace.seize_thread(tid, ATTACH_OPTIONS)
                except OSError as error:
                    if error.errno == errno.ESRCH:
                        continue
                    status, look = procfs.read_status(pid, tid), procfs.read_stat(pid, tid)
                    if status is None or look is None or look.state in "ZX":
                        continue  # it was about to end
                    if status.tracer != os.getpid():
                        if pid not in self._config.pids and not process.tasks:
                            self._leave_out(self._why_not(error, pid, status), pid)
                            return
                        raise AttachError(self._why_not(error, pid, status)) from None
                    if not process.tasks:
                        # A child of one that was seized before: its maker's stop tells of it.
                        return
                    continue
                self._adopt_thread(process, tid)
        if not process.tasks:
            return
        if pid not in process.tasks:
            # The leader has ended and its threads have not: they are known by its id all the same.
            self._adopt_thread(process, pid)
        self._context.numbers.add_attached(pid, process.tasks)
        process.foreign = not elf.is_native(f"/proc/{pid}/exe", self._context.arch.elf_machine)
        look = procfs.read_stat(pid)
        self._tables.introduce_process(pid, "attached", look.ppid if look is not None else 0)
        self.sampler.process_now(pid)
        process.catching = not process.foreign

    def _leave_out(self, why: str, pid: int) -> None:
        """A descendant can't be traced: the others are all the same."""
        self._context.emit(Trouble(pid=pid, message=why))

    @staticmethod
    def _why_not(error: OSError, pid: int, status: procfs.Status) -> str:
        name = f"{status.name}[{pid}]"
        if status.tracer:
            tracer = f"{procfs.read_comm(status.tracer) or 'process'}[{status.tracer}]"
            return (
                f"{name} is traced already by {tracer}: end that first, or attach without --trace."
            )
        return ptrace.explain_refusal(error, name)

    def sample(self) -> None:
        """Look at everything once; the tables too of those whose calls are not all traced."""
        self.sampler.new_listing()
        partly = [pid for pid, process in self._context.processes.items() if not process.full]
        if partly:
            self._tables.update_tables(partly)
        super().sample()
        self._patience = LOOKS
        for process in list(self._context.processes.values()):
            if process.catching:
                self._catch_threads(process)

    # Going on.

    def _stops_at_calls(self, process: TracedProcess) -> bool:
        return process.full or process.catching

    def handle_stop(self, tid: int, status: int) -> None:
        """Handle one result of waitpid."""
        task = self._context.tasks.get(tid)
        if task is not None:
            event = status >> 16
            if status != AT_CALL:
                # A fork and execve stop it inside of the call: its return comes next.
                task.within = event not in (0, ptrace.EVENT_STOP)
                # Any other stop takes the place of the one that was asked for (ptrace_stop in
                # kernel/signal.c).
                task.asked &= event == ptrace.EVENT_STOP and os.WSTOPSIG(status) == ptrace.SIGTRAP
            else:
                if task.asked and task.within:
                    self._handle_asked_stop(task)
                self._count_lost_time(task)
        super().handle_stop(tid, status)

    def _count_lost_time(self, task: Task) -> None:
        """At a stop at a call: see whether a thread loses too much of its time to these; if so,
        spare its process.

        Lost is what passes between a return and the next entry but for CPU time: the thread stands
        at that entry until its turn comes, long on a busy machine. Here calls of every kind stop,
        so counting some bounds nothing.
        """
        now, process = time.monotonic(), task.process
        if not task.within:
            task.catching.outside += now - task.catching.returned if task.catching.returned else 0.0
            return
        task.catching.returned = now
        task.catching.calls += 1
        span = now - task.catching.counted_since
        if span < COUNTED_SECONDS:
            return
        look = procfs.read_stat(process.pid, task.tid)
        used = look.utime + look.stime if look is not None else 0
        lost = task.catching.outside - (used - task.catching.ticks) * TICK_SECONDS
        many = task.catching.calls > LEAST_CALLS * span and span < 2 * COUNTED_SECONDS
        (
            task.catching.outside,
            task.catching.calls,
            task.catching.ticks,
            task.catching.counted_since,
        ) = 0.0, 0, used, now
        if many and lost > MOST_LOST * span and (process.full or process.catching):
            self.sampler.process_now(process.pid)
            self._context.set_coverage(
                process, full=False, reason="its stops cost it more than a quarter of its time"
            )

    def _resume_thread(self, task: Task, signo: int) -> None:
        """Let a thread go on: to its next call, or above the budget to its next signal, fork, exec
        or end.
        """
        if not self._leaving:
            super()._resume_thread(task, signo)
            # Also on its way to the return of a call: another stop would come in between, and cut
            # it short.
            task.catching.caught = task.stops
            return
        task.stops = self._find_continued(task) is not None or (task.asked and task.within)
        ptrace.resume_thread(task.tid, ptrace.SYSCALL if task.stops else ptrace.CONT, signo)

    def _trace_again(self, process: TracedProcess) -> None:
        process.catching = not process.foreign

    def _catch_threads(self, process: TracedProcess) -> None:
        """Bring threads that don't stop at their calls yet to a stop, where that is not felt."""
        left = [task for task in process.tasks.values() if not task.catching.caught]
        for task in left:
            task.catching.looks += 1
            if not task.asked and (
                self._may_interrupt(task) or (self._has_run(task) and self._comes_out(task))
            ):
                task.asked = ptrace.interrupt_thread(task.tid)
        if not left:
            self._tables.read_table(process.pid)
            self.sampler.process_now(process.pid)
            self._context.set_coverage(
                process, full=True, reason="all of its threads stop at calls"
            )

    def _has_run(self, task: Task) -> bool:
        """Whether a thread has run since the last look, so that it may come out of its call again
        soon.
        """
        status = procfs.read_status(task.process.pid, task.tid)
        switches = status.voluntary + status.forced if status is not None else 0
        before, task.catching.switches = task.catching.switches, switches
        return before not in (-1, switches)

    def _comes_out(self, task: Task) -> bool:
        """Look again and again for a moment: a thread that works sleeps in its calls for moments
        only.
        """
        self._patience -= 1
        until = time.monotonic() + LOOK_SECONDS
        while self._patience > 0 and time.monotonic() < until:
            if self._may_interrupt(task):
                return True
        return False

    def _may_interrupt(self, task: Task) -> bool:
        """Whether a thread is in no call, or in one that goes on as if nothing had been."""
        task.inside = (-1, ())
        pid, tid = task.process.pid, task.tid
        look = procfs.read_stat(pid, tid)
        if look is None or look.state not in "RS":
            return False
        call = procfs.read_syscall(pid, tid)
        if call is None:
            return False
        if call.running:
            # It may have been woken in the middle of a call, and /proc does not say of which.
            return task.catching.looks > LOOKS_FIRST and not task.catching.moves
        task.inside = (call.number, call.args)
        name = self._context.names.get(call.number, "")
        if name == "read":
            try:
                return stat.S_ISFIFO(os.stat(f"/proc/{pid}/fd/{call.args[0] & 0xFFFFFFFF}").st_mode)
            except OSError:
                return False
        task.catching.moves |= name in PARTIAL
        return name in RESTARTED

    def _handle_event_stop(self, task: Task, signo: int) -> Outcome:
        if signo == ptrace.SIGTRAP and task.asked:
            self._handle_asked_stop(task)
        if signo != ptrace.SIGTRAP:
            task.stops = False  # it listens for SIGCONT
        return super()._handle_event_stop(task, signo)

    def _handle_asked_stop(self, task: Task) -> None:
        """A thread that was asked to stop does so, maybe at the return of a call that was cut short
        by that.
        """
        task.asked = False
        continued = self._find_continued(task) if self._cutting else None
        if continued is not None:
            task.entered, task.interrupted = None, None
            self._calls.mending.cut_call(task, continued)
            return
        self._recover_call(task)
        # It ran when it was asked, and may have begun to sleep in another call just then: let it
        # make that again.
        if self._signals.undo_stop(task):
            task.entered = None

    def _recover_call(self, task: Task) -> None:
        """Know the call that a thread was asked out of and makes again: some show as
        restart_syscall from then on.
        """
        number, raw = task.inside
        name = self._context.names.get(number, "")
        registers = ptrace.get_registers(task.tid, self._context.arch) if name in KNOWN else None
        if registers is None or registers[self._context.arch.original] != number or len(raw) < 6:
            return
        code = (1 << 64) - registers[self._context.arch.result]
        if code not in RESTART_CODES:
            return
        args = decode_arguments(task.tid, name, raw)
        key = self.sampler.waited_object(task.process.pid, name, args)
        began = self._context.emitter.now()
        entered = Entered(name=name, number=number, raw=raw, args=args, began=began, object=key)
        task.interrupted = (entered, code)

    def _handle_execve(self, task: Task, former: int) -> Outcome:
        self._tables.forget_process(task.process.pid)
        return super()._handle_execve(task, former)

    # The end.

    def see_through(self, reap: Callable[[], None]) -> None:
        """Before threads are let go of: end what was begun with them and would be felt if nobody
        ended it.

        One that was asked to stop, or that stops at the entry of a call, would see EINTR, and one
        in a write that is made again for its rest would see only that rest. A write that takes too
        long is cut short, with all that it has written: as by a signal.

        Args:
            reap: Handles every stop that there is.
        """
        self._leaving = True
        began = time.monotonic()
        while True:
            reap()
            left = [task for task in self._context.tasks.values() if self._would_feel(task)]
            waited = time.monotonic() - began
            if not left or waited > 2 * LETTING_GO_SECONDS:
                return
            self._cutting = waited > LETTING_GO_SECONDS
            for task in left:
                patient = self._find_continued(task) is not None or waited < COMING_SECONDS
                if not task.asked and (self._cutting or not patient):
                    task.asked = ptrace.interrupt_thread(task.tid)
            time.sleep(0.001)

    def _would_feel(self, task: Task) -> bool:
        """Whether a thread might feel it if it was let go of now.

        A thread that stands at the entry of a call when its tracer ends is marked by the kernel as
        if a signal had come (__ptrace_unlink in kernel/ptrace.c), and the call fails with EINTR. At
        a return it is not felt, nor asleep.
        """
        return (
            task.asked
            or task.ended
            or (task.stops and not task.within)
            or self._find_continued(task) is not None
        )

    @staticmethod
    def _find_continued(task: Task) -> Entered | None:
        """The call that a thread makes by its legs, if it is inside one."""
        entered = task.entered or (task.interrupted[0] if task.interrupted is not None else None)
        return entered if entered is not None and (entered.carried or entered.legs) else None

    def emit_finished(self) -> None:
        """The last event: nothing is watched any more."""
        self.sampler.notice_reaped()
        self._context.emit(Finished(code=0, detached=len(self._context.processes)))
