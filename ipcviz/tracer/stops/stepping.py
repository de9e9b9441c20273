"""Step mode: every thread is held at its next stop that matters, and goes on when the viewer lets
it.

A thread that was let go is *moving* until it is held again, sleeps in a call, or ends. One that
sleeps in a call is woken by what another one does, or by time, and is held behind that call. So at
every moment each thread is held, blocked or moving, and only one that was let go runs code of its
own.

A call is held at its entry inside the kernel; a signal that comes meanwhile would act inside the
call, and cut it short. But the thread is meant to stand before the call: so it is brought back to
the instruction, and the signal acts there, as on any machine that happens to be slow between two
lines.
"""

from __future__ import annotations

import os
import stat
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from ipcviz import events
from ipcviz.events import Breakpoint, Continued, Poised, Released, Settled, Stepped
from ipcviz.events.calls import having
from ipcviz.events.stepping import At
from ipcviz.kernel import procfs, ptrace
from ipcviz.kernel.ptrace import AT_CALL, AT_MARK
from ipcviz.model.steps.breakpoints import describe_breakpoint
from ipcviz.model.steps.visible import (
    SHORT_WAIT_SECONDS,
    is_visible_semaphore,
    notes_child_end,
)
from ipcviz.tracer.calls import deadlines
from ipcviz.tracer.context import Context
from ipcviz.tracer.sampling.sampler import Sampler
from ipcviz.tracer.sampling.untraced_tables import Tables
from ipcviz.tracer.stops.accesses import AccessStops
from ipcviz.tracer.stops.calls import CallStops
from ipcviz.tracer.stops.outcomes import LEAVE, RESUME, Outcome, handle_instead
from ipcviz.tracer.stops.semaphores import QUIET, SemaphoreStops
from ipcviz.tracer.stops.senders import sender_of
from ipcviz.tracer.stops.signals import SignalStops
from ipcviz.tracer.stops.waits import KERNEL_SECONDS
from ipcviz.tracer.tasks import HeldAt, Task

ASLEEP_SECONDS: Final = 0.005
"""How long a moving thread must sleep, at every look, to count as blocked in a call that is not
traced.
"""

COMPUTING_TICKS: Final = 50
STARTING_TICKS: Final = 500
"""How long a moving thread may run its own code before it is held there, and the command before
its first operation: CPU time in ticks of 10 ms (USER_HZ), so that a busy machine does not change
where a thread is held."""

UNDISTURBED: Final = having("restarts") | {"write"}
"""Calls that go on as if nothing had been after PTRACE_INTERRUPT: the kernel starts them again, or
`mend` does.
"""


class Stepping:
    """Holds threads, and lets them go.

    Args:
        context: The session's.
        calls: Takes stops at calls in.
        signals: Takes signals in.
        semaphores: Knows the breakpoints.
        accesses: Tells of loads and stores.
        sampler: Looks at everything when all is at rest.
        tables: Traces sampled processes in full again.
        carry_out: Has the engine let a thread go on as was decided.
    """

    def __init__(
        self,
        context: Context,
        calls: CallStops,
        signals: SignalStops,
        semaphores: SemaphoreStops,
        accesses: AccessStops,
        sampler: Sampler,
        tables: Tables,
        carry_out: Callable[[Task, Outcome], None],
    ) -> None:
        self._context = context
        self._calls = calls
        self._signals = signals
        self._semaphores = semaphores
        self._accesses = accesses
        self._sampler = sampler
        self._tables = tables
        self._carry_out = carry_out
        self._step = 0
        self._settled = True
        self._queue: deque[int] = deque()

    # Commands.

    def begin(self, root: Task) -> None:
        """Hold the command from its first visible operation on."""
        self._emit_held()
        self._emit_stepped(root)

    def hold(self, reason: str = "", pid: int = 0, at: Task | None = None) -> None:
        """Hold every thread: those that run their own code at once, the others at their next stop.

        Args:
            reason: The breakpoint that was reached, in words; empty if the viewer wanted it.
            pid: The process that it names; 0 if none.
            at: A thread that is stopped just now and is to be held here.
        """
        if self._context.holding:
            return
        self._emit_held(reason, pid)
        for process in list(self._context.processes.values()):
            if not process.full:
                self._tables.trace_in_full(process, "held: every call is seen")
            for task in process.tasks.values():
                task.steps.moving = False
                if task is not at and process.executed:
                    self._ask_to_stop(task)
        if at is not None:
            self._hold_here(at)

    def release(self, until: tuple[Breakpoint, ...] = ()) -> None:
        """Let everything go on by itself, until a breakpoint is reached."""
        self._context.wait_for(until)
        if not self._context.holding:
            return
        self._context.set_holding(holding=False)
        self._settled = True
        self._queue.clear()
        self._context.emit(Released())
        for task in list(self._context.tasks.values()):
            if task.steps.held is not None:
                self._carry_out(task, self._let_go(task))
            task.steps.moving, task.steps.registers = False, None

    def abandon(self) -> None:
        """Hold nothing any more: all that is held is about to be killed."""
        self._context.set_holding(holding=False)
        self._context.wait_for(())

    def step_thread(self, tid: int) -> None:
        """Let a held thread go on."""
        if not self._context.holding:
            return
        if not self._settled:
            self._queue.append(tid)
            return
        task = self._context.tasks.get(tid)
        if task is None or task.steps.held is None:
            return
        self._step += 1
        self._emit_stepped(task)
        self._carry_out(task, self._let_go(task))

    def _emit_held(self, reason: str = "", pid: int = 0) -> None:
        self._context.set_holding(holding=True)
        self._context.wait_for(())
        self._settled = False
        self._context.emit(events.Held(reason=reason, pid=pid))

    def _emit_stepped(self, task: Task) -> None:
        self._settled = False
        task.steps.moving, task.steps.used = True, -1
        task.steps.short_waits.begin_step()
        self._context.emit(Stepped(step=self._step, pid=task.process.pid, tid=task.tid))

    # Breakpoints of a live run.

    def check_tripwire(self, at: Task | None = None) -> bool:
        """Hold everything if a breakpoint was reached. Returns whether it was."""
        point = self._context.tripwire.reached
        if point is None or self._context.holding:
            return False
        self.hold(describe_breakpoint(point, self._context.state), point.pid, at)
        return True

    # Stops.

    def handle_stop(self, task: Task, status: int) -> Outcome | None:
        """What becomes of a thread that has stopped; None for what is handled as in a live run."""
        if not self._context.holding or not task.process.executed or not os.WIFSTOPPED(status):
            return None
        if status in (AT_CALL, AT_MARK):
            return None if task.process.foreign else self._handle_call(task, status)
        signo, event = os.WSTOPSIG(status), status >> 16
        if event == ptrace.EVENT_STOP:
            if signo == ptrace.SIGTRAP:
                return self._handle_trap(task, status)
            task.steps.moving, task.continued = False, 2
            return None
        if event:
            task.steps.held = None  # a thread that is held gets here only if it is killed
            return None
        return self._handle_signal(task, signo, status)

    def _handle_call(self, task: Task, status: int) -> Outcome:
        info = ptrace.syscall_info(task.tid)
        if info is None:
            return LEAVE
        if task.steps.backing >= 0:
            return self._brought_back(task, info)
        if info.op == ptrace.SYSCALL_INFO_EXIT:
            return self._handle_return(task, info)
        return self._handle_entry(task, info, status)

    def _handle_return(self, task: Task, info: ptrace.SyscallInfo) -> Outcome:
        name = self._context.names.get(task.steps.passed, "")
        task.steps.passed, task.steps.registers = -1, None
        self._calls.handle_call(task, info).finish()
        if task.steps.moving or task.deferred is not None or task.interrupted is not None:
            # Of the latter two what becomes is known at the signal's delivery, before the thread
            # runs any code.
            return RESUME
        return self._hold_poised(task, "return", AT_CALL, call=name)

    def _handle_entry(self, task: Task, info: ptrace.SyscallInfo, status: int) -> Outcome:
        if task.asked:
            # This stop came in place of the one that it was asked for, whose mark would cut the
            # call short.
            task.asked, task.steps.passed = False, info.number
            return self._bring_back(task)
        if status == AT_MARK and task.steps.passed == info.number:
            return self._let_in(task, status)
        again = task.steps.rejoins or self._calls.entries.makes_again(task, info.number)
        if not again:
            self._calls.entries.settle_deferred(task, info)
        poised = self._find_operation(task, info) if not again else None
        task.steps.passed = task.inside[0] if task.steps.rejoins else info.number
        task.steps.rejoins = False
        if poised is not None:
            return self._hold_thread(task, poised, status)
        return self._let_in(task, status)

    def _find_operation(self, task: Task, info: ptrace.SyscallInfo) -> Poised | None:
        """What a thread that enters a call is held before; None if that is no turn of its own."""
        name = self._context.names.get(info.number, "")
        if not deadlines.is_short(task.process.pid, task.tid, name, info.args, SHORT_WAIT_SECONDS):
            poised = self._calls.entries.find_operation(task, info)
            if poised is not None:
                task.steps.short_waits.clear()
            return poised
        if task.steps.short_waits.count_wait(info.number, info.pc):
            return None
        return self._calls.entries.find_operation(
            task, info, repeated=task.steps.short_waits.repeated
        )

    def _let_in(self, task: Task, status: int) -> Outcome:
        calls, info = self._calls, ptrace.syscall_info(task.tid)
        # A thread that sleeps in its call does not tell them any more.
        task.steps.registers = ptrace.get_registers(task.tid, self._context.arch)
        if status == AT_MARK:
            return calls.handle_mark(task, info)
        return calls.handle_call(task, info)

    def _handle_trap(self, task: Task, status: int) -> Outcome:
        """PTRACE_EVENT_STOP: a new thread's first stop, one that was asked for, or the end of a
        group-stop.
        """
        if task.fresh:
            task.fresh = False
            if self._takes_makers_turn(task):
                task.steps.moving = True
                return RESUME
            return self._hold_poised(task, "start", status)
        if task.asked:
            task.asked = False
            asleep = task.inside[0] >= 0
            self._signals.undo_stop(task)
            if asleep or task.steps.moving or task.entered is not None:
                task.steps.rejoins = asleep
                return RESUME
            return self._hold_poised(task, "running", status)
        again = self._signals.undo_stop(task)
        state = self._context.state.processes.get(task.process.pid)
        if state is not None and state.stopped_by:
            self._context.emit(Continued(pid=task.process.pid))
        if task.steps.moving or again:
            return RESUME
        return self._hold_poised(task, "running", status)

    def _takes_makers_turn(self, task: Task) -> bool:
        """Whether a process that has just been made goes on in the turn of the one that made it,
        which sleeps until it executes a program (vfork(2)): between the two there is nothing to
        choose.
        """
        process = self._context.state.processes.get(task.process.pid)
        maker = self._context.processes.get(process.parent) if process is not None else None
        return (
            process is not None
            and process.how == "vfork"
            and maker is not None
            and any(other.steps.moving for other in maker.tasks.values())
        )

    def _action_of(self, pid: int) -> Callable[[int], str]:
        return lambda signo: self._signals.find_action(pid, signo)[0]

    def _handle_signal(self, task: Task, signo: int, status: int) -> Outcome | None:
        accesses = self._accesses.handle_trap(task) if signo == ptrace.SIGTRAP else None
        if isinstance(accesses, int):
            return handle_instead(accesses)
        if accesses is not None:
            if not accesses:
                return RESUME
            last = accesses[-1]
            poised = self._build_poised(task, "access", object=last.variable, op=last.op)
            return self._hold_thread(task, poised, 0)
        address = self._semaphores.find_breakpoint(task) if signo == ptrace.SIGTRAP else 0
        if address:
            if not self._semaphores.is_nested(task, address):
                self._calls.entries.settle_deferred(task)
            found = self._semaphores.find_operation(task, address)
            if found is None or found[0] in QUIET or not is_visible_semaphore(found[1]):
                return None
            op, semaphore, value = found
            poised = self._build_poised(task, "semaphore", op=op, semaphore=semaphore, value=value)
            return self._hold_thread(task, poised, status)
        if self._signals.is_passed_on(task, signo):
            return None
        if task.steps.moving and notes_child_end(self._context.state, task.process.pid, signo):
            return None
        info = ptrace.signal_info(task.tid)
        action, _ = self._signals.find_action(task.process.pid, signo)
        sender, _ = sender_of(self._context, task.process.pid, info, signo)
        poised = self._build_poised(task, "signal", signo=signo, action=action, sender=sender)
        return self._hold_thread(task, poised, status)

    # Holding.

    def _build_poised(self, task: Task, at: At, **what: Any) -> Poised:
        return Poised(pid=task.process.pid, tid=task.tid, at=at, **what)

    def _hold_poised(self, task: Task, at: At, status: int, call: str = "") -> Outcome:
        return self._hold_thread(task, self._build_poised(task, at, call=call), status)

    def _hold_thread(self, task: Task, poised: Poised, status: int) -> Outcome:
        """Hold a thread where it is."""
        task.steps.held = HeldAt(poised, status)
        task.steps.moving, task.steps.used = False, -1
        task.steps.asleep_since = 0.0
        if poised.at != "entry":
            task.steps.short_waits.clear()
        self._context.emit(poised)
        return LEAVE

    def _hold_here(self, task: Task) -> None:
        """Hold a thread that a breakpoint has stopped behind an operation."""
        self._hold_poised(task, "running", 0)

    def _ask_to_stop(self, task: Task) -> None:
        """Ask a thread to stop if it runs its own code, or sleeps in a call whose return would not
        be seen.
        """
        if task.entered is not None or task.asked:
            return
        pid, tid = task.process.pid, task.tid
        task.inside = (-1, ())
        look = procfs.read_stat(pid, tid)
        if look is None or look.state not in "RSD":
            return
        if look.state != "R":
            call = procfs.read_syscall(pid, tid)
            if call is None or call.running:
                return
            name = self._context.names.get(call.number, "")
            if name not in UNDISTURBED and not (
                name == "read" and self._is_pipe(pid, call.args[0])
            ):
                return
            task.inside = (call.number, call.args)
        task.asked = ptrace.interrupt_thread(tid)

    @staticmethod
    def _is_pipe(pid: int, fd: int) -> bool:
        try:
            return stat.S_ISFIFO(os.stat(f"/proc/{pid}/fd/{fd & 0xFFFFFFFF}").st_mode)
        except OSError:
            return False

    # Letting go.

    def _let_go(self, task: Task) -> Outcome:
        """Hold a thread no more."""
        assert task.steps.held is not None
        (poised, status), task.steps.held = task.steps.held, None
        if poised.at == "entry":
            if self._signal_comes_first(task):
                return self._bring_back(task)
            return self._let_in(task, status)
        if poised.at in ("signal", "semaphore"):
            return self._signals.handle_signal(task, os.WSTOPSIG(status))
        return RESUME

    def _signal_comes_first(self, task: Task) -> bool:
        """Whether a signal waits that would be delivered before the call if the thread had not been
        held in it.
        """
        look = procfs.read_status(task.process.pid, task.tid)
        if look is None:
            return False
        bits = (look.pending | look.shared_pending) & ~look.blocked
        action = self._action_of(task.process.pid)
        return any(bits >> (signo - 1) & 1 and action(signo) != "ignore" for signo in range(1, 65))

    def _bring_back(self, task: Task) -> Outcome:
        """Leave a call before it begins: its number becomes none, so that the kernel returns at
        once.
        """
        arch = self._context.arch
        registers = ptrace.get_registers(task.tid, arch)
        if registers is None:
            return LEAVE
        task.steps.backing, task.steps.passed = task.steps.passed, -1
        registers[arch.original] = ptrace.NO_CALL
        ptrace.set_registers(task.tid, arch, registers)
        return RESUME

    def _brought_back(self, task: Task, info: ptrace.SyscallInfo) -> Outcome:
        if info.op == ptrace.SYSCALL_INFO_EXIT:
            arch = self._context.arch
            registers = ptrace.get_registers(task.tid, arch)
            if registers is not None:
                registers[arch.number] = task.steps.backing
                registers[arch.pc] -= arch.syscall_length
                ptrace.set_registers(task.tid, arch, registers)
            task.steps.backing = -1
        return RESUME

    # Coming to rest.

    @property
    def unsettled(self) -> bool:
        """Whether what the last step set off may still go on."""
        return self._context.holding and not self._settled

    def check_settled(self, *, unborn: bool) -> None:
        """See whether all is at rest, and say so once.

        Args:
            unborn: Processes have stopped for the first time whose makers have not told of them
                yet.
        """
        if self._settled or unborn:
            return
        resting = True
        for task in self._context.tasks.values():
            if task.steps.held is None:
                resting &= task.process.executed and self._at_rest(task)
        if not resting:
            return
        self._sampler.request_full_sample()
        self._sampler.sample()
        self._sampler.lines.read_at_rest()
        self._settled = True
        self._context.emit(Settled(step=self._step))
        self._context.emitter.flush()
        while self._queue and self._settled:
            self.step_thread(self._queue.popleft())

    def _at_rest(self, task: Task) -> bool:
        """Whether a thread that is not held sleeps, or is stopped or dead."""
        now = time.monotonic()
        process = self._context.state.processes.get(task.process.pid)
        if process is not None and process.stopped_by:
            return True
        look = procfs.read_stat(task.process.pid, task.tid)
        if look is None:
            return True
        if look.state in "ZX":
            # Its end is still to come by waitpid, unless it is a leader whose other threads go on.
            return len(task.process.tasks) > 1
        if look.state in "SD":
            if task.steps.moving and (task.entered is None or not task.entered.announced):
                task.steps.asleep_since = task.steps.asleep_since or now
                least = KERNEL_SECONDS if look.state == "D" else ASLEEP_SECONDS
                if task.entered is not None or now - task.steps.asleep_since < least:
                    return False
            task.steps.moving = False
            return True
        task.steps.asleep_since = 0.0
        used = look.utime + look.stime
        if task.steps.used < 0:
            task.steps.used = used
        limit = COMPUTING_TICKS if self._step else STARTING_TICKS
        if look.state == "R" and used - task.steps.used > limit and not task.asked:
            task.steps.moving = False
            self._ask_to_stop(task)
        return False
